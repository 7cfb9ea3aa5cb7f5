"""Compute the variables of an environment from the answers of its stores. Pure.

Every variable has a value, is optional and not set, or is reported as a failure by name. A
fallback or default never hides a failure.
"""

from __future__ import annotations

from envkit.errors import (
    AbsentError,
    EnvkitError,
    InvalidReferenceError,
    InvalidValueError,
    NeedFailedError,
    VariableFailure,
)
from envkit.profile.placeholder import Literal, Name, Reference
from envkit.profile.substitution import substitute
from envkit.resolution.environment import Origin, Variable
from envkit.secret import Plain, Secret
from envkit.sources.model import Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from envkit.profile.declaration import Declaration
    from envkit.profile.placeholder import Operand, Placeholder
    from envkit.resolution.plan import Plan, PlannedVariable
    from envkit.sources.model import Outcome

MAX_CHARACTERS = 1_048_576  # of a composed value; Linux allows 131,071 bytes


def evaluate(
    plan: Plan, outcomes: Mapping[Reference, Outcome], locate: Callable[[Reference], str]
) -> tuple[dict[str, Variable], list[VariableFailure]]:
    """Return the selected variables of a plan and the failures of the others.

    Args:
        plan: the variables in the order of evaluation.
        outcomes: the answer of the source for each reference of the plan.
        locate: returns the location of a reference, for people.

    Returns:
        the variables that have a value, in the order of the profile, and the failures of all
        required variables without one.
    """
    run = _Run(plan, outcomes, locate)
    for variable in plan.order:
        run.add(variable)
    return {name: run.done[name] for name in plan.selected if name in run.done}, run.failures


class _Run:
    def __init__(
        self, plan: Plan, outcomes: Mapping[Reference, Outcome], locate: Callable[[Reference], str]
    ) -> None:
        self.plan = plan
        self.selected = frozenset(plan.selected)
        self.outcomes = outcomes
        self.locate = locate
        self.done: dict[str, Variable] = {}
        self.failed: dict[str, EnvkitError] = {}
        self.failures: list[VariableFailure] = []
        self.doubts: dict[str, InvalidReferenceError] = {}

    def add(self, variable: PlannedVariable) -> None:
        """Compute one variable, or record why it has no value."""
        name = variable.declaration.name
        value: _Value | None = None
        try:
            resolved = self.reading(variable)
            if resolved is None:
                value = _Value(self, variable)
                resolved = value.resolve()
        except EnvkitError as error:
            if value is not None and value.doubt is not None:
                self.doubts[name] = value.doubt
            self.failed[name] = error
            # a dependency may be missing: the variable that needs it may have a fallback
            if name in self.selected or not isinstance(error, AbsentError):
                place = variable.declaration.place
                self.failures.append(VariableFailure(name, place, error))
            return
        if resolved is not None:
            self.done[name] = resolved

    def reading(self, variable: PlannedVariable) -> Variable | None:
        """Return a variable that is one unchanged reading, like most; None for all others.

        It returns what `_Value` would return, in a fifth of the time.
        """
        declaration = variable.declaration
        parts = declaration.template.parts
        if len(parts) != 1 or not declaration.is_plain:
            return None
        only = parts[0]
        if isinstance(only, str) or only.filters:
            return None
        references = variable.references.get(only.operand)
        outcome = self.outcomes[references[0]] if references else None
        if references is None or not isinstance(outcome, Reading):
            return None
        text = outcome.value.reveal()
        if not text.isascii() or "\0" in text:
            return None
        source, _, name, _, _ = reference = references[0]
        written = f"{source}:#{name}" if isinstance(only.operand, Name) else str(reference)
        origin = Origin._make((written, outcome.location, outcome.version))
        return Variable._make(
            (
                declaration.name,
                outcome.value if variable.secret else Plain(text),
                variable.secret,
                self.plan.environment,
                declaration.location,
                (origin,),
                "",
                (outcome.value,),
                None,
            )
        )


