"""An environment: the variables of a profile with their values and origins."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from envkit.profile.location import Location
    from envkit.secret import Secret
else:
    from _collections_abc import Mapping  # which `os` has loaded; `collections` costs 1 ms


class Origin(NamedTuple):
    """One reading that a value was made from."""

    reference: str  # as the profile writes it: `vault:db#password`
    location: str  # in full: `vault:secret/myapp/prod/db#password`
    version: str | None


class Variable(NamedTuple):
    """One resolved variable.

    Attributes:
        secret: whether it must be masked.
        profile: the name of the profile that gave it.
        location: where it is written; None for one that came from `--set`.
        origins: the readings it was made from; empty for a literal.
        note: `default` or `fallback` where the stores did not have it, `--set`, or empty.
        readings: the texts that the sources gave for it, and what filters made of them.
    """

    name: str
    value: Secret
    secret: bool
    profile: str
    location: Location | None
    origins: tuple[Origin, ...] = ()
    note: str = ""
    readings: tuple[Secret, ...] = ()


class Environment(Mapping[str, "Secret"]):
    """The resolved variables of one environment, in the order of the profile.

    A mapping from names to `Secret`s; `variable(name)` tells where one came from.
    `bootstrap` are the names of variables that only envkit itself needed.
    """

    __slots__ = ("_variables", "bootstrap", "name")

    def __init__(
        self, name: str, variables: Iterable[Variable], *, bootstrap: Collection[str] = ()
    ) -> None:
        self.name = name
        self.bootstrap = frozenset(bootstrap)
        self._variables = {variable.name: variable for variable in variables}

    def __getitem__(self, name: str) -> Secret:
        return self._variables[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {len(self)} variables)"

    def variable(self, name: str) -> Variable:
        """Return the variable with its provenance.

        Raises:
            KeyError: there is none of that name.
        """
        return self._variables[name]

    def variables(self) -> Iterable[Variable]:
        """Return all variables with their provenance."""
        return self._variables.values()

    def secret_names(self) -> frozenset[str]:
        """Return the names of the variables that must be masked."""
        return frozenset(v.name for v in self._variables.values() if v.secret)
