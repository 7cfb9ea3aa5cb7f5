"""Find secrets that environments share although each should have its own."""

from __future__ import annotations

from envkit.checks.problem import Problem, listed
from envkit.comparison.reuse import find_reused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.checks.inspection import Inspection
    from envkit.comparison.model import Place
    from envkit.resolution.environment import Variable


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield each secret that is used in two environments, under one name or several."""
    sides = {answer.side.label: answer.side for answer in inspection.answers}
    found = find_reused(list(sides.values()))
    distinct = dict.fromkeys(finding.places for findings in found.values() for finding in findings)
    for places in distinct:
        first = places[0]
        hint = f"give {first.environment} its own {first.part or 'value'}"
        variable = sides[first.environment].environment.variable(first.name)
        if (changed := _what_to_set(variable, first.part)) is not None:
            hint += f": envkit set {changed} --env {first.environment}"
        problem = Problem(
            "reused",
            _sentence(places),
            hint=hint,
            environments=tuple(dict.fromkeys(place.environment for place in places)),
            variables=tuple(dict.fromkeys(place.name for place in places)),
        )
        location = variable.location
        yield problem if location is None else problem.at(location)


def _what_to_set(variable: Variable, part: str) -> str | None:
    """Return what `envkit set` takes to change a value or its part; None if that is not clear."""
    if not part:
        return variable.name
    if len(variable.origins) != 1 or variable.origins[0].reference.startswith("env:"):
        return None
    return f"--ref '{variable.origins[0].reference}'"


def _sentence(places: Sequence[Place]) -> str:
    environments_of: dict[str, list[str]] = {}
    for place in places:
        what = f"the {place.part} of {place.name}" if place.part else place.name
        environments_of.setdefault(what, []).append(place.environment)
    if len(environments_of) == 1:
        [(what, environments)] = environments_of.items()
        return f"{what} is the same secret in {listed(environments)}"
    parts = (f"{what} in {listed(environments)}" for what, environments in environments_of.items())
    return f"the same secret is {listed(parts)}"
