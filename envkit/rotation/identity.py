"""Which rotation a record is of: of which secret, by which name, made how, at which target. Pure.

A record is believed only where all of it is what the profile says now.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record

# keys of `target` that say how it is treated, and not which one it is
_OPTIONS = frozenset(
    {"replicas", "save", "server", "terminate", "verify_current", "verify_retired"}
)


class Mismatch(NamedTuple):
    """Why a record is not of the rotation that the profile has.

    Attributes:
        reason: for people.
        hint: what to do.
        renamed: whether it is of this secret, and a rotation of another name.
        changed: whether it is of this rotation, which was begun in another way.
    """

    reason: str
    hint: str
    renamed: bool = False
    changed: bool = False


def target_digest(policy: Policy) -> str:
    """Return the digest by which a record knows the target of a rotation.

    It is one of the table `target` as it is written, without what does not say which target
    it is. Empty where nothing says so.
    """
    named = {key: value for key, value in policy.target.items() if key not in _OPTIONS}
    if not named:
        return ""
    return sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()


def mismatch(record: Record, *, name: str, secret: str, plan: str, target: str) -> Mismatch | None:
    """Return why a record is not of this rotation; None where it is.

    Args:
        record: as the store has it.
        name: the rotation's: `prod/db-password`.
        secret: which one it is about, as `RotationStore.identity`.
        plan: how the profile rotates it now.
        target: what `target_digest` returns now.
    """
    if record.secret and record.secret != secret:
        return Mismatch(
            f"the rotation record beside {secret} belongs to another secret, {record.secret}",
            "move it back beside its secret, or remove it",
        )
    if record.rotation != name:
        return _renamed(record, name)
    if not record.in_progress:
        return None
    if record.plan and record.plan != plan:
        difference = f"started as '{record.plan}', but the profile now says '{plan}'"
    elif record.target and record.target != target:
        at = record.target_description or "another target"
        difference = f"started at {at}, but the profile now has another 'target'"
    else:
        return None
    return Mismatch(f"the rotation in progress {difference}", _way_out(record, name), changed=True)


def _way_out(record: Record, name: str) -> str:
    back = "restore the profile until the rotation finishes"
    if record.promoted_at:
        return back
    if "(single)" in record.plan and record.attempt:
        # the old password may no longer work, and only the record has the new one
        return f"{back}: '--abort' would drop the only password that may work"
    return f"{back}, or run 'envkit rotate --abort {name}'"


def _renamed(record: Record, name: str) -> Mismatch:
    if record.in_progress:
        way_back = "rollback" if record.promoted_at else "abort"
        return Mismatch(
            f"the secret is being rotated as {record.rotation}, not as {name}",
            f"if you renamed it, run 'envkit rotate --resume {name}' or "
            f"'envkit rotate --{way_back} {name}'; otherwise declare one rotation per secret",
            renamed=True,
        )
    return Mismatch(
        f"the secret is rotated as {record.rotation}, not as {name}",
        "declare one rotation per secret, in one profile or in one that both extend; "
        f"if you renamed it, run 'envkit rotate {name}'",
        renamed=True,
    )
