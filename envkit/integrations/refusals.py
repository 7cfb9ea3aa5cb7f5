"""Whether a PostgreSQL driver's exception says that the server refused the login.

Only a refused login is worth a second attempt with newer values. An overloaded or absent server
is not: neither may cause requests to the stores.

PostgreSQL sends a code, which asyncpg passes on. libpq does not for a connection that fails, so
neither does psycopg. What remains is whether the server asked for the password, and a message
in the language of the server. All that refuse a login name the user:

    connection to server at "::1", port 5432 failed: FATAL:  role "app_a" is not permitted to log in

A message that names the user for another reason (`too many connections for role "app_a"`) is
taken for a refusal. The cost is one question to the stores, and no second attempt if they have
the same values.

Reference: https://www.postgresql.org/docs/current/errcodes-appendix.html, class 28
"""

from __future__ import annotations

import re

INVALID_PASSWORD = "28P01"  # noqa: S105 - the name of a condition
INVALID_AUTHORIZATION = "28000"
_REFUSED = {INVALID_PASSWORD, INVALID_AUTHORIZATION}
# libpq puts two spaces between the severity and the message of a server, in every language
_REPLY = re.compile(r"\w:  (\S.*)$", re.MULTILINE)
_OF_SEVERAL_HOSTS = "\n- host: "  # what psycopg appends for each host of a list


def is_refusal(error: BaseException) -> bool:
    """Whether a login was refused; for exceptions of psycopg and asyncpg."""
    code = getattr(error, "sqlstate", None)
    if code is not None:
        return code in _REFUSED
    connection = getattr(error, "pgconn", None)
    if connection is None:
        return False
    text = str(error)
    if not connection.used_password and _OF_SEVERAL_HOSTS not in text:
        return False
    return is_refusal_text(text, connection.user.decode(errors="replace"))


def is_refusal_text(text: str, user: str) -> bool:
    """Whether libpq's message about a failed connection says that the login was refused.

    Args:
        text: the message, in any language.
        user: who tried to log in.
    """
    named = re.compile(rf"(?<!\w){re.escape(user)}(?!\w)")
    return any(
        named.search(reply) or "authentication failed" in reply  # PgBouncer names no user
        for reply in _REPLY.findall(text)
    )
