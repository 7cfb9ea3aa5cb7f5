"""Django's PostgreSQL backend with connections of `envkit.integrations.psycopg`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from envkit.integrations.django import KEY
from envkit.integrations.packages import missing

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.db.backends.postgresql import base, client
except ImportError:
    raise missing("django", "Django") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit.integrations.django import LiveDatabase


class _Driver:
    """The module psycopg, as Django uses it, with another `connect`."""

    def __init__(self, connect: Callable[..., Any]) -> None:
        self.connect = connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseClient(client.DatabaseClient):  # type: ignore[misc]
    """Starts `psql` with the login of this moment, for `manage.py dbshell`."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: Mapping[str, Any], parameters: Sequence[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """Return the arguments of `psql`, and the variables that it needs."""
        current = settings_dict[KEY].current()
        login = {
            part.upper(): current.pop(part, "") for part in ("user", "password", "host", "port")
        }
        current.pop("dbname", None)
        options = {**current, **settings_dict["OPTIONS"]}
        settings = {**settings_dict, **login, "OPTIONS": options}
        found: tuple[list[str], dict[str, str] | None]
        found = super().settings_to_cmd_args_env(settings, parameters)
        return found


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """Connects with the current login, and closes connections whose login has changed."""

    client_class = DatabaseClient

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(settings_dict, *args, **kwargs)
        bound: LiveDatabase | None = settings_dict.get(KEY)
        if bound is None:
            raise ImproperlyConfigured(
                "the settings of this database must be made by envkit.integrations.django.database"
            )
        self.Database = _Driver(bound.connection_class.connect)

    def close_if_unusable_or_obsolete(self) -> None:
        """Close a connection whose login has changed, at the beginning and end of a request."""
        opened = getattr(self.connection, "envkit_opened", None)
        if opened is not None and not self.in_atomic_block and opened.is_due():
            self.close()
        else:
            super().close_if_unusable_or_obsolete()
