"""Database drivers and frameworks with a live environment, on a server whose login is rotated.

Each kind of app opens many connections while its login is really rotated: alternately between
two users, and with one user whose password is replaced. No request may fail. The control, with
the login that a process had at its start, must fail.
"""

from __future__ import annotations

from contextlib import closing, contextmanager

import asyncpg
import psycopg
import psycopg_pool
import pytest
import sqlalchemy
from django.db.utils import ConnectionHandler

from envkit.integrations import asyncpg as live_asyncpg
from envkit.integrations import django as live_django
from envkit.integrations import psycopg as live_psycopg
from envkit.integrations import sqlalchemy as live_sqlalchemy
from support.django_settings import configured
from support.rotated_database import Load, Loop, RotatedDatabase

NAME = "DATABASE_URL"
PID = "SELECT pg_backend_pid()"
ROTATIONS = 2


@contextmanager
def psycopg_connections(live):
    def request():
        with live_psycopg.connect(live, NAME) as connection:
            return connection.execute(PID).fetchone()[0]

    yield request


@contextmanager
def psycopg_pool_(live):
    kind = live_psycopg.connection_class(live, NAME)
    with psycopg_pool.ConnectionPool(
        connection_class=kind, min_size=2, max_size=3, max_lifetime=0.05, timeout=5
    ) as pool:

        def request():
            with pool.connection() as connection:
                return connection.execute(PID).fetchone()[0]

        yield request


@contextmanager
def psycopg_async_pool(live):
    kind = live_psycopg.async_connection_class(live, NAME)

    async def opened():
        pool = psycopg_pool.AsyncConnectionPool(
            connection_class=kind, min_size=2, max_size=3, max_lifetime=0.05, timeout=5, open=False
        )
        await pool.open()
        return pool

    with Loop() as loop:
        pool = loop.run(opened)

        async def request():
            async with pool.connection() as connection:
                return (await (await connection.execute(PID)).fetchone())[0]

        yield lambda: loop.run(request)
        loop.run(pool.close)


@contextmanager
def sqlalchemy_engine(live):
    engine = live_sqlalchemy.create_engine(live, NAME, pool_size=2, pool_recycle=0)

    def request():
        with engine.connect() as connection:
            return connection.scalar(sqlalchemy.text(PID))

    yield request
    engine.dispose()


def sqlalchemy_async_engine(drivername):
    @contextmanager
    def opened(live):
        engine = live_sqlalchemy.create_async_engine(
            live, NAME, drivername=drivername, pool_size=2, pool_recycle=0
        )

        async def request():
            async with engine.connect() as connection:
                return await connection.scalar(sqlalchemy.text(PID))

        with Loop() as loop:
            yield lambda: loop.run(request)
            loop.run(engine.dispose)

    return opened


@contextmanager
def asyncpg_pool(live):
    async def opened():
        connect = live_asyncpg.connect(live, NAME)
        return await asyncpg.create_pool(connect=connect, min_size=1, max_size=3, max_queries=2)

    with Loop() as loop:
        pool = loop.run(opened)
        yield lambda: loop.run(lambda: pool.fetchval(PID))
        loop.run(pool.close)


def django_database(**settings):
    @contextmanager
    def opened(live):
        handler = django(live_django.database(live, NAME, **settings))

        def request():
            with closing(handler["default"]) as connection, connection.cursor() as cursor:
                cursor.execute(PID)
                return cursor.fetchone()[0]

        yield request
        if "OPTIONS" in settings:
            handler["default"].close_pool()

    return opened


def django(*databases):
    configured()
    names = ["default", "other"][: len(databases)]
    return ConnectionHandler(dict(zip(names, databases, strict=True)))


POOL = {"OPTIONS": {"pool": {"min_size": 2, "max_size": 3, "max_lifetime": 0.05}}}
APPS = {
    "psycopg": psycopg_connections,
    "psycopg_pool": psycopg_pool_,
    "psycopg_pool for asyncio": psycopg_async_pool,
    "SQLAlchemy": sqlalchemy_engine,
    "SQLAlchemy for asyncio with asyncpg": sqlalchemy_async_engine("postgresql+asyncpg"),
    "SQLAlchemy for asyncio with psycopg": sqlalchemy_async_engine("postgresql+psycopg"),
    "asyncpg": asyncpg_pool,
    "Django": django_database(),
    "Django with a pool": django_database(**POOL),
}


@pytest.fixture
def rotated(project, either):
    return RotatedDatabase(project, either)


@pytest.mark.parametrize("app", APPS)
def test_no_request_fails_while_the_login_is_rotated(rotated, app):
    with APPS[app](rotated.live) as request, Load(request) as load:
        for _ in range(ROTATIONS):
            rotated.rotate(between=load.more)
    assert load.failures == []


def test_requests_fail_with_the_login_that_a_process_had_at_its_start(rotated):
    def request():
        with psycopg.connect(rotated.url) as connection:
            return connection.execute(PID).fetchone()[0]

    with Load(request) as load:
        for _ in range(ROTATIONS):
            rotated.rotate(between=load.more)
    assert {type(error) for error in load.failures} == {psycopg.OperationalError}
