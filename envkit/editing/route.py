"""Find where a variable's value is stored, as far as the profile shows it. Pure.

A value is stored where its only placeholder points, or as a literal in the profile. A value with
several parts has no single place; each of its parts has one.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.errors import UnchangeableError
from envkit.profile.placeholder import Literal
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.profile.declaration import Declaration
    from envkit.profile.location import Location
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.plan import Plan, PlannedVariable


class Route(NamedTuple):
    """The way to a value.

    Attributes:
        declarations: the variable's own, and those of the variables that refer to the same value.
        literal: where a literal is written; None for a value in a store.
        references: where to look in stores; the first one with a value counts.
    """

    declarations: tuple[Declaration, ...]
    literal: Location | None
    references: tuple[Reference, ...] = ()


def route(name: str, profile: Profile, plan: Plan, *, follow: bool) -> Route:
    """Return where the value of a variable is stored.

    Args:
        name: the variable.
        profile: the profile of the variable.
        plan: the plan of the profile, which contains the variable.
        follow: whether to follow a variable that refers to another one to the other's place.

    Raises:
        UnchangeableError: the value has no single place.
    """
    variable = next(one for one in plan.order if one.name == name)
    declaration = variable.declaration
    parts = declaration.template.parts
    if not declaration.template.placeholders:
        if declaration.location.path != profile.path:
            raise UnchangeableError(
                f"{name} is set in {declaration.location}, which {profile.name} extends",
                hint=f"set it in {display_path(profile.path)}, where it applies to {profile.name} "
                "only",
            )
        return Route((declaration,), declaration.location)
    first = declaration.template.placeholders[0]
    if len(parts) > 1 or first.filters or isinstance(first.operand, Literal):
        raise _composed(variable, profile)
    other = variable.variables.get(first.operand)
    if other is None:
        for reference in variable.references[first.operand]:
            refuse_unwritable(name, reference)
        return Route((declaration,), None, variable.references[first.operand])
    if not follow:
        raise UnchangeableError(f"{name} has the value of {other}", hint=f"change {other}")
    rest = route(other, profile, plan, follow=True)
    return rest._replace(declarations=(declaration, *rest.declarations))


def refuse_unwritable(name: str, reference: Reference) -> None:
    """Refuse a reference that no source can write.

    Args:
        name: the variable, for messages.
        reference: where the value is stored.

    Raises:
        UnchangeableError: the reference is a pinned version, or a whole secret.
    """
    if reference.version is not None or reference.stage is not None:
        raise UnchangeableError(
            f"{name} is pinned to one version: {reference}",
            hint="remove the '?' and everything after it",
        )
    if reference.field == WHOLE:
        raise UnchangeableError(
            f"{name} is a whole secret: {reference}",
            hint=f"change one field: --ref '{reference._replace(field='FIELD')}'",
        )


def _composed(variable: PlannedVariable, profile: Profile) -> UnchangeableError:
    commands = []
    for placeholder in variable.declaration.template.placeholders:
        other = variable.variables.get(placeholder.operand)
        references = variable.references.get(placeholder.operand, ())
        if other is not None:
            commands.append(f"envkit set {other} --env {profile.name}")
        elif references:
            commands.append(f"envkit set --ref '{references[0]}' --env {profile.name}")
    parts = ", or ".join(dict.fromkeys(commands))
    return UnchangeableError(
        f"{variable.name} is composed of several parts ({variable.declaration.place})",
        hint=f"change a part of it: {parts}" if parts else f"edit {variable.declaration.place}",
    )
