"""Find the server in a PostgreSQL DSN, without libpq and without I/O.

    >>> described("postgresql://admin:{{ vault:db#password }}@db:5432/app")
    'db:5432/app'

The text may have placeholders, and a password that is not encoded, of which libpq takes a part for
a host. Anything that is not certainly a host, a port or a database is left out.
"""

from __future__ import annotations

import re

from envkit.rotation.rotators.login_forms import pairs, url

_PORT = 5432
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_NAME = re.compile(r"[\w.$-]+")
_HOSTS = re.compile(r"[\w.:/%-]+")
UNKNOWN = "PostgreSQL"


def described(dsn: str) -> str:
    """Return hosts, ports and database; `PostgreSQL` if the DSN does not name them."""
    plain = _PLACEHOLDER.sub("x", dsn)
    found = url.place(plain) if url.is_url(plain) else pairs.place(plain)
    if found is None:
        return UNKNOWN
    hosts, database = found
    if not all(_HOSTS.fullmatch(host.name) for host in hosts):
        return UNKNOWN
    name = ",".join(host.described(_PORT) for host in hosts) or UNKNOWN
    return f"{name}/{database}" if _NAME.fullmatch(database) else name
