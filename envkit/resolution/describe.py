"""Describe variables: their declarations and their values."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.profile.declaration import Declaration
    from envkit.resolution.environment import Environment, Variable
    from envkit.resolution.prepare import PreparedProfile


class Described(NamedTuple):
    """One variable of an environment.

    Attributes:
        declaration: the variable's declaration in the profile.
        profile: the name of the profile.
        secret: whether the value must be masked.
        variable: the value and its provenance; None if the variable is optional and not set.
    """

    declaration: Declaration
    profile: str
    secret: bool
    variable: Variable | None

    @property
    def name(self) -> str:
        """The variable's name."""
        return self.declaration.name


class Description(NamedTuple):
    """An environment and all its variables, including those not set, in profile order."""

    environment: str
    variables: tuple[Described, ...]


def describe(prepared: Sequence[PreparedProfile], environment: Environment) -> Description:
    """Describe every variable of a resolved environment. Pure.

    Args:
        prepared: the profiles that the environment was resolved from.
        environment: the resolved values.
    """
    described = []
    for plan in (one.plan for one in prepared):
        planned = {variable.name: variable for variable in plan.order}
        described += [
            Described(
                planned[name].declaration,
                plan.environment,
                planned[name].secret,
                environment.variable(name) if name in environment else None,
            )
            for name in plan.selected
        ]
    return Description(environment.name, tuple(described))
