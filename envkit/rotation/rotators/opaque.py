"""Refuse a value that is more than a secret: a URL, a connection string, JSON, a private key.

    require_opaque(Secret("postgresql://app:hunter2@db/app"))      # RotationError

A random value in place of one of these would also replace the host, the user and everything else.
Pure. The error names the form of the refused value, and shows no part of it.
"""

from __future__ import annotations

import json
import re

from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.secret import Secret

JSON_LIST = "a JSON list"
_PASSWORD = r"(?:password|passwd|pwd|accountkey|sharedaccesskey)"  # noqa: S105 - names
_FORMS = (
    ("a URL", re.compile(r"\s*[A-Za-z][A-Za-z0-9+.:-]*://")),
    # libpq, ADO and JDBC: `host=db password=x`, `Server=db;Password=x`, `cache:6379,password=x`
    ("a connection string", re.compile(rf"(?is)(?:.*[\s,;&?])?{_PASSWORD}\s*=")),
    (
        "a connection string",
        re.compile(
            r"(?is)\s*(?:server|host|data source|endpoint|user id|uid|user|dbname|database)\s*="
            r"[^;\s]+(?:;|\s+)\s*[a-z][a-z _]*="
        ),
    ),
    ("a query", re.compile(r"\s*\??[A-Za-z][\w.-]+=[^;&]*&[A-Za-z][\w.-]+=")),
    # Go's MySQL DSN, .pgpass, Oracle, a URL without its scheme, a login at a host
    (
        "a connection string",
        re.compile(r"\s*[^:@/\s]+:\S*@(?:tcp\(|unix\(|[\w.-]+(?::[0-9]+|/\w))"),
    ),
    ("a connection string", re.compile(r"\s*[\w.*-]+:(?:[0-9]{2,5}|\*):[\w*.-]+:[\w*.-]+:\S")),
    ("a connection string", re.compile(r"\s*[^\s@/]+/[^\s@]*@(?://)?[\w.-]+(?::[0-9]+)?/\w")),
    ("a connection string", re.compile(r"\s*(?://[^/\s@]+@|\(\s*\w+\s*=)")),
    ("a header", re.compile(r"(?i)\s*(?:basic|bearer|token)\s+\S")),
    ("a signed token (JWT)", re.compile(r"\s*eyJ[\w-]+\.[\w-]*\.[\w-]*")),
    (
        "a hash of a password",
        re.compile(r"(?:[^:\s$]+:)?(?:\$[0-9a-z-]{1,10}\$|\{S?SHA\d*\})", re.ASCII),
    ),
    ("a URL", re.compile(r"(?i)\s*(?:jdbc|r2dbc|data|mailto):\S")),
    (
        "a private key or a certificate",
        re.compile(
            r"\s*(?:-----BEGIN |(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[\w@.-]+ AAAA|PuTTY-User-Key-File"
            r"|AGE-SECRET-KEY-)"
        ),
    ),
)
_LOGIN_HINT = (
    "rotate a login with 'postgres', 'redis' or 'command'; or store the password alone, rotate "
    "that, and put the rest around its placeholder in the profile"
)


def require_opaque(value: Secret) -> None:
    """Raise if a random value would replace more than a secret.

    Raises:
        RotationError: it would; the hint names the rotator to use instead.
    """
    form = form_of(value.reveal())
    if form:
        raise RotationError(
            f"the secret is {form}: the rotation would replace all of it", hint=_LOGIN_HINT
        )


def form_of(text: str) -> str:
    """Return the form of a text that is more than a secret, for a message; empty if it is not."""
    for form, pattern in _FORMS:
        if pattern.match(text):
            return form
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            found = json.loads(stripped)
        except (ValueError, RecursionError):
            return ""
        return "a JSON object" if isinstance(found, dict) else JSON_LIST
    return ""
