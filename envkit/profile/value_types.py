"""Parse a value as one of a profile's types and check it against its declaration. Pure.

Errors describe the expected value and never the actual one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envkit.profile.declaration import Declaration

_NUMBERS = frozenset(("int", "float", "port", "duration"))  # bounded by size, not length
_TRUE = frozenset(("true", "1", "yes", "on"))
_FALSE = frozenset(("false", "0", "no", "off"))
_WEB = frozenset(("http", "https", "ws", "wss", "ftp", "ftps"))  # need a host
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def mismatch(declaration: Declaration, value: str) -> str | None:
    """Return why a value does not match its declaration; None if it matches.

    `min` and `max` bound the number of an int, float or port, the seconds of a duration, and the
    length in characters of all other types.
    """
    kind = declaration.type
    if kind != "string" or declaration.minimum is not None or declaration.maximum is not None:
        try:
            parsed = parse(kind, value)
        except ValueError as error:
            return str(error)
        size = parsed if kind in _NUMBERS else len(value)
        low, high = declaration.minimum, declaration.maximum
        if low is not None and size < low:
            return f"is below the minimum of {low}{_unit(kind)}"
        if high is not None and size > high:
            return f"is above the maximum of {high}{_unit(kind)}"
    if declaration.choices and value not in declaration.choices:
        return f"is not one of the choices: {', '.join(declaration.choices)}"
    if declaration.pattern is not None:
        return _pattern_mismatch(declaration.pattern, value)
    return None


def parse(kind: str, value: str) -> Any:
    """Return a value as the Python value of its type.

    Args:
        kind: one of TYPES.
        value: the text to parse.

    Returns:
        an int, a float or a bool; parsed JSON; decoded base64 as bytes; a duration in seconds;
        the text itself for every other type.

    Raises:
        ValueError: the text is not of that type; the message describes what is expected.
    """
    read = _READERS.get(kind)
    if read is None:
        return value
    try:
        return read(value)
    except (ValueError, RecursionError, OverflowError):
        wanted = f"is not {_WANTED[kind]}"
    raise ValueError(wanted)  # not in the handler: the caught error may quote the value


def _pattern_mismatch(pattern: str, value: str) -> str | None:
    from envkit.profile.pattern import MATCH_SECONDS, MatchTimeoutError, matches

    try:
        return None if matches(pattern, value) else f"does not match the pattern {pattern}"
    except MatchTimeoutError:
        return (
            f"cannot be matched against the pattern {pattern} within {MATCH_SECONDS:g} s: "
            "rewrite it without nested repeats"
        )


def duration_seconds(text: str) -> float:
    """Return the seconds in `90`, `1.5h`, `1h30m` or `250ms`.

    Raises:
        ValueError: `text` is not a duration.
    """
    import re

    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw])", text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("not a duration")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _unit(kind: str) -> str:
    if kind == "duration":
        return " s"
    return "" if kind in _NUMBERS else " characters"


def _int(value: str) -> int:
    if not value.removeprefix("-").removeprefix("+").isdecimal() or not value.isascii():
        raise ValueError
    return int(value)


def _float(value: str) -> float:
    import math

    number = float(value)
    plain = value.isascii() and value == value.strip() and "_" not in value
    if not plain or not math.isfinite(number):
        raise ValueError
    return number


def _port(value: str) -> int:
    number = _int(value)
    if not 1 <= number <= 65535 or not value[0].isdigit():
        raise ValueError
    return number


def _bool(value: str) -> bool:
    lowered = value.lower()
    if lowered not in _TRUE and lowered not in _FALSE:
        raise ValueError
    return lowered in _TRUE


def _url(value: str) -> str:
    from urllib.parse import urlsplit

    scheme, separator, _ = value.partition(":" if value.startswith("jdbc:") else "://")
    parts = urlsplit(value)
    if (
        not scheme
        or not separator
        or parts.scheme != scheme.lower()
        or any(c <= " " for c in value)
    ):
        raise ValueError
    for host in parts.netloc.rpartition("@")[2].split(","):  # PostgreSQL and MongoDB accept several
        one = urlsplit(f"//{host}")
        _ = one.port  # raises if it is not a number
        if scheme.lower() in _WEB and not one.hostname:
            raise ValueError
    return value


def _email(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not local or "@" in local or not all(domain.split(".")) or any(c <= " " for c in value):
        raise ValueError
    return value


def _json(value: str) -> Any:
    import json

    def refuse(_: str) -> None:
        raise ValueError  # NaN and Infinity are JavaScript, not JSON

    def number(text: str) -> float:
        found = float(text)
        if found - found != 0:  # 1e999 is valid JSON but overflows in Python
            raise ValueError
        return found

    return json.loads(value, parse_constant=refuse, parse_float=number)


def _base64(value: str) -> bytes:
    from base64 import b64decode

    return b64decode(value.replace("-", "+").replace("_", "/"), validate=True)


def _path(value: str) -> str:
    if not value:
        raise ValueError
    return value


_READERS: dict[str, Callable[[str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "url": _url,
    "port": _port,
    "email": _email,
    "json": _json,
    "duration": duration_seconds,
    "base64": _base64,
    "path": _path,
}
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "a truth value (true, false, 1, 0, yes, no, on, off)",
    "url": "a URL",
    "port": "a port (1 to 65535)",
    "email": "an e-mail address",
    "json": "JSON",
    "duration": "a duration (30s, 1h30m)",
    "base64": "base64",
    "path": "a path",
}
