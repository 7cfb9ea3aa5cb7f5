"""What `envkit rotate` asks a person before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.audit.session import REASON
from envkit.cli.prompt import ask_reason, confirm, is_interactive
from envkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Rotation


def ask_reason_for(
    profiles: Iterable[Profile], reason: str | None, environ: Mapping[str, str]
) -> str | None:
    """Return the reason; ask for it once, where a protected profile needs one."""
    protected = dict.fromkeys(one.name for one in profiles if one.protected)
    if protected and not (reason or environ.get(REASON, "")).strip():
        return ask_reason(list(protected)).strip() or None
    return reason


def require_one(
    names: Sequence[str] | None, reason: str | None, environ: Mapping[str, str]
) -> None:
    """Refuse `--compromised` without exactly one name and a reason.

    Raises:
        UsageError: what is missing.
    """
    example = 'write envkit rotate --compromised db-password --reason "leaked in a log"'
    if len(names or ()) != 1:
        raise UsageError("--compromised needs exactly one name", hint=example)
    if not (reason or environ.get(REASON, "")).strip():
        raise UsageError("--compromised needs a reason", hint=example)


def confirm_compromised(rotation: Rotation, *, yes: bool) -> None:
    """Ask before a credential ends without a grace period.

    Raises:
        UsageError: a person said no, or cannot be asked.
    """
    question = (
        f"The old value of {rotation.full_name} stops working at once, and its sessions end: "
        "apps that still use it fail until they restart. Rotate it now?"
    )
    if not confirm(question, yes=yes):
        raise UsageError("nothing was rotated")


def confirm_protected(rotations: Sequence[Rotation], *, yes: bool) -> None:
    """Ask a person on a terminal before what is due in a protected profile is rotated.

    Raises:
        UsageError: they said no.
    """
    protected = [one.full_name for one in rotations if one.profile.protected]
    if yes or not protected or not is_interactive():
        return
    question = (
        f"This rotates what is due in every profile, and these are protected: "
        f"{', '.join(protected)}. Go on?"
    )
    if not confirm(question, yes=False):
        raise UsageError(
            "nothing was rotated", hint="name a profile: write envkit rotate --env NAME"
        )
