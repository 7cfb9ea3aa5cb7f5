"""The versions of a variable's value, and the one that a rollback goes back to."""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.editing.slots import StoreSlot, current_value
from envkit.errors import NoVersionError, UnchangeableError
from envkit.resolution.fetch import ask
from envkit.secret import Secret
from envkit.sources.model import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.editing.find import EditableVariable

LOOK_BACK = 20  # versions in which another value is looked for
_GONE = ("deleted", "destroyed")


class Earlier(NamedTuple):
    """An earlier version that can be brought back, and what it holds."""

    version: Version
    value: Secret


def versioned_slot(variable: EditableVariable) -> StoreSlot:
    """Return the slot of a variable whose store keeps versions.

    Raises:
        UnchangeableError: it is a literal of a profile, or its store keeps no versions.
    """
    if not isinstance(variable.slot, StoreSlot):
        path = display_path(variable.declarations[-1].location.path)
        raise UnchangeableError(
            f"{variable.name} is written in {variable.slot.where}, and has no versions of its own",
            hint=f"run 'git log -p {path}'",
        )
    _ = variable.slot.versioned
    return variable.slot


def versions(variable: EditableVariable) -> Sequence[Version]:
    """Return the versions of the secret that holds a variable, the newest first.

    Raises:
        UnchangeableError: there can be none.
        SourceError: the store failed.
    """
    slot = versioned_slot(variable)
    return slot.versioned.history(slot.reference)


def earlier(variable: EditableVariable, version: str | None) -> Earlier:
    """Return the version to go back to.

    Args:
        variable: which one.
        version: which one; else the newest in which the variable had another value.

    Raises:
        UnchangeableError: there can be none.
        NoVersionError: there is none, or it was deleted.
        SourceError: the store failed.
    """
    slot, known = versioned_slot(variable), versions(variable)
    if version is not None:
        chosen = next((one for one in known if one.version == version), None)
        if chosen is None:
            names = ", ".join(one.version for one in known) or "none"
            raise NoVersionError(f"{slot.where} has no version {version} (known: {names})")
        found = _read(slot, chosen)
        if found is None:
            fate = f"was {chosen.state}" if chosen.state in _GONE else "does not have it"
            raise NoVersionError(f"{slot.where}: version {version} {fate}")
        return found
    candidates = [one for one in known if one.state not in ("current", *_GONE)]
    candidates.sort(key=lambda one: one.state != "previous")  # the others stay in their order
    for one in candidates[:LOOK_BACK]:
        found = _read(slot, one)
        if found is not None and found.value != variable.current.value:
            return found
    raise NoVersionError(
        f"no earlier version of {slot.where} has another value",
        hint="choose one of 'envkit history' with --to" if len(candidates) > LOOK_BACK else None,
    )


def _read(slot: StoreSlot, version: Version) -> Earlier | None:
    """Return what a version holds, None where it does not have the value."""
    if version.state in _GONE:
        return None
    reference = slot.reference._replace(version=version.version)
    value = current_value(ask(slot.source, [reference])[reference]).value
    return None if value is None else Earlier(version, value)
