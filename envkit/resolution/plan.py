"""From a profile to the references that must be read, by source. Pure, no I/O.

A plan has, for the selected variables and those that they need: the order in which they can
be computed, the references that each one needs, and which of them are secret. A name means
another variable of the profile, or else what the profile's lookup finds; a variable that
names itself means the lookup.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.toposort import topological_order
from envkit.errors import (
    InvalidReferenceError,
    Meant,
    ProfileError,
    ResolutionError,
    VariableFailure,
    closest,
)
from envkit.profile.placeholder import Literal, Name, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.profile.declaration import Declaration
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Operand


class PlannedVariable(NamedTuple):
    """One variable and what its value waits for.

    Attributes:
        variables: operand -> the other variable that it means.
        references: operand -> the references to look at, the first that is there counts.
        secret: whether its value must be masked.
    """

    declaration: Declaration
    variables: Mapping[Operand, str]
    references: Mapping[Operand, tuple[Reference, ...]]
    secret: bool

    @property
    def name(self) -> str:
        """The variable's name."""
        return self.declaration.name


class Plan(NamedTuple):
    """What `plan` found.

    Attributes:
        environment: the profile's name.
        order: the variables, each after those that it needs.
        selected: the names that were asked for, in their order; the others are only needed.
        references: source -> its distinct references.
    """

    environment: str
    order: tuple[PlannedVariable, ...]
    selected: tuple[str, ...]
    references: Mapping[str, tuple[Reference, ...]]


def plan(profile: Profile, selected: Iterable[str]) -> Plan:
    """Plan the selected variables of a profile.

    Args:
        profile: a loaded profile.
        selected: names of its variables.

    Raises:
        ProfileError: variables need each other in a circle, which the message shows.
        ResolutionError: references name sources that the profile does not have.
    """
    wanted = tuple(selected)
    needs: dict[str, dict[Operand, str]] = {}
    planned: dict[str, PlannedVariable] = {}
    failures: list[VariableFailure] = []
    references: dict[str, dict[Reference, None]] = {}

    def needs_of(name: str) -> Iterable[str]:
        needs[name] = _needs(profile, profile.variables[name])
        return needs[name].values()

    def circle_error(circle: list[str]) -> ProfileError:
        return ProfileError(
            f"{profile.variables[circle[-2]].place}: "
            f"variables need each other in a circle: {' -> '.join(circle)}"
        )

    for name in topological_order(wanted, needs_of, circle_error):
        declaration = profile.variables[name]
        waits = _references(profile, declaration, needs[name])
        for reference in (ref for refs in waits.values() for ref in refs):
            if reference.source in profile.sources:
                references.setdefault(reference.source, {})[reference] = None
            else:
                error = _unknown_source(reference, profile.sources)
                failures.append(VariableFailure(name, declaration.place, error))
        secret = declaration.secret
        if secret is None:
            secret = bool(waits) or any(planned[need].secret for need in needs[name].values())
        planned[name] = PlannedVariable(declaration, needs[name], waits, secret)
    if failures:
        raise ResolutionError(profile.name, failures)
    return Plan(
        profile.name,
        tuple(planned.values()),
        wanted,
        {source: tuple(refs) for source, refs in references.items()},
    )


def _needs(profile: Profile, declaration: Declaration) -> dict[Operand, str]:
    """Return the operands of a value that mean another variable."""
    return {
        placeholder.operand: placeholder.operand.name
        for placeholder in declaration.template.placeholders
        if isinstance(placeholder.operand, Name)
        and placeholder.operand.name in profile.variables
        and placeholder.operand.name != declaration.name
    }


def _references(
    profile: Profile, declaration: Declaration, needs: Mapping[Operand, str]
) -> dict[Operand, tuple[Reference, ...]]:
    """Return the operands of a value that a source must answer, with where to look."""
    found: dict[Operand, tuple[Reference, ...]] = {}
    for operand in (placeholder.operand for placeholder in declaration.template.placeholders):
        if isinstance(operand, Literal) or operand in needs:
            continue
        if isinstance(operand, Reference):
            found[operand] = (operand,)
        else:
            found[operand] = tuple(Reference(source, "", operand.name) for source in profile.lookup)
    return found


def _unknown_source(reference: Reference, sources: Iterable[str]) -> InvalidReferenceError:
    match = closest(reference.source, sources)
    return InvalidReferenceError(
        f"unknown source '{reference.source}' in {reference}",
        hint=Meant(reference.source, match)
        if match
        else f"add a table [sources.{reference.source}] with its type",
    )
