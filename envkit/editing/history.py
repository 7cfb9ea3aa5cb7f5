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


def store_of(variable: EditableVariable) -> StoreSlot:
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


def history(variable: EditableVariable) -> Sequence[Version]:
    """Return the versions of the secret that holds a variable, the newest first.

    Raises:
        UnchangeableError: there can be none.
        SourceError: the store failed.
    """
    store = store_of(variable)
    return store.versioned.history(store.reference)


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
    store, versions = store_of(variable), history(variable)
    if version is not None:
        chosen = next((one for one in versions if one.version == version), None)
        if chosen is None:
            known = ", ".join(one.version for one in versions) or "none"
            raise NoVersionError(f"{store.where} has no version {version} (known: {known})")
        found = _read(store, chosen)
        if found is None:
            fate = f"was {chosen.state}" if chosen.state in _GONE else "does not have it"
            raise NoVersionError(f"{store.where}: version {version} {fate}")
        return found
    candidates = [one for one in versions if one.state not in ("current", *_GONE)]
    candidates.sort(key=lambda one: one.state != "previous")  # the others stay in their order
    for one in candidates[:LOOK_BACK]:
        found = _read(store, one)
        if found is not None and found.value != variable.current.value:
            return found
    raise NoVersionError(
        f"no earlier version of {store.where} has another value",
        hint="choose one of 'envkit history' with --to" if len(candidates) > LOOK_BACK else None,
    )


def _read(store: StoreSlot, version: Version) -> Earlier | None:
    """Return what a version holds, None where it does not have the value."""
    if version.state in _GONE:
        return None
    reference = store.reference._replace(version=version.version)
    value = current_value(ask(store.source, [reference])[reference]).value
    return None if value is None else Earlier(version, value)
