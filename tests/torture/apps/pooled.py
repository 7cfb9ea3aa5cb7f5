"""gunicorn and psycopg_pool with `envkit.live`; the app is loaded before the fork."""

from answer import wsgi
from psycopg_pool import ConnectionPool

import envkit
from envkit.integrations.psycopg import connection_class

live = envkit.live("prod")
kind = connection_class(live, "DATABASE_URL")
pool = ConnectionPool(
    connection_class=kind, min_size=1, max_size=4, max_lifetime=0.5, timeout=5, open=False
)


def ask():
    with pool.connection() as connection:
        connection.execute("SELECT pg_sleep(0.06)")


app = wsgi(ask)
