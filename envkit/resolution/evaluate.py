"""Compute the variables of an environment from the answers of the stores. Pure.

Every variable has a value, or is optional and not set, or is a failure with its name; a
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

MAX_CHARACTERS = 1_048_576  # of what other values are put together to; Linux takes 131,071 bytes


def evaluate(
    plan: Plan, outcomes: Mapping[Reference, Outcome], locate: Callable[[Reference], str]
) -> tuple[dict[str, Variable], list[VariableFailure]]:
    """Return the selected variables of a plan, and why others have no value.

    Args:
        plan: says in which order.
        outcomes: per reference of the plan, the answer of its source.
        locate: where a reference points, for people.

    Returns:
        the variables that have a value, in the order of the profile, and the failures
        of all that must have one.
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
        """Compute one variable, or note why it has no value."""
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
            # what is only needed may be absent where the one that needs it has a fallback
            if name in self.selected or not isinstance(error, AbsentError):
                place = variable.declaration.place
                self.failures.append(VariableFailure(name, place, error))
            return
        if resolved is not None:
            self.done[name] = resolved

    def reading(self, variable: PlannedVariable) -> Variable | None:
        """Return a variable that is one reading as it is, as most are; None for all others.

        It is what `_Value` returns, in a fifth of the time.
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
            )
        )


class _Value:
    """One variable while it is computed: where its parts came from, what was missing."""

    def __init__(self, run: _Run, variable: PlannedVariable) -> None:
        self.run = run
        self.variable = variable
        self.origins: dict[Origin, None] = {}  # as an ordered set
        self.readings: list[Secret] = []
        self.filtered: list[str] = []
        self.missing: list[str] = []
        self.not_found: list[Operand] = []  # of what is missing: what the stores were asked for
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
            value.to_bytes()  # raises where a program could not be given it
        wrong = None
        if "\0" in text:
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
            )
        )

    def text(self) -> str | None:
        """Return the value that the template gives, None where something is `missing`."""
        template = self.variable.declaration.template
        if len(template.parts) == 1:  # as most are, and there is nothing to put together
            only = template.parts[0]
            if isinstance(only, str):
                return only
        # all of them before any is used, so that no absence hides a failure or another absence
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
        except AbsentError as error:  # a filter asks for a part that is not there
            self.missing.append(error.message)
            return None

    def value_of(self, placeholder: Placeholder) -> str | None:
        """Return the value of an operand; where there is none, None, and note what is missing."""
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
        """Raise if a missing value may be in another store: no default may replace it."""
        if self.doubt is not None:
            raise self.doubt

    def how_to_set(self) -> str:
        """Return the hint for a value that is missing; one text for all of an environment."""
        sources = {r.source for one in self.not_found for r in self.variable.references[one]}
        return how_to_set(self.run.plan.environment, sources)

    def meant(self) -> str | None:
        """Return the hint for a mistyped name: the closest one that its store has."""
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
        """Return the value from the first source that has it, or where it is missing."""
        reasons = []
        for reference in self.variable.references[operand]:
            outcome = self.run.outcomes[reference]
            if isinstance(outcome, Exception):
                raise outcome.with_traceback(None)  # one error may stand for many variables
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
        f"{message}: envkit uses no other value in its place",
        hint=f"check which store [sources.{reference.source}] and the environment name; if it is "
        "new, create its first secret with 'envkit set'",
    )


def _mismatch(declaration: Declaration, text: str) -> str | None:
    """Return why a value does not match its declaration; None if it does."""
    from envkit.profile.value_types import mismatch

    return mismatch(declaration, text)
