"""Collect the changes of an import: values of a store, and lines of the profile. Pure.

Each place of a store gets one value, and each variable one line.
"""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.detection.secret_literal import PLACEHOLDER, suspect
from envkit.detection.settings import is_setting
from envkit.editing.find import EditableVariable
from envkit.editing.slots import StoreSlot, current_value
from envkit.errors import UnchangeableError, VariableFailure
from envkit.importing.model import NotImported
from envkit.promotion.decide import Decision, Write
from envkit.promotion.lines import Line
from envkit.promotion.model import Change, ChangeAction, PromotionPlan
from envkit.sources.protocols import WritableSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.editing.slots import CurrentValue
    from envkit.errors import EnvkitError
    from envkit.importing.model import Destination, Why
    from envkit.profile.declaration import Declaration
    from envkit.profile.placeholder import Reference, Template
    from envkit.resolution.prepare import PreparedProfile
    from envkit.rotation_state.rotated import FindRotation
    from envkit.secret import Secret
    from envkit.sources.model import Outcome


class Conflict(Exception):  # noqa: N818 - an outcome, which no caller of the package sees
    """The environment has another value.

    Attributes:
        where: the place of that value.
    """

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where


class Changes:
    """The changes decided so far, and what is not imported.

    Args:
        target: the profile, with the source of the destination.
        outcomes: what that source answered.
        destination: what the user chose.
        rotation_of: returns the rotation of a value.
    """

    def __init__(
        self,
        target: PreparedProfile,
        outcomes: Mapping[Reference, Outcome],
        destination: Destination,
        rotation_of: FindRotation,
    ) -> None:
        self.profile = target.profile
        self.source = target.sources[destination.source]
        self.replace = destination.replace
        self.not_imported: list[NotImported] = []
        self.refusals: list[VariableFailure] = []
        self._outcomes = outcomes
        self._rotation_of = rotation_of
        self._writes: dict[Reference, Write] = {}
        self._lines: dict[str, tuple[Line, Change]] = {}

    def write(
        self, name: str, value: Secret, reference: Reference, declaration: Declaration | None
    ) -> None:
        """Write a value to a place of the store, unless it is there already.

        Raises:
            Conflict: the place has another value, and may not be changed.
            EnvkitError: the place could not be read, or cannot be written.
        """
        current = self._current(reference)
        earlier = self._writes.get(reference)
        if earlier is not None and earlier.value != value:
            raise Conflict(earlier.change.where)
        if current.value == value or earlier is not None:
            return
        assert isinstance(self.source, WritableSource)  # noqa: S101 - `prepare_import` ensures it
        declarations = () if declaration is None else (declaration,)
        slot = StoreSlot(self.source, reference)
        if current.value is not None:
            if not self.replace:
                raise Conflict(slot.where)
            self.refuse_rotated(self.source, reference)
        variable = EditableVariable(name, declarations, slot, current)
        variable.check(value.reveal())
        action = ChangeAction.SET if current.value is None else ChangeAction.REPLACE
        change = Change(name, action, slot.where, None)
        self._writes[reference] = Write(change, variable, reference, value)

    def refuse_rotated(self, source: Any, reference: Reference) -> None:
        """Refuse to change or move a value that is rotated.

        Raises:
            UnchangeableError: it is rotated.
        """
        rotated = self._rotation_of(source, reference)
        if rotated is not None:
            raise UnchangeableError(
                f"is rotated by {rotated.full_name}",
                hint="change the rotation's table in the profile first",
            )

    def line(self, name: str, value: Template, *, before: Template | None) -> None:
        """Write a line of the profile.

        Args:
            name: the variable.
            value: its value in the profile.
            before: its present value there; None if the file has no such line.
        """
        action = ChangeAction.ADD if before is None else ChangeAction.CHANGE
        where, text = display_path(self.profile.path), str(value)
        change = Change(name, action, where, _shown(name, value), before and _shown(name, before))
        self._lines[name] = Line(name, {"value": text}), change

    def leave(self, name: str, why: Why, where: str, reason: str, hint: str | None = None) -> None:
        """Record that a variable is not imported, and drop its changes."""
        self._writes = {ref: one for ref, one in self._writes.items() if one.change.name != name}
        self._lines.pop(name, None)
        self.not_imported.append(NotImported(name, why, where, reason, hint or ""))

    def refuse(self, name: str, place: str, error: EnvkitError) -> None:
        """Record why a change cannot be made, so that nothing is changed."""
        self.refusals.append(VariableFailure(name, place, error))

    def decision(self, origin: str) -> Decision:
        """Return all changes: values first, and lines last.

        Args:
            origin: where the values come from, for people.
        """
        writes, lines = tuple(self._writes.values()), tuple(self._lines.values())
        changes = (*(write.change for write in writes), *(change for _, change in lines))
        return Decision(
            PromotionPlan(origin, self.profile.name, changes, ()),
            writes,
            tuple(line for line, _ in lines),
            tuple(self.refusals),
        )

    def _current(self, reference: Reference) -> CurrentValue:
        return current_value(self._outcomes[reference])


def _shown(name: str, value: Template) -> str | None:
    """Return a value of the profile as the plan shows it; None if it may contain a secret."""
    if not value.placeholders:
        text = "".join(map(str, value.parts))
        return str(value) if is_setting(name, text) else None
    whole = "".join(part if isinstance(part, str) else PLACEHOLDER for part in value.parts)
    texts = (whole, *(placeholder.fallback or "" for placeholder in value.placeholders))
    return None if any(suspect(name, text) for text in texts) else str(value)
