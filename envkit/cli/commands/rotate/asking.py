"""The questions of `envkit rotate` before it starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from envkit.audit.session import REASON
from envkit.checks.problem import listed
from envkit.cli.interaction.prompt import ask_reason, confirm, is_interactive
from envkit.errors import UsageError
from envkit.rotation.status_reading import read_statuses
from envkit.rotation_state.evidence import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Rotation
    from envkit.rotation.status import RotationStatus


def ask_reason_for(
    profiles: Iterable[Profile], reason: str | None, environ: Mapping[str, str]
) -> str | None:
    """Return the reason; ask once if a protected profile needs one."""
    protected = dict.fromkeys(one.name for one in profiles if one.protected)
    if protected and not (reason or environ.get(REASON, "")).strip():
        return ask_reason(list(protected)).strip() or None
    return reason


def require_one(
    names: Sequence[str] | None, reason: str | None, environ: Mapping[str, str]
) -> None:
    """Refuse `--compromised` without exactly one name and a reason.

    Raises:
        UsageError: the name or the reason is missing.
    """
    example = 'run: envkit rotate --compromised db-password --reason "leaked in a log"'
    if len(names or ()) != 1:
        raise UsageError("--compromised needs exactly one name", hint=example)
    if not (reason or environ.get(REASON, "")).strip():
        raise UsageError("--compromised needs a reason", hint=example)


def confirm_compromised(rotation: Rotation, *, yes: bool) -> None:
    """Ask before a credential is retired without a grace period.

    Raises:
        UsageError: the person said no, or cannot be asked.
    """
    question = (
        f"The old value of {rotation.full_name} stops working at once, and its sessions end. "
        "Apps that still use it fail until they restart. Rotate it now?"
    )
    if not confirm(question, yes=yes):
        raise UsageError("nothing was rotated")


def confirm_retire(
    rotations: Sequence[Rotation], *, environ: Mapping[str, str], deadline: Deadline, yes: bool
) -> None:
    """Ask before old values are retired that programs may still use.

    Where there is no old value, the run says so, and nothing is asked. An answer counts only for
    the old value that it was given for: the next rotation may have begun meanwhile.

    Raises:
        UsageError: the person said no, or cannot be asked; or the rotation has changed.
    """
    if yes:
        return

    def read() -> list[RotationStatus]:
        deadline.restart()
        return read_statuses(rotations, environ=environ, now=time.time(), deadline=deadline)

    found = read()
    for one in found:
        if not one.promoted_at:
            continue
        users = describe(one.evidence)
        seen = f"Last seen in use: {users}." if users else "No session was seen."
        question = (
            f"The old value of {one.rotation} stops working. {seen} Programs that still use it "
            "fail at their next login. Retire it now?"
        )
        if not confirm(question, yes=False):
            raise UsageError("nothing was retired")
    for before, after in zip(found, read(), strict=True):
        if before.promoted_at != after.promoted_at:
            raise UsageError(
                f"{after.rotation} has changed meanwhile; nothing was retired",
                hint="run 'envkit rotate status' to see its state",
            )


def confirm_protected(
    rotations: Sequence[Rotation], *, environ: Mapping[str, str], deadline: Deadline, yes: bool
) -> None:
    """Ask on a terminal before secrets of protected profiles are rotated.

    Raises:
        UsageError: the person said no.
    """
    protected = [one for one in rotations if one.profile.protected]
    if yes or not protected or not is_interactive():
        return
    now = time.time()
    found = read_statuses(protected, environ=environ, now=now, deadline=deadline)
    deadline.restart()
    due = [one.rotation for one in found if one.started_at or 0 < one.due_at <= now]
    if not due:
        return
    question = f"This rotates secrets of protected profiles: {listed(due)}. Continue?"
    if not confirm(question, yes=False):
        raise UsageError("nothing was rotated", hint="name a profile: envkit rotate --env NAME")
