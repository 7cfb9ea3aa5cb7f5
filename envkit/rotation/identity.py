"""Check which rotation a record belongs to: its secret, name, plan and target. Pure.

A record is trusted only if all of them match the profile.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record

# keys of `target` that are options, and do not identify the target
_OPTIONS = frozenset(
    {"replicas", "save", "server", "terminate", "verify_current", "verify_retired"}
)


class Mismatch(NamedTuple):
    """Why a record does not belong to the rotation that the profile has.

    Attributes:
        reason: for people.
        hint: what to do.
        renamed: whether the record is for this secret, but for a rotation of another name.
        changed: whether the record is for this rotation, but the profile has changed since.
    """

    reason: str
    hint: str
    renamed: bool = False
    changed: bool = False


def target_digest(policy: Policy) -> str:
    """Return the digest that identifies the target of a rotation in a record.

    It is a digest of the table `target` as the profile has it, without the keys that do not
    identify the target. Empty if no key does.
    """
    named = {key: value for key, value in policy.target.items() if key not in _OPTIONS}
    if not named:
        return ""
    return sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()


def mismatch(record: Record, *, name: str, secret: str, plan: str, target: str) -> Mismatch | None:
    """Return why a record does not belong to this rotation; None if it does.

    Args:
        record: the record in the store.
        name: the name of the rotation: `prod/db-password`.
        secret: the identity of the secret, from `RotationStore.identity`.
        plan: how the profile rotates the secret now.
        target: the present result of `target_digest`.
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
    return Mismatch(
        f"the rotation in progress {difference}", _hint_for_change(record, name), changed=True
    )


def _hint_for_change(record: Record, name: str) -> str:
    back = "restore the profile until the rotation finishes"
    if record.promoted_at:
        return back
    if "(single)" in record.plan and record.attempt:
        # the old password may no longer work, and only the record has the new one
        return f"{back}: '--abort' would discard the only password that may work"
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
