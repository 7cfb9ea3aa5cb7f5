"""Put an environment together from what the stores said. Pure.

Every variable either has a value, or is absent and may be, or is a failure that
names it; a failure is never hidden by a fallback or a default.
"""

from __future__ import annotations

from envkit.environment import Origin, Variable
from envkit.errors import (
    AbsentError,
    EnvkitError,
    InvalidValueError,
    NeedFailedError,
    VariableFailure,
)
from envkit.placeholder import substitute
from envkit.secret import Secret
from envkit.sources.base import Reading
from envkit.validate import problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.placeholder import Placeholder, Reference
    from envkit.plan import Plan, PlannedVariable
    from envkit.sources.base import Outcome


def evaluate(
    plan: Plan, outcomes: Mapping[Reference, Outcome], locate: Callable[[Reference], str]
) -> tuple[dict[str, Variable], list[VariableFailure]]:
    """Return the selected variables of a plan, and why others have no value.

    Args:
        plan: says in which order.
        outcomes: per reference of the plan, what its source said.
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
        self.outcomes = outcomes
        self.locate = locate
        self.done: dict[str, Variable] = {}
        self.failed: dict[str, EnvkitError] = {}
        self.failures: list[VariableFailure] = []

    def add(self, variable: PlannedVariable) -> None:
        value = _Value(self, variable)
        try:
            resolved = value.resolve()
        except EnvkitError as error:
            self.failed[variable.name] = error
            # what is only needed may be absent where the one that needs it has a fallback
            if variable.name in self.plan.selected or not isinstance(error, AbsentError):
                place = str(variable.declaration.location)
                self.failures.append(VariableFailure(variable.name, place, error))
            return
        if resolved is not None:
            self.done[variable.name] = resolved


class _Value:
    """One variable on its way: where its parts came from, what was missing."""

    def __init__(self, run: _Run, variable: PlannedVariable) -> None:
        self.run = run
        self.variable = variable
        self.origins: list[Origin] = []
        self.missing: list[str] = []
        self.note = ""

    def resolve(self) -> Variable | None:
        """Return the variable, None where it is absent and may be."""
        declaration = self.variable.declaration
        try:
            text = substitute(declaration.template, self.value_of)
        except AbsentError as error:
            if declaration.default is None and not declaration.required:
                return None
            if declaration.default is None:
                raise AbsentError(
                    ", ".join(dict.fromkeys(self.missing)) or error.message,
                    hint="set it in the store, give it a 'default', or say 'required = false'",
                ) from None
            text, self.note, self.origins = declaration.default, "default", []
        wrong = "contains a NUL" if "\0" in text else problem(declaration, text)
        if wrong is not None:
            raise InvalidValueError(
                wrong, hint=f"mend the value, or what {declaration.location} asks of it"
            )
        return Variable(
            declaration.name,
            Secret(text),
            self.variable.secret,
            self.run.plan.environment,
            declaration.location,
            tuple(dict.fromkeys(self.origins)),
            self.note,
        )

    def value_of(self, placeholder: Placeholder) -> str | None:
        operand = placeholder.operand
        need = self.variable.variables.get(operand)
        value = self.other(need) if need is not None else self.read(operand)
        if value is None and placeholder.fallback is not None:
            self.note = "fallback"
        return value

    def other(self, name: str) -> str | None:
        cause = self.run.failed.get(name)
        if cause is not None and not isinstance(cause, AbsentError):
            raise NeedFailedError(name, cause)
        found = self.run.done.get(name)
        if found is None:
            self.missing.append(f"{name} is absent")
            return None
        self.origins.extend(found.origins)
        return found.value.reveal()

    def read(self, operand: object) -> str | None:
        for reference in self.variable.references[operand]:  # type: ignore[index]
            outcome = self.run.outcomes[reference]
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Reading):
                self.origins.append(Origin(str(reference), outcome.location, outcome.version))
                return outcome.value.reveal()
            reason = f": {outcome.reason}" if outcome.reason else ""
            self.missing.append(f"{self.run.locate(reference)} is absent{reason}")
        return None