class _Value:
    """The state of one variable during evaluation: its origins and what is missing."""

    def __init__(self, run: _Run, variable: PlannedVariable) -> None:
        self.run = run
        self.variable = variable
        self.origins: dict[Origin, None] = {}  # an ordered set
        self.readings: list[Secret] = []
        self.filtered: list[str] = []
        self.missing: list[str] = []
        self.not_found: list[Operand] = []  # the missing operands that stores were asked for
        self.note = ""
        self.doubt: InvalidReferenceError | None = None

    def resolve(self) -> Variable | None:
        """Return the variable; None if it is optional and not set."""
        declaration = self.variable.declaration
        text = self.text()
        if text is None:
            if declaration.default is not None or not declaration.required:
                self.refuse_doubt()
            if declaration.default is None:
                if not declaration.required:
                    return None
                raise AbsentError(
                    "; ".join(dict.fromkeys(self.missing)),
                    hint=self.meant() or self.how_to_set(),
                )
            text, self.note, self.origins = declaration.default, "default", {}
            self.readings, self.filtered = [], []
        value = Secret(text) if self.variable.secret else Plain(text)
        if not text.isascii():
            value.to_bytes()  # raises if a program could not receive it
        wrong = None
        if "\0" in text and declaration.file_mode is None:
            wrong = "contains a NUL"
        elif not declaration.is_plain:
            wrong = _mismatch(declaration, text)
        if wrong is not None:
            raise InvalidValueError(
                wrong, hint=f"fix the value, or change its declaration in {declaration.location}"
            )
        given = declaration.on_command_line
        return Variable._make(
            (
                declaration.name,
                value,
                self.variable.secret,
                self.run.plan.environment,
                None if given else declaration.location,
                tuple(self.origins),
                "--set" if given else self.note,
                (*self.readings, *map(Secret, self.filtered)),
                declaration.file_mode,
            )
        )

    def text(self) -> str | None:
        """Return the value of the template; None if an operand is `missing`."""
        template = self.variable.declaration.template
        if len(template.parts) == 1:  # the common case: nothing to join
            only = template.parts[0]
            if isinstance(only, str):
                return only
        # evaluate all before using any, so that a missing value does not hide a failure
        values = {
            placeholder: self.value_of(placeholder)
            for placeholder in template.placeholders
            if not isinstance(placeholder.operand, Literal)
        }
        if self.missing:
            return None
        several = template.placeholders if len(template.placeholders) > 1 else ()
        if sum(len(values.get(one) or "") for one in several) > MAX_CHARACTERS:
            raise InvalidValueError(
                f"is longer than {MAX_CHARACTERS:,} characters, after its placeholders are "
                "replaced",
                hint="programs do not accept a variable of that length: read it from a file",
            )
        try:
            return substitute(template, values.__getitem__, self.filtered)
        except AbsentError as error:  # a filter selects a missing part
            self.missing.append(error.message)
            return None

    def value_of(self, placeholder: Placeholder) -> str | None:
        """Return the value of an operand; if it has none, return None and record why."""
        operand = placeholder.operand
        need = self.variable.variables.get(operand)
        value, reasons = self.read(operand) if need is None else self.other(need)
        if value is None and placeholder.fallback is not None:
            self.refuse_doubt()
            self.note = "fallback"
        elif value is None:
            self.missing += reasons
            if need is None:
                self.not_found.append(operand)
        return value

    def refuse_doubt(self) -> None:
        """Raise if a missing value may be in another store; a default must not replace it."""
        if self.doubt is not None:
            raise self.doubt

    def how_to_set(self) -> str:
        """Return the hint for a value that is missing; one text for all of an environment."""
        sources = {r.source for one in self.not_found for r in self.variable.references[one]}
        return how_to_set(self.run.plan.environment, sources)

    def meant(self) -> str | None:
        """Return the hint for a mistyped name: the closest name in its store."""
        for operand in self.not_found:
            for reference in self.variable.references[operand]:
                outcome = self.run.outcomes[reference]
                name = reference.path if reference.field is None else reference.field
                from envkit._internal.suggestions import closest

                match = closest(name, outcome.known) if isinstance(outcome, Absent) else None
                if match is not None and isinstance(operand, Reference):
                    key = "path" if reference.field is None else "field"
                    from envkit._internal.suggestions import Meant

                    return Meant(str(operand), str(operand._replace(**{key: match})))
                if match is not None:
                    from envkit._internal.suggestions import Meant

                    return Meant(str(operand), match)
        return None

    def other(self, name: str) -> tuple[str | None, list[str]]:
        """Return the value of another variable, or why it is not set."""
        found = self.run.done.get(name)
        if found is not None:
            self.origins.update(dict.fromkeys(found.origins))
            if found.secret:
                self.readings += (found.value, *found.readings)
            return found.value.reveal(), []
        cause = self.run.failed.get(name)
        if cause is not None and not isinstance(cause, AbsentError):
            raise NeedFailedError(name, cause)
        self.doubt = self.doubt or self.run.doubts.get(name)
        because = "" if cause is None or name in self.run.selected else f" ({cause.message})"
        return None, [f"{name} is not set{because}"]

    def read(self, operand: Operand) -> tuple[str | None, list[str]]:
        """Return the value from the first source that has it, or the places where it is missing."""
        reasons = []
        for reference in self.variable.references[operand]:
            outcome = self.run.outcomes[reference]
            if isinstance(outcome, Exception):
                raise outcome.with_traceback(None)  # several variables may share one error
            if isinstance(outcome, Reading):
                self.refuse_doubt()
                origin = Origin._make((str(reference), outcome.location, outcome.version))
                self.origins[origin] = None
                self.readings.append(outcome.value)
                return outcome.value.reveal(), []
            place = self.run.locate(reference)
            said = "; ".join(filter(None, (outcome.reason, outcome.doubt)))
            reasons.append(f"{place} is missing: {said}" if said else f"{place} is missing")
            if outcome.doubt:
                self.doubt = _doubtful(reference, f"{place} is missing, but {outcome.doubt}")
        return None, reasons or [f"{operand} is missing: 'lookup' names no source"]


def how_to_set(environment: str, sources: Iterable[str]) -> str:
    """Return the hint for a missing value that these sources could have."""
    own = {*sources} == {"env"}
    how = "set it where envkit runs" if own else f"run 'envkit set NAME --env {environment}'"
    return f"{how}, or declare a 'default' or 'required = false'"


def _doubtful(reference: Reference, message: str) -> InvalidReferenceError:
    return InvalidReferenceError(
        f"{message}: envkit does not fall back to another value",
        hint=f"check which store [sources.{reference.source}] and the environment name; if it is "
        "new, create its first secret with 'envkit set'",
    )


def _mismatch(declaration: Declaration, text: str) -> str | None:
    """Return why a value does not match its declaration; None if it matches."""
    from envkit.profile.value_types import mismatch

    return mismatch(declaration, text)
