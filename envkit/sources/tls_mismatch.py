"""Detect a TLS mismatch between client and server: only one of them uses TLS.

Imported only after a request has failed. No function returns any part of a response.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# OpenSSL's errors for a response that is not TLS
_NO_TLS = re.compile(
    "wrong.version.number|http.request|unknown.protocol|record.layer.failure|"
    "packet.length.too.long|bad.record.type",
    re.IGNORECASE,
)
# plain-text responses of Go, nginx, Apache and others on a TLS port
_TO_TLS = re.compile(
    rb"HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|"
    rb"speaking plain HTTP to an SSL|requires? TLS|requires? HTTPS",
    re.IGNORECASE,
)
# a TLS alert in place of a status line; http.client may quote it
_ALERTS = ("\x15\x03", r"'\x15\x03", r"\x15\x03")


def answers_without_tls(causes: Iterable[BaseException]) -> bool:
    """Return whether a TLS handshake failed because the server does not speak TLS."""
    import ssl

    return any(
        isinstance(cause, ssl.SSLError) and _NO_TLS.search(cause.reason or str(cause))
        for cause in causes
    )


def answers_with_tls(causes: Iterable[BaseException]) -> bool:
    """Return whether the response to a plain request was a TLS alert."""
    from http.client import BadStatusLine

    return any(
        isinstance(cause, BadStatusLine) and str(cause).startswith(_ALERTS) for cause in causes
    )


def asks_for_tls(status: int, body: bytes) -> bool:
    """Return whether the response to a plain request says that the port expects TLS."""
    return status in (400, 426, 497) and _TO_TLS.search(body) is not None


def causes_of(error: BaseException) -> Iterable[BaseException]:
    """Yield an error and all its causes; clients wrap errors in several ways."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
            waiting += cause.args
            # botocore stores its cause as a message parameter
            waiting += getattr(cause, "kwargs", {}).values()
