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
    """One of the environments that are compared, as far as it could be read.

    Attributes:
        label: `prod`, `file:.env.local`, `prod@v12`.
        environment: the variables that have a value.
        declared: what its profile says of each variable; empty for a file or a process.
        failures: the variables that have no value and must have one.
        secret_names: which variables are secret, with or without a value.
        belongs_to: the environment that these values are meant for; two sides of the same
            one may share secrets. None where it is that of the other sides.
        assumed: whether all values count as secret only because no profile says which are.
        left_out: how many variables it has beside those that are compared.
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
        """Return the names of all variables that are known of it."""
        yield from self.declared
        yield from self.environment
        for failure in self.failures:
            yield failure.name
