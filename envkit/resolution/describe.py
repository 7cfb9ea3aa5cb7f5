"""What a profile says of its variables, beside what they turned out to be."""

from __future__ import annotations

from typing import NamedTuple

from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit.profile.declaration import Declaration
    from envkit.resolution.environment import Variable
    from envkit.resolution.prepare import Prepared


class Described(NamedTuple):
    """One variable of an environment.

    Attributes:
        declaration: what the profile says of it.
        profile: the name of that profile.
        secret: whether its value must be masked.
        variable: its value and provenance; None where it is absent, and may be.
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
    """An environment and all its variables, the absent ones too, in the profile's order."""

    environment: str
    variables: tuple[Described, ...]


def describe(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    before_fetch: Callable[[Sequence[Prepared]], None] | None = None,
) -> Description:
    """Resolve an environment and describe every variable of it.

    Args:
        environments: as for `resolve`, like all that follow.
        profiles: the folder of profiles.
        only: globs of the variables wanted.
        exclude: globs of the variables left out.
        timeout_seconds: for all stores together.
        environ: the process environment.
        before_fetch: called before a store is asked.

    Raises:
        EnvkitError: as `resolve`.
    """
    prepared: list[Prepared] = []

    def begin(planned: Sequence[Prepared]) -> None:
        prepared.extend(planned)
        if before_fetch is not None:
            before_fetch(planned)

    environment = resolve(
        *environments,
        profiles=profiles,
        only=only,
        exclude=exclude,
        timeout_seconds=timeout_seconds,
        environ=environ,
        before_fetch=begin,
    )
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
