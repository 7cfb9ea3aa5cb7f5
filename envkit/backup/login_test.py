"""Log in with a rotated credential of a backup before a store gets it.

A rotation may have retired the credential since the backup was made. The target decides: what it
refuses is not restored.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit.errors import RetiredError
from envkit.profile.loader import load
from envkit.rotation.catalog import Rotation
from envkit.rotation.jobs import open_job
from envkit.sources.registry import current_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.profile.model import Profile
    from envkit.rotation_state.rotated import RotatedValue
    from envkit.secret import Secret


def require_login(
    rotated: RotatedValue,
    value_of: Callable[[str], Secret | None],
    *,
    profile: Profile,
    environ: Mapping[str, str],
) -> None:
    """Refuse a credential that does not log in at the target of its rotation.

    Args:
        rotated: the rotation.
        value_of: returns the value that a field will have in the store after the restore.
        profile: of the place that is restored, in the folder of the rotation's profile.
        environ: the process environment.

    Raises:
        RetiredError: the target refuses the credential, or the backup does not have all of it.
        EnvkitError: the target cannot be asked.
    """
    policy = rotated.policy
    name = policy.full_name
    fields = {field: value_of(field) for field in rotated.fields}
    known = {field: value for field, value in fields.items() if value is not None}
    if len(known) < len(fields):
        missing = ", ".join(field for field in fields if field not in known)
        raise RetiredError(
            f"is rotated by {name}, and the backup lacks its field {missing}: no login is possible",
            hint=f"store a credential that works, then run: envkit rotate {name}",
        )
    owner = profile
    if policy.profile != profile.name:
        owner = load(policy.profile, os.path.dirname(profile.path))
    guard = current_guard()
    if guard is not None:
        guard.check_rotation(owner, policy.name)
    deadline = Deadline(policy.timeout_seconds)
    rotation = Rotation(policy, owner, (owner.name,), str(policy.secret))
    job = open_job(rotation, environ=environ, deadline=deadline)
    job.check()
    rotator = job.open_rotator(
        deadline=deadline,
        confirm=_nothing,
        settle=lambda _fields, _undo: None,
        id="",
        issued=(),
        end_sessions=False,
        changed_at=0.0,
    )
    if not rotator.probe(known, {}):
        target = rotator.describe_target()
        at = f" at {target}" if target else ""
        raise RetiredError(
            f"does not log in{at}: {name} has replaced it since, or the target was reset",
            hint=f"store a credential that works, then run: envkit rotate {name}",
        )


def _nothing() -> None:
    pass
