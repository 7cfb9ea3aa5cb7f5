"""Find the references that a profile must read, by source. Pure.

A plan covers the selected variables and the variables that they need. It has the order in which
to compute them, the references that each one needs, and which are secret. A name means
another variable of the profile or, if there is none, the profile's lookup. A variable
that names itself means the lookup.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.toposort import topological_order
from envkit.errors import InvalidReferenceError, ProfileError, ResolutionError, VariableFailure
from envkit.profile.placeholder import Name, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import TypeAlias

    from envkit.profile.declaration import Declaration
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Operand

    _Operands: TypeAlias = tuple[dict[Operand, str], dict[Operand, tuple[Reference, ...]]]


class PlannedVariable(NamedTuple):
    """One variable and the operands of its value.

    Attributes:
        variables: operand -> the other variable that it refers to.
        references: operand -> the references to try; the first with a value wins.
        secret: whether the value must be masked.
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
    """The result of `plan`.

    Attributes:
        environment: the name of the profile.
        order: the variables, each after the variables that it needs.
        selected: the requested names in order; the other variables are only dependencies.
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
        ProfileError: variables refer to each other in a cycle; the message shows it.
        ResolutionError: references name sources that the profile does not have.
    """
    wanted = tuple(selected)
    sources = profile.sources
    operands: dict[str, _Operands] = {}
    planned: dict[str, PlannedVariable] = {}
    failures: list[VariableFailure] = []
    references: dict[str, dict[Reference, None]] = {}

    def needs_of(name: str) -> Collection[str]:
        found = operands[name] = _operands(profile, profile.variables[name])
        return found[0].values()

    def circle_error(circle: list[str]) -> ProfileError:
        return ProfileError(
            f"{profile.variables[circle[-2]].place}: "
            f"variables refer to each other in a cycle: {' -> '.join(circle)}",
            hint=f"give {circle[-2]} a value without {{{{ {circle[-1]} }}}}",
        )

    for name in topological_order(wanted, needs_of, circle_error):
        declaration = profile.variables[name]
        needs, waits = operands[name]
        for refs in waits.values():
            for reference in refs:
                source = reference.source
                if source in references:
                    references[source][reference] = None
                elif source in sources:
                    references[source] = {reference: None}
                else:
                    error = _unknown_source(reference, sources)
                    failures.append(VariableFailure(name, declaration.place, error))
        secret = declaration.secret
        if secret is None:
            secret = bool(waits) or any(planned[need].secret for need in needs.values())
        planned[name] = PlannedVariable._make((declaration, needs, waits, secret))
    if failures:
        raise ResolutionError(profile.name, failures)
    return Plan(
        profile.name,
        tuple(planned.values()),
        wanted,
        {source: tuple(refs) for source, refs in references.items()},
    )


def _operands(profile: Profile, declaration: Declaration) -> _Operands:
    """Split the operands of a value into variables and references.

    Returns:
        operand -> the name of the variable, and operand -> the references to try.
    """
    needs: dict[Operand, str] = {}
    references: dict[Operand, tuple[Reference, ...]] = {}
    make = Reference._make
    for part in declaration.template.parts:
        operand = None if isinstance(part, str) else part.operand
        if isinstance(operand, Reference):
            references[operand] = (operand,)
        elif isinstance(operand, Name):
            name = operand.name
            if name != declaration.name and name in profile.variables:
                needs[operand] = name
            else:
                found: tuple[Reference, ...] = ()
                for source in profile.lookup:
                    found += (make((source, "", name, None, None)),)
                references[operand] = found
    return needs, references


def _unknown_source(reference: Reference, sources: Iterable[str]) -> InvalidReferenceError:
    from envkit._internal.suggestions import Meant, closest

    match = closest(reference.source, sources)
    return InvalidReferenceError(
        f"unknown source '{reference.source}' in {reference}",
        hint=Meant(reference.source, match)
        if match
        else f"add a table [sources.{reference.source}] with its type",
    )
