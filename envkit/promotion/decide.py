"""Decide what to copy from one environment to another. Pure.

    decision = plan_promotion(staging, prod, line_plan, choice)
    decision.plan           # may be shown: no secret can be read from it
    decision.writes         # the values, separate from the plan

A plan adds what is missing. It changes existing values, and copies secrets, only on request,
because each environment should have its own.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.editing.find import editable_in_store
from envkit.editing.route import refuse_unwritable
from envkit.editing.slots import StoreSlot
from envkit.errors import AbsentError, EnvkitError, UnchangeableError, VariableFailure
from envkit.promotion.lines import mentions
from envkit.promotion.model import Change, ChangeAction, Left, LeftKind, PromotionPlan
from envkit.promotion.values import reading_of, sole_placeholder, values_for
from envkit.resolution.evaluate import evaluate
from envkit.secret import Secret
from envkit.sources.model import Reading
from envkit.sources.protocols import WritableSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envkit.editing.find import EditableVariable
    from envkit.profile.placeholder import Placeholder, Reference
    from envkit.promotion.lines import Line, LinePlan
    from envkit.resolution.environment import Variable
    from envkit.resolution.prepare import PreparedProfile
    from envkit.rotation_state.rotated import FindRotation
    from envkit.sources.model import Outcome


class Write(NamedTuple):
    """A value to be written to a store of the target."""

    change: Change
    variable: EditableVariable
    reference: Reference
    value: Secret


class Decision(NamedTuple):
    """A plan, and the writes that it needs.

    Attributes:
        refusals: why a request cannot be executed, or why a variable could not be read; if there
            are any, nothing is written.
    """

    plan: PromotionPlan
    writes: tuple[Write, ...]
    lines: tuple[Line, ...]
    refusals: tuple[VariableFailure, ...]


class Choice(NamedTuple):
    """What the user chose: the names of variables, and whether to copy secrets."""

    names: Collection[str] = ()
    secrets: bool = False


class End(NamedTuple):
    """One of the two environments; the target already includes the new lines.

    Attributes:
        outcomes: the answers of the stores to the plan's references.
        rotation_of: returns the rotation of a value.
    """

    prepared: PreparedProfile
    outcomes: Mapping[Reference, Outcome]
    rotation_of: FindRotation


def plan_promotion(source: End, target: End, line_plan: LinePlan, choice: Choice) -> Decision:
    """Decide which changes to make.

    Args:
        source: the environment to copy from, with its selected variables.
        target: the environment to copy to.
        line_plan: the lines to add to the target's profile, and why others are not added.
        choice: the user's options.
    """
    planning = _Planning(source, target, line_plan, choice)
    for name in source.prepared.plan.selected:
        try:
            planning.decide(name)
        except EnvkitError as error:
            planning.refuse(name, error)
    planning.check_result()
    changes = [write.change for write in planning.writes.values()]
    changes += [planning.line_change(line) for line in line_plan.lines]
    return Decision(
        PromotionPlan(*planning.environments, tuple(changes), tuple(planning.left)),
        tuple(planning.writes.values()),
        line_plan.lines,
        tuple(planning.refusals),
    )


class _Planning:
    def __init__(self, source: End, target: End, line_plan: LinePlan, choice: Choice) -> None:
        self.source = source
        self.target = target
        self.environments = source.prepared.profile.name, target.prepared.profile.name
        self.ours = {one.name: one for one in source.prepared.plan.order}
        self.theirs = {one.name: one for one in target.prepared.plan.order}
        self.line_plan = line_plan
        self.lines = {line.name for line in line_plan.lines}
        self.choice = choice
        self.writes: dict[tuple[str, str], Write] = {}
        self.left: dict[Left, None] = {}
        self.refusals: list[VariableFailure] = []

    def leave(self, name: str, kind: LeftKind, reason: str, hint: str | None = None) -> None:
        self.left[Left(name, kind, self.is_secret(name), reason, hint or "")] = None

    def refuse(self, name: str, error: EnvkitError) -> None:
        place = self.ours[name].declaration.place
        self.refusals.append(VariableFailure(name, place, error))

    def is_secret(self, name: str) -> bool:
        return any(side[name].secret for side in (self.ours, self.theirs) if name in side)

    def decide(self, name: str) -> None:
        """Decide what to do with one variable.

        Raises:
            EnvkitError: a request cannot be executed, or a store could not be read.
        """
        obstacle = self.line_plan.obstacles.get(name)
        if obstacle is not None:
            if name in self.choice.names:
                raise obstacle
            self.leave(name, LeftKind.BY_HAND, obstacle.message, obstacle.hint)
        elif name in self.line_plan.unnamed:
            self.leave_to_name(name, self.line_plan.unnamed[name])
        elif name in self.line_plan.differing:
            self.leave(name, LeftKind.DIFFERS, "another literal")
        else:
            wanted = values_for(self.ours[name], self.theirs[name], self.source.outcomes)
            for value, placeholder, from_ in wanted:
                self.decide_value(name, value, placeholder, from_)

    def decide_value(
        self, name: str, value: Secret, placeholder: Placeholder, from_: Sequence[Reference]
    ) -> None:
        theirs = self.theirs[name]
        references = theirs.references[placeholder.operand]
        now = reading_of(references, self.target.outcomes)
        if now == value:
            return
        secret = self.is_secret(name)
        optional = placeholder.fallback is not None or theirs.declaration.default is not None
        needed = now is None and not optional
        asked = name in self.choice.names or (secret and self.choice.secrets)
        if (asked or (needed and not secret)) and self.is_rotated(name, from_, references):
            if needed:
                self.leave_without_value(name, references)
        elif name in self.choice.names or (secret and self.choice.secrets):
            self.write(name, value, now, references)
        elif needed and not secret:
            if mentions(self.source.prepared.profile, value.reveal()):
                self.leave_to_name(name, value.reveal())
            else:
                self.write(name, value, now, references)
        elif needed:
            self.leave_without_value(name, references)
        else:
            self.leave(name, LeftKind.DIFFERS, "a default" if now is None else "another value")

    def is_rotated(
        self, name: str, from_: Sequence[Reference], references: Sequence[Reference]
    ) -> bool:
        """Return whether a value is rotated in one of the environments; if so, record it.

        Raises:
            UnchangeableError: it is rotated, and the user named the variable.
            EnvkitError: the rotations cannot be determined.
        """
        for end, found in ((self.source, from_), (self.target, references)):
            for reference in found:
                rotated = end.rotation_of(end.prepared.sources[reference.source], reference)
                if rotated is None:
                    continue
                reason = f"is rotated by {rotated.full_name}: each environment has its own value"
                if name in self.choice.names:
                    hint = f"run: envkit set {name} --env {self.environments[1]}"
                    raise UnchangeableError(reason, hint=hint)
                self.leave(name, LeftKind.BY_HAND, reason)
                return True
        return False

    def write(
        self, name: str, value: Secret, now: Secret | None, references: Sequence[Reference]
    ) -> None:
        variable = self.editable(name, references)
        assert isinstance(variable.slot, StoreSlot)  # noqa: S101 - `editable_in_store` ensures it
        reference, where = variable.slot.reference, variable.slot.where
        known = self.writes.get((reference.source, where))
        if known is None:
            secret = self.is_secret(name)
            change = Change(
                name,
                ChangeAction.SET if now is None else ChangeAction.REPLACE,
                where,
                None if secret else value.reveal(),
                None if secret or now is None else now.reveal(),
            )
            self.writes[reference.source, where] = Write(change, variable, reference, value)
        elif known.value != value:
            raise UnchangeableError(
                f"is stored in {where}, and so is {known.change.name}, which has another value in "
                f"{self.environments[0]}",
                hint="promote only one of them",
            )

    def editable(self, name: str, references: Sequence[Reference]) -> EditableVariable:
        for reference in references:
            refuse_unwritable(name, reference)
        declarations = (self.theirs[name].declaration,)
        sources = self.target.prepared.sources
        return editable_in_store(name, declarations, references, sources, self.target.outcomes)

    def leave_to_name(self, name: str, text: str) -> None:
        source, target = self.environments
        self.leave(
            name,
            LeftKind.TO_NAME,
            f"contains '{source}': {text}",
            f"if that is right, run: envkit promote {source} {target} {name}",
        )

    def leave_without_value(self, name: str, references: Sequence[Reference]) -> None:
        where = ", ".join(map(self.target.prepared.locate, references))
        optional = "" if self.theirs[name].declaration.required else ", which is allowed"
        try:
            self.editable(name, references)
        except UnchangeableError as error:
            hint = error.hint
        else:
            alone = sole_placeholder(self.theirs[name]) is not None
            what = name if alone else f"--ref '{references[0]}'"
            hint = f"run: envkit set {what} --env {self.environments[1]}"
        self.leave(name, LeftKind.NEEDS_VALUE, f"missing in {where}{optional}", hint)

    def check_result(self) -> None:
        """Evaluate the target as it will be after the changes, and report its failures."""
        plan, locate = self.target.prepared.plan, self.target.prepared.locate
        before, failed_before = evaluate(plan, self.target.outcomes, locate)
        written = {
            self.place(write.reference): Reading(write.value, None, write.change.where)
            for write in self.writes.values()
        }
        # a place can have several spellings; all of them read the new value
        outcomes = {
            reference: written.get(self.place(reference), outcome)
            for reference, outcome in self.target.outcomes.items()
        }
        after, failed = evaluate(plan, outcomes, locate)
        known = {(f.name, f.error.code) for f in failed_before if f.name not in self.lines}
        refused = {failure.name for failure in self.refusals}
        waiting = {left.name for left in self.left}
        for failure in failed:
            if isinstance(failure.error, AbsentError):
                if failure.name not in waiting and failure.name in self.ours:
                    self.leave(failure.name, LeftKind.NEEDS_VALUE, failure.error.message)
            elif (failure.name, failure.error.code) not in known and failure.name not in refused:
                self.refusals.append(failure)
        self.refuse_unreached(before, after)

    def place(self, reference: Reference) -> object:
        """Return a key for a place in the target; equal keys mean the same value."""
        prepared = self.target.prepared
        return prepared.store(reference.source), prepared.locate(reference), reference[3:]

    def refuse_unreached(
        self, before: Mapping[str, Variable], after: Mapping[str, Variable]
    ) -> None:
        """Refuse variables that the user named and that would not get the source's value.

        A new line may read an existing value of the target. It is refused only if another write
        of this promotion changes that value.
        """
        prepared, outcomes = self.source.prepared, self.source.outcomes
        wanted, failed = evaluate(prepared.plan, outcomes, prepared.locate)
        refused = {failure.name for failure in self.refusals}
        named = [name for name in self.choice.names if name not in refused]
        self.refusals += [failure for failure in failed if failure.name in named]
        for name in named:
            if name not in wanted:
                continue
            if name in self.lines and (
                name not in before or before[name].value != wanted[name].value
            ):
                continue
            if name in after and after[name].value == wanted[name].value:
                continue
            theirs = self.theirs[name]
            needs = " ".join(dict.fromkeys(theirs.variables.values()))
            if needs and theirs.declaration.template == self.ours[name].declaration.template:
                hint = f"run: envkit promote {' '.join(self.environments)} {needs}"
                error = UnchangeableError("is composed of other variables, which differ", hint=hint)
            else:
                error = UnchangeableError(
                    f"is declared differently in {theirs.declaration.location}",
                    hint=f"edit {theirs.declaration.location}",
                )
            self.refuse(name, error)

    def line_change(self, line: Line) -> Change:
        """Return the change that describes a line."""
        notes = []
        if line.left_out:
            notes.append(f"without {', '.join(line.left_out)}: a .env file has only values")
        if self.is_secret(line.name) and self.reads_the_same(line.name):
            notes.append(f"reads the same secret as {self.environments[0]}")
        return Change(
            line.name,
            ChangeAction.ADD if line.before is None else ChangeAction.CHANGE,
            display_path(self.target.prepared.profile.path),
            line.text,
            line.before,
            ", ".join(notes),
        )

    def reads_the_same(self, name: str) -> bool:
        """Return whether a variable reads its value from the same place in both environments."""
        ours, theirs = self.source.prepared, self.target.prepared
        return any(
            isinstance(theirs.sources[reference.source], WritableSource)
            and reference.source in ours.sources
            and ours.store(reference.source) == theirs.store(reference.source)
            and ours.locate(reference) == theirs.locate(reference)
            for references in self.theirs[name].references.values()
            for reference in references
        )
