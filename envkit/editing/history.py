"""The versions of a variable's value, and the one that a rollback restores.

A store has versions of a whole secret. Comparing the values in memory shows which versions changed
one field; no value is shown.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.editing.slots import StoreSlot, current_value
from envkit.errors import NoVersionError, UnchangeableError
from envkit.resolution.fetch import ask
from envkit.secret import Secret
from envkit.sources.model import Reading, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.editing.find import EditableVariable
    from envkit.sources.model import Outcome

LOOK_BACK = 100  # the most versions that are read
_GONE = ("deleted", "destroyed")


class Recorded(NamedTuple):
    """A version of a secret, and the answer to reading one value from it.

    Attributes:
        outcome: None for a version that is gone, or too old to be read.
    """

    version: Version
    outcome: Outcome | None

    @property
    def value(self) -> Secret | None:
        """The value; None if the version does not have it, or if that is unknown."""
        return self.outcome.value if isinstance(self.outcome, Reading) else None

    @property
    def is_known(self) -> bool:
        """Whether it is known which value the version has, if any."""
        return self.outcome is not None and not isinstance(self.outcome, Exception)


class Change(NamedTuple):
    """A version in which a value changed.

    Attributes:
        version: the version; its state is `current` if readers get this value.
        value: the value; None if it was removed or is unknown.
        absent: whether the value was removed.
    """

    version: Version
    value: Secret | None
    absent: bool = False


class Earlier(NamedTuple):
    """An earlier version that can be restored, and its value."""

    version: Version
    value: Secret


def versioned_slot(variable: EditableVariable) -> StoreSlot:
    """Return the slot of a variable whose store has versions.

    Raises:
        UnchangeableError: it is a literal of a profile, or its store has no versions.
    """
    if not isinstance(variable.slot, StoreSlot):
        path = display_path(variable.declarations[-1].location.path)
        raise UnchangeableError(
            f"{variable.name} is a literal in {variable.slot.where} and has no versions",
            hint=f"run: git log -p {path}",
        )
    _ = variable.slot.versioned
    return variable.slot


def versions(variable: EditableVariable) -> list[Recorded]:
    """Return the versions of the secret that contains a variable, newest first.

    Raises:
        UnchangeableError: the value cannot have versions.
        SourceError: the store failed.
    """
    slot = versioned_slot(variable)
    known = slot.versioned.history(slot.reference)
    references = {
        one.version: slot.reference._replace(version=one.version)
        for one in known[:LOOK_BACK]
        if one.state not in _GONE
    }
    outcomes = ask(slot.source, list(references.values())) if references else {}
    return [
        Recorded(one, outcomes[references[one.version]] if one.version in references else None)
        for one in known
    ]


def changes(recorded: Sequence[Recorded]) -> list[Change]:
    """Return the versions in which a value changed, newest first. Pure.

    Of consecutive versions with the same value, the oldest is the change. A version that is gone
    or could not be read may be a change as well.
    """
    found: list[Change] = []
    before: Recorded | None = None
    for one in reversed(recorded):
        same = before is not None and before.is_known and before.value == one.value
        never = not found and one.value is None
        if not one.is_known or not (same or never):
            found.append(Change(one.version, one.value, one.is_known and one.value is None))
        elif same and found and one.version.state == "current":
            version = found[-1].version._replace(state="current")
            found[-1] = found[-1]._replace(version=version)
        before = one
    return found[::-1]


def earlier(
    variable: EditableVariable,
    recorded: Sequence[Recorded],
    version: str | None,
    environment: str,
) -> Earlier:
    """Return the version that a rollback restores.

    Args:
        variable: the variable to roll back.
        recorded: its versions.
        version: the version to restore; default: the newest in which the variable had a different
            value.
        environment: the name of its environment, for hints.

    Raises:
        UnchangeableError: the value cannot have versions.
        NoVersionError: there is no such version, or it was deleted.
        SourceError: the store failed.
    """
    slot = versioned_slot(variable)
    name = f"{variable.name} --env {environment}"
    if version is not None:
        chosen = next((one for one in recorded if one.version.version == version), None)
        if chosen is None:
            names = ", ".join(one.version.version for one in recorded) or "none"
            raise NoVersionError(
                f"{slot.where} has no version {version} (known: {names})",
                hint=f"run: envkit history {name}",
            )
        found = _read(slot, chosen)
        if found is None:
            state = chosen.version.state
            fate = f"was {state}" if state in _GONE else "does not have it"
            raise NoVersionError(
                f"{slot.where}: version {version} {fate}", hint=f"run: envkit history {name}"
            )
        return found
    candidates = [one for one in recorded if one.version.state not in ("current", *_GONE)]
    candidates.sort(key=lambda one: one.version.state != "previous")  # the sort is stable
    for one in candidates:
        found = None if one.outcome is None else _read(slot, one)
        if found is not None and found.value != variable.current.value:
            return found
    raise NoVersionError(
        f"no earlier version of {slot.where} has a different value",
        hint=f"run 'envkit history {name}', and choose a version with --to"
        if len(recorded) > LOOK_BACK
        else f"store another value: envkit set {name}",
    )


def _read(slot: StoreSlot, recorded: Recorded) -> Earlier | None:
    """Read the value of a version; None if the version does not have it."""
    version, outcome = recorded
    if version.state in _GONE:
        return None
    if outcome is None:
        reference = slot.reference._replace(version=version.version)
        outcome = ask(slot.source, [reference])[reference]
    value = current_value(outcome).value
    return None if value is None else Earlier(version, value)
