"""Further settings of the Vault CLI in its environment: a proxy and rate limits.

Imported only if one of these variables is set. Guarantee: no message contains the password
of a proxy.

Reference: https://openbao.org/docs/commands/#environment-variables
"""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit._internal.names import odd_character
from envkit.errors import InvalidSettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?::(\d+))?", re.ASCII)
_DIGITS = 9  # more digits are a mistake, and would overflow


class Given(NamedTuple):
    """A text and the variable that contains it: `VAULT_RATE_LIMIT`."""

    variable: str
    text: str


class Limits(NamedTuple):
    """The fields of an `Address` that these variables set."""

    proxy: str
    timeout_seconds: float | None
    attempts: int | None
    per_second: float | None
    burst: int | None


def limits(given: Mapping[str, Given]) -> Limits:
    """Return the proxy and limits from the environment.

    Args:
        given: the variables that are not empty, by name without prefix.

    Raises:
        InvalidSettingError: a variable is not valid.
    """
    none = Given("", "")
    per_second, burst = _rate(given.get("RATE_LIMIT", none))
    return Limits(
        _proxy(given.get("PROXY_ADDR") or given.get("HTTP_PROXY", none)),
        _timeout(given.get("CLIENT_TIMEOUT", none)),
        _attempts(given.get("MAX_RETRIES", none)),
        per_second,
        burst,
    )


def _proxy(given: Given) -> str:
    from urllib.parse import urlsplit

    if not given.text:
        return ""
    try:
        parts = urlsplit(given.text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or odd_character(given.text):
        raise _wrong(
            given, "is not the URL of a proxy", f"set {given.variable} to http://HOST:PORT"
        )
    return given.text


def _timeout(given: Given) -> float | None:
    text = given.text.removeprefix("+")
    seconds = 0.0
    if _is_number(text):
        seconds = float(text)
    elif text:
        parts = _PART.findall(text)
        if "".join(number + unit for number, unit in parts) != text or len(text) > 2 * _DIGITS:
            hint = f"set {given.variable} to seconds, or to a duration such as '90s'"
            raise _wrong(given, "is not a duration", hint)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return seconds or None  # as in the Vault CLI, 0 means no limit


def _attempts(given: Given) -> int | None:
    if not given.text:
        return None
    if not _is_number(given.text):
        raise _wrong(given, "is not a number", f"set {given.variable} to 0 or more")
    return int(given.text) + 1


def _rate(given: Given) -> tuple[float | None, int | None]:
    if not given.text:
        return None, None
    found = _RATE.fullmatch(given.text)
    too_long = len(given.text) > 2 * _DIGITS
    if found is None or too_long or float(found[1]) <= 0 or int(found[2] or 1) == 0:
        hint = f"set {given.variable} to requests per second, or to 'RATE:BURST'"
        raise _wrong(given, "is not a rate", hint)
    return float(found[1]), int(found[2]) if found[2] else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _wrong(given: Given, what: str, hint: str) -> InvalidSettingError:
    odd = odd_character(given.text)
    if odd and "\N{MICRO SIGN}" not in given.text:
        what, hint = f"contains {odd}", f"remove {odd} from {given.variable}"
    return InvalidSettingError(f"{given.variable} {what}", hint=hint)
