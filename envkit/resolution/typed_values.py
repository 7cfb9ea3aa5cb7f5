"""Convert variables to Python values by their types: `env.int("WORKERS")`. Pure.

No value is part of an error, and no function that raises one has a value in a local variable:
debug pages and error trackers show local variables.
"""

from __future__ import annotations

from envkit.errors import WrongTypeError
from envkit.profile.value_types import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum
    from typing import Any, TypeVar

    from envkit.profile.declaration import Declaration
    from envkit.secret import Secret

    E = TypeVar("E", bound=Enum)
    T = TypeVar("T")

_UNTYPED = frozenset(("string", "enum"))  # any text is valid for these
# requested type -> other types of the profile whose values it includes
_INCLUDES = {
    "int": ("port",),
    "port": ("int",),
    "float": ("int", "port"),
    "duration": ("int", "float"),
    "list": ("json",),
}
_STRICT: dict[object, str] = {int: "int", float: "float", bool: "bool"}  # bool("no") is True


def refuse_other_type(declaration: Declaration, asked: str) -> None:
    """Check that a program requests a variable as the type that the profile declares.

    Args:
        declaration: the variable's declaration in the profile.
        asked: the name of a method of `TypedReader`.

    Raises:
        WrongTypeError: the types differ; the message names both.
    """
    declared = declaration.type
    if declared in _UNTYPED or asked in ("str", declared) or declared in _INCLUDES.get(asked, ()):
        return
    own = sorted(kind for kind, others in _INCLUDES.items() if declared in others)
    calls = " or ".join(f"env.{kind}({declaration.name!r})" for kind in (declared, *own))
    raise WrongTypeError(
        f"{declaration.name} ({declaration.place}) has the type {declared!r} in the profile, and "
        f"the program reads it as {asked!r}",
        hint=f"call {calls}, or change its 'type' in the profile",
    )


def read(
    secret: Secret,
    declared: str,
    asked: str,
    convert: Callable[[str], object] | None = None,
) -> tuple[Any, str]:
    """Convert a value to a Python value, or return why that is not possible.

    Args:
        secret: the text to convert.
        declared: the type in the profile; default: `string`.
        asked: the name of a method of `TypedReader`.
        convert: `member(...)` or `items(...)`, if the method needs one.

    Returns:
        the Python value and an empty text; if the text does not match the type, None and the end
        of a sentence that begins with `it`.
    """
    if asked == "list" and declared == "json":
        _, wrong = _converted(secret, _json_array)
        if wrong:
            return None, wrong
    return _converted(secret, convert or _as(asked))


def member(kind: type[E]) -> Callable[[str], E]:
    """Return a function that finds the member of an `Enum` by value or name."""

    def convert(text: str) -> E:
        for one in kind:
            if str(one.value) == text:
                return one
        if text in kind.__members__:
            return kind[text]
        known = ", ".join(str(one.value) for one in kind)
        raise _MisfitError(f"is not a member of {kind.__name__} ({known})")

    return convert


def items(subcast: Callable[[str], T] | None) -> Callable[[str], list[T] | list[str]]:
    """Return a function that parses comma-separated items or a JSON array."""
    if subcast is None:
        return _split
    convert = _as(_STRICT[subcast]) if subcast in _STRICT else subcast

    def converted(text: str) -> list[T]:
        made: list[T] = []
        for number, item in enumerate(_split(text), 1):
            try:
                made.append(convert(item))
            except _MisfitError as error:
                raise _MisfitError(f"has an item {number} that {error}") from None
            except Exception as error:  # noqa: BLE001 - a program's own subcast raises anything
                kind = type(error).__name__
                raise _MisfitError(f"has an item {number} that subcast refuses ({kind})") from None
        return made

    return converted


class _MisfitError(Exception):
    """A text does not match a type; the message is the end of a sentence, without the text."""


def _converted(secret: Secret, convert: Callable[[str], object]) -> tuple[object, str]:
    """Return the value and an empty text, or None and the reason."""
    try:
        return convert(secret.reveal()), ""
    except _MisfitError as error:
        return None, str(error)


def _as(kind: str) -> Callable[[str], Any]:
    """Return a function that converts a text of a profile type to a Python value."""

    def convert(text: str) -> Any:
        try:
            return _python(kind, parse(kind, text))
        except OverflowError:  # more days than a timedelta allows
            raise _MisfitError("is too long a duration") from None
        except ValueError as error:
            raise _MisfitError(str(error)) from None

    return convert


def _python(kind: str, value: Any) -> Any:
    """Return the standard library's type for a value if `parse` returns a simpler one."""
    if kind == "url":
        from urllib.parse import urlparse

        return urlparse(value)
    if kind == "duration":
        from datetime import timedelta

        return timedelta(seconds=value)
    if kind == "path":
        from pathlib import Path

        return Path(value)
    return value


def _split(text: str) -> list[str]:
    array = _array(text)
    if array is None:
        array = [item.strip() for item in text.split(",")]
    return [item for item in array if item]


def _array(text: str) -> list[str] | None:
    """Return the items of a JSON array as texts; None if the text is not a JSON array."""
    if text.strip()[:1] != "[":
        return None
    from envkit._internal.json_text import dumps, loads

    try:
        array = loads(text)
    except (ValueError, RecursionError):  # for example `[::1]:80,[::2]:80`
        return None
    return [item if isinstance(item, str) else dumps(item) for item in array]  # type: ignore[attr-defined]


def _json_array(text: str) -> list[str]:
    array = _array(text)
    if array is None:
        raise _MisfitError("is not a JSON array")
    return array
