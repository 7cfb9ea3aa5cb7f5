"""What else Vault's command takes from its environment: a proxy, and how fast it asks.

Imported only where one of these variables is set. What always holds: a proxy's password is
part of no message.

Reference: https://openbao.org/docs/commands/#environment-variables
"""

from __future__ import annotations

import re

from envkit._internal.names import odd_character
from envkit.errors import InvalidSettingError
from envkit.sources.vault.address import Address, environ_of, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?::(\d+))?", re.ASCII)
_DIGITS = 9  # more of them are a mistake, and would be one for a clock


# what envkit does not take, each with what to do instead
_UNUSED = {
    "AGENT_ADDR": "set VAULT_ADDR to the agent's address",
    "SRV_LOOKUP": "set VAULT_ADDR to a host and port",
    "WRAP_TTL": "wrapped answers are not read",
    "MFA": "log in with 'vault login' first",
}


def unused(context: SourceContext) -> list[str]:
    """Return a warning for each variable that Vault's command takes and envkit does not."""
    return [
        f"{place_of(context, '', name)} is set, and envkit does not use it: {instead}"
        for name, instead in _UNUSED.items()
        if environ_of(context, name)
    ]


def limited(address: Address, context: SourceContext) -> Address:
    """Return an address with the proxy and the limits that the environment says.

    Raises:
        InvalidSettingError: a variable that says nothing of the kind.
    """
    per_second, burst = _rate(context)
    return address._replace(
        proxy=_proxy(context),
        timeout_seconds=_timeout(context),
        attempts=_attempts(context),
        per_second=per_second,
        burst=burst,
    )


def _proxy(context: SourceContext) -> str:
    from urllib.parse import urlsplit

    name = "PROXY_ADDR" if environ_of(context, "PROXY_ADDR") else "HTTP_PROXY"
    text = environ_of(context, name)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if odd := odd_character(text):
        raise _wrong(context, name, f"contains {odd}", "remove it")
    if not known:
        raise _wrong(context, name, "is not the URL of a proxy", "set it to 'http://HOST:PORT'")
    return text


def _timeout(context: SourceContext) -> float | None:
    text = environ_of(context, "CLIENT_TIMEOUT")
    seconds = 0.0
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        seconds = float(text)
    elif text:
        parts = _PART.findall(text)
        if "".join(number + unit for number, unit in parts) != text or len(text) > 2 * _DIGITS:
            hint = "set it to seconds, or to a duration such as '90s'"
            raise _wrong(context, "CLIENT_TIMEOUT", "is not a duration", hint)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return seconds or None  # as for Vault's command, 0 is no limit


def _attempts(context: SourceContext) -> int | None:
    text = environ_of(context, "MAX_RETRIES")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise _wrong(context, "MAX_RETRIES", "is not a number", "set it to 0 or more")
    return int(text) + 1


def _rate(context: SourceContext) -> tuple[float | None, int | None]:
    text = environ_of(context, "RATE_LIMIT")
    if not text:
        return None, None
    found = _RATE.fullmatch(text)
    hint = "set it to requests per second, or to 'RATE:BURST'"
    if found is None or len(text) > 2 * _DIGITS or float(found[1]) <= 0 or found[2] == "0":
        raise _wrong(context, "RATE_LIMIT", "is not a rate", hint)
    return float(found[1]), int(found[2]) if found[2] else None


def _wrong(context: SourceContext, name: str, what: str, hint: str) -> InvalidSettingError:
    place = place_of(context, "", name)
    return InvalidSettingError(f"{place} {what}", hint=hint.replace("it", place, 1))
