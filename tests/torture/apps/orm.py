"""SQLAlchemy and threads with `envkit.live`."""

from answer import wsgi
from sqlalchemy import text

import envkit
from envkit.integrations.sqlalchemy import create_engine

engine = create_engine(envkit.live("prod"), "DATABASE_URL", pool_size=4, pool_recycle=0)


def ask():
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.06)"))


app = wsgi(ask)
