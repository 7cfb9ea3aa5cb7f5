"""A Django database that logs in with the current values of a live environment.

    from envkit.integrations import django as live_django

    DATABASES = {"default": live_django.database(live, "DATABASE_URL", CONN_MAX_AGE=60)}

Needs psycopg 3. Every physical connection, in a pool (`OPTIONS["pool"]`) or not, takes the login
of that moment. If the server refuses it, envkit asks the store at once, for up to a second, and
tries each newer one. A connection whose login has changed is closed at the end of the request, or
replaced when it is returned to the pool.

The settings have the name of the database, and no user, password or host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.integrations.credential import Credential
from envkit.integrations.psycopg import connection_class, parameters

if TYPE_CHECKING:
    import psycopg

    from envkit.integrations.credential import Variables
    from envkit.resident.live import Live

ENGINE = "envkit.integrations.django_backend"
KEY = "ENVKIT"  # of the settings of a database


class LiveDatabase:
    """What the settings of a database keep for its backend; copies of settings share it.

    Attributes:
        credential: the variables of the login.
        connection_class: connects with their current values.
    """

    def __init__(
        self, credential: Credential, connection_class: type[psycopg.Connection[Any]]
    ) -> None:
        self.credential = credential
        self.connection_class = connection_class

    def __repr__(self) -> str:
        return f"LiveDatabase({', '.join(self.credential.names)})"

    def __deepcopy__(self, memo: object) -> LiveDatabase:
        return self

    def current(self) -> dict[str, Any]:
        """Return the arguments of psycopg's `connect` for the login of this moment."""
        environment = self.credential.live.snapshot().environment
        return parameters(
            self.credential, {name: environment[name] for name in self.credential.names}
        )


def database(
    live: Live, login: Variables, *, recycle: bool = True, **settings: Any
) -> dict[str, Any]:
    """Return the settings of one database, an item of `DATABASES`.

    Reads the environment for the name of the database, unless `settings` has `NAME`: the name
    stays the same while the process runs.

    Args:
        live: the live environment.
        login: the variable with the URL; or variables for its parts:
            `{"user": "DB_USER", "password": "DB_PASSWORD"}` (also `host`, `port`, `dbname`).
        recycle: whether connections whose login has changed are closed at the end of the
            request, or replaced by the pool.
        settings: more of them, such as `CONN_MAX_AGE` or `OPTIONS`.
    """
    credential = Credential(live, login, recycle=recycle)
    kind = connection_class(live, login, recycle=recycle)
    bound = LiveDatabase(credential, kind)
    options = dict(settings.get("OPTIONS") or {})
    if pool := options.get("pool"):
        options["pool"] = {**({} if pool is True else pool), "connection_class": kind}
    name = settings.get("NAME") or bound.current().get("dbname", "")
    return {**settings, "ENGINE": ENGINE, "NAME": name, "OPTIONS": options, KEY: bound}
