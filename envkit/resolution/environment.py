"""An environment: the variables of a profile with their values and origins."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from enum import Enum
    from pathlib import Path
    from typing import Any, TypeVar
    from urllib.parse import ParseResult

    from envkit.errors import InvalidValueError, NoSuchVariableError
    from envkit.profile.declaration import Declaration
    from envkit.profile.location import Location
    from envkit.resolution.plan import Plan
    from envkit.secret import Secret

    D = TypeVar("D")
    T = TypeVar("T")
    E = TypeVar("E", bound=Enum)
else:
    from _collections_abc import Mapping  # `os` has loaded it already; `collections` costs 1 ms

REQUIRED: Any = object()  # marks a call without a default


class Origin(NamedTuple):
    """One store value that a variable was computed from.

    Attributes:
        reference: the reference as the profile writes it: `vault:db#password`.
        location: the full location: `vault:secret/myapp/db#password`.
        version: the store's own id of the version; None if the store has no versions.
    """

    reference: str
    location: str
    version: str | None


class Variable(NamedTuple):
    """One resolved variable.

    Attributes:
        name: the name of the variable.
        value: the value; call `reveal()` for the text.
        secret: whether the value must be masked.
        profile: the name of the profile that defines the value.
        location: where the value is written; None if it came from `--set`.
        origins: the store values that it was computed from; empty for a literal.
        note: `default` or `fallback` if the stores did not have the value, `--set`, or empty.
        readings: the strings that the sources returned, and the results of filters on them.
        file_mode: the mode of the file that an app gets the value in; None if it gets the value
            in the variable itself.
    """

    name: str
    value: Secret
    secret: bool
    profile: str
    location: Location | None
    origins: tuple[Origin, ...] = ()
    note: str = ""
    readings: tuple[Secret, ...] = ()
    file_mode: int | None = None


class TypedReader:
    """Reads variables as Python values: `env.int("WORKERS")`, `env.bool("DEBUG", default=False)`.

    There is a method for each type in a profile. A variable with a declared type can be read as
    that type, as a type that includes it (a `port` as an `int`, an `int` as a `float`) or as
    `str`. A variable without a type, or with choices, can be read as any type that its text fits.

    Every method takes the name and a default. It returns the default unchanged if the variable is
    not set. It raises

    - `NoSuchVariableError`: the variable is not set, and there is no default;
    - `WrongTypeError`: the profile declares another type, even if the variable is not set;
    - `InvalidValueError`: the text is not of that type. The message does not show it.
    """

    __slots__ = ()

    def _read(
        self,
        name: builtins.str,
        kind: builtins.str,
        default: object,
        convert: Callable[[builtins.str], object] | None = None,
    ) -> Any:
        raise NotImplementedError

    @overload
    def str(self, name: builtins.str) -> builtins.str: ...
    @overload
    def str(self, name: builtins.str, default: D) -> builtins.str | D: ...
    def str(self, name: builtins.str, default: D = REQUIRED) -> builtins.str | D:
        """Return the value as text, whatever its type."""
        return self._read(name, "str", default)  # type: ignore[no-any-return]

    @overload
    def int(self, name: builtins.str) -> builtins.int: ...
    @overload
    def int(self, name: builtins.str, default: D) -> builtins.int | D: ...
    def int(self, name: builtins.str, default: D = REQUIRED) -> builtins.int | D:
        """Return a whole number."""
        return self._read(name, "int", default)  # type: ignore[no-any-return]

    @overload
    def float(self, name: builtins.str) -> builtins.float: ...
    @overload
    def float(self, name: builtins.str, default: D) -> builtins.float | D: ...
    def float(self, name: builtins.str, default: D = REQUIRED) -> builtins.float | D:
        """Return a number as a float."""
        return self._read(name, "float", default)  # type: ignore[no-any-return]

    @overload
    def bool(self, name: builtins.str) -> builtins.bool: ...
    @overload
    def bool(self, name: builtins.str, default: D) -> builtins.bool | D: ...
    def bool(self, name: builtins.str, default: D = REQUIRED) -> builtins.bool | D:
        """Return a bool: True for true, 1, yes and on; False for false, 0, no and off."""
        return self._read(name, "bool", default)  # type: ignore[no-any-return]

    @overload
    def url(self, name: builtins.str) -> ParseResult: ...
    @overload
    def url(self, name: builtins.str, default: D) -> ParseResult | D: ...
    def url(self, name: builtins.str, default: D = REQUIRED) -> ParseResult | D:
        """Return the parts of a URL, as `urllib.parse.urlparse` does."""
        return self._read(name, "url", default)  # type: ignore[no-any-return]

    @overload
    def port(self, name: builtins.str) -> builtins.int: ...
    @overload
    def port(self, name: builtins.str, default: D) -> builtins.int | D: ...
    def port(self, name: builtins.str, default: D = REQUIRED) -> builtins.int | D:
        """Return a port, 1 to 65535."""
        return self._read(name, "port", default)  # type: ignore[no-any-return]

    @overload
    def email(self, name: builtins.str) -> builtins.str: ...
    @overload
    def email(self, name: builtins.str, default: D) -> builtins.str | D: ...
    def email(self, name: builtins.str, default: D = REQUIRED) -> builtins.str | D:
        """Return an e-mail address."""
        return self._read(name, "email", default)  # type: ignore[no-any-return]

    @overload
    def duration(self, name: builtins.str) -> timedelta: ...
    @overload
    def duration(self, name: builtins.str, default: D) -> timedelta | D: ...
    def duration(self, name: builtins.str, default: D = REQUIRED) -> timedelta | D:
        """Return a duration as a `timedelta`: `90` (seconds), `1h30m`, `250ms`."""
        return self._read(name, "duration", default)  # type: ignore[no-any-return]

    @overload
    def base64(self, name: builtins.str) -> builtins.bytes: ...
    @overload
    def base64(self, name: builtins.str, default: D) -> builtins.bytes | D: ...
    def base64(self, name: builtins.str, default: D = REQUIRED) -> builtins.bytes | D:
        """Return the bytes of a base64 value."""
        return self._read(name, "base64", default)  # type: ignore[no-any-return]

    @overload
    def path(self, name: builtins.str) -> Path: ...
    @overload
    def path(self, name: builtins.str, default: D) -> Path | D: ...
    def path(self, name: builtins.str, default: D = REQUIRED) -> Path | D:
        """Return a path as a `pathlib.Path`; the file need not exist."""
        return self._read(name, "path", default)  # type: ignore[no-any-return]

    def json(self, name: builtins.str, default: Any = REQUIRED) -> Any:
        """Return a parsed JSON value: a dict, list, str, int, float, bool or None."""
        return self._read(name, "json", default)

    @overload
    def enum(self, name: builtins.str, kind: type[E]) -> E: ...
    @overload
    def enum(self, name: builtins.str, kind: type[E], default: D) -> E | D: ...
    def enum(self, name: builtins.str, kind: type[E], default: D = REQUIRED) -> E | D:
        """Return the member of an `Enum` with this value or, if there is none, this name."""
        from envkit.resolution.typed_values import member

        return self._read(name, "enum", default, member(kind))  # type: ignore[no-any-return]

    @overload
    def list(self, name: builtins.str) -> builtins.list[builtins.str]: ...
    @overload
    def list(
        self, name: builtins.str, *, subcast: Callable[[builtins.str], T]
    ) -> builtins.list[T]: ...
    @overload
    def list(self, name: builtins.str, default: D) -> builtins.list[builtins.str] | D: ...
    @overload
    def list(
        self, name: builtins.str, default: D, *, subcast: Callable[[builtins.str], T]
    ) -> builtins.list[T] | D: ...
    def list(
        self,
        name: builtins.str,
        default: object = REQUIRED,
        *,
        subcast: Callable[[builtins.str], Any] | None = None,
    ) -> Any:
        """Return the items of a comma-separated text or a JSON array, without empty items.

        Args:
            name: the name of the variable.
            default: returned unchanged if the variable is not set.
            subcast: converts the text of each item, for example `int`.
        """
        from envkit.resolution.typed_values import items

        return self._read(name, "list", default, items(subcast))


class Environment(TypedReader, Mapping[str, "Secret"]):
    """The resolved variables of one environment, in the order of the profile.

    It maps names to `Secret`s. `int(name)`, `bool(name)` and so on return Python values;
    `variable(name)` returns the provenance. `bootstrap` has the names of variables that only envkit
    itself needs. `stale_seconds` is the age of the values, if a store is unavailable and values
    that were saved before were used; else None.
    """

    __slots__ = ("_declared", "_plans", "_variables", "bootstrap", "name", "stale_seconds")

    def __init__(
        self,
        name: str,
        variables: Iterable[Variable],
        *,
        bootstrap: Collection[str] = (),
        plans: Sequence[Plan] = (),
        stale_seconds: float | None = None,
    ) -> None:
        self.name = name
        self.bootstrap = frozenset(bootstrap)
        self._variables = {variable.name: variable for variable in variables}
        self.stale_seconds = stale_seconds
        self._plans = tuple(plans)
        self._declared: dict[str, Declaration] | None = None  # created on first use

    def __getitem__(self, name: str) -> Secret:
        return self.variable(name).value

    def __contains__(self, name: object) -> bool:
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {len(self)} variables)"

    if not TYPE_CHECKING:  # Mapping declares the types

        def get(self, name: str, default: Any = None) -> Any:
            """Return the value of a variable, or `default`."""
            found = self._variables.get(name)
            return default if found is None else found.value

    def variable(self, name: str) -> Variable:
        """Return a variable with its provenance.

        Raises:
            NoSuchVariableError: there is no such variable; also a KeyError.
        """
        found = self._variables.get(name)
        if found is None:
            raise self._missing(name)
        return found

    def variables(self) -> Iterable[Variable]:
        """Return all variables with their provenance."""
        return self._variables.values()

    def secret_names(self) -> frozenset[str]:
        """Return the names of the variables whose values must be masked."""
        return frozenset(v.name for v in self._variables.values() if v.secret)

    def refuse_unknown(self, name: str) -> None:
        """Raise `NoSuchVariableError` if the profile has no such variable, set or not."""
        if name not in self._variables and self._declaration(name) is None:
            raise self._missing(name)

    def _read(
        self,
        name: str,
        kind: str,
        default: object,
        convert: Callable[[str], object] | None = None,
    ) -> Any:
        from envkit.resolution.typed_values import read, refuse_other_type

        declaration = self._declaration(name)
        if declaration is not None:
            refuse_other_type(declaration, kind)
        found = self._variables.get(name)
        if found is not None:
            declared = "string" if declaration is None else declaration.type
            value, wrong = read(found.value, declared, kind, convert)
            if wrong:
                raise self._unreadable(found, kind, wrong)
            return value
        if default is REQUIRED:
            raise self._missing(name)
        return default

    def _declaration(self, name: str) -> Declaration | None:
        """Return the declaration of a variable, even if it is not set; None if undeclared."""
        if self._declared is None:
            self._declared = {
                one.name: one.declaration
                for plan in self._plans
                for selected in [frozenset(plan.selected)]
                for one in plan.order
                if one.name in selected
            }
        return self._declared.get(name)

    def _unreadable(self, variable: Variable, kind: str, wrong: str) -> InvalidValueError:
        from envkit.errors import InvalidValueError

        place = "--set" if variable.location is None else str(variable.location)
        origins = ", ".join(origin.location for origin in variable.origins)
        return InvalidValueError(
            f"cannot read {variable.name} ({place}) of {self.name} as {kind!r}: it {wrong}",
            hint=f"fix the value in {origins or place}, or read it as another type",
        )

    def _missing(self, name: str) -> NoSuchVariableError:
        from envkit.errors import NoSuchVariableError

        declaration = self._declaration(name)
        if declaration is not None:
            return NoSuchVariableError(
                f"{name} is not set in {self.name}, which {declaration.place} allows",
                hint="set it in its store, or pass a default",
            )
        known = {*self._variables, *(self._declared or ())}
        from envkit._internal.suggestions import did_you_mean

        return NoSuchVariableError(
            f"no variable {name!r} in {self.name}", hint=did_you_mean(str(name), known)
        )
