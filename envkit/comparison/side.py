"""A side of a comparison: one environment, as far as it could be read."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envkit.errors import VariableFailure
    from envkit.profile.declaration import Declaration
    from envkit.resolution.environment import Environment


class Side(NamedTuple):
    """One of the compared environments, as far as it could be read.

    Attributes:
        label: `prod`, `file:.env.local`, `prod@v12`.
        environment: the variables that have a value.
        declared: the profile's declaration of each variable; empty for a file or a process.
        failures: the required variables that have no value.
        secret_names: which variables are secret, with or without a value.
        belongs_to: the environment that these values are meant for; two sides of the same
            environment may share secrets. None if it is the environment of the other sides.
        assumed: whether all values are treated as secret because no profile declares them.
        left_out: the number of its variables that are not compared.
    """

    label: str
    environment: Environment
    declared: Mapping[str, Declaration] = {}
    failures: Sequence[VariableFailure] = ()
    secret_names: Collection[str] = frozenset()
    belongs_to: str | None = None
    assumed: bool = False
    left_out: int = 0

    def names(self) -> Iterable[str]:
        """Return the names of all its known variables."""
        yield from self.declared
        yield from self.environment
        for failure in self.failures:
            yield failure.name
