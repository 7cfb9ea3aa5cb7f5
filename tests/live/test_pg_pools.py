"""What pools do with connections whose login has changed, after a fork, and with errors."""

import asyncio
import copy
import os
import traceback
from contextlib import closing, contextmanager

import asyncpg
import psycopg
import psycopg_pool
import pytest
import sqlalchemy
from django import db as django_db
from django.db.utils import ConnectionHandler
from django.views.debug import ExceptionReporter

from envkit.errors import InvalidValueError
from envkit.integrations import asyncpg as live_asyncpg
from envkit.integrations import credential
from envkit.integrations import django as live_django
from envkit.integrations import psycopg as live_psycopg
from envkit.integrations import sqlalchemy as live_sqlalchemy
from envkit.resident.live import Live
from support.django_settings import configured
from support.fault_proxy import dead_address
from support.living import look, until
from support.rotated_database import Loop

NAME = "DATABASE_URL"
ASK = "SELECT current_setting('application_name')"
CANARY = "canary" + "-4c1"  # in two: a traceback shows the lines of this file
PASSWORD = f"{CANARY}/@:"
PARTS = {"user": "DB_USER", "password": "DB_PASSWORD", "host": "DB_HOST", "port": "DB_PORT"}
PARTS["dbname"] = "DB_NAME"


class Database:
    """A login, and a live environment that has it as a URL and in parts.

    Attributes:
        live: the environment.
        user: of the login.
    """

    def __init__(self, project, postgres):
        self._project, self._database = project, postgres.shared_database()
        self.user = self._database.role("app")
        self._database.run(f"CREATE ROLE {self.user} LOGIN PASSWORD '{PASSWORD}'")
        self._parts = {
            "DB_USER": self.user,
            "DB_PASSWORD": PASSWORD,
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(postgres.port),
            "DB_NAME": self._database.name,
        }
        names = [NAME, *self._parts]
        project.profile("prod.env", "".join(f"{name}={{{{ {name} }}}}\n" for name in names))
        self.write("before")
        self.live = Live("prod", profiles=str(project.profiles))

    def write(self, application_name, *, url=None, **parts):
        """Store a URL with this `application_name`, or another one."""
        url = url or self._database.dsn(self.user, PASSWORD)
        values = {**self._parts, **parts, NAME: f"{url}?application_name={application_name}"}
        self._project.dotenv("prod", "".join(f"{k}='{v}'\n" for k, v in values.items()))

    def change(self, *args, **kwargs):
        """Store another URL, and let the live environment notice it."""
        self.write(*args, **kwargs)
        generation = self.live.snapshot().generation
        look(self.live)
        until(lambda: self.live.snapshot().generation > generation)

    def refuse(self):
        """Replace the password, which the store does not get to know."""
        self._database.run(f"ALTER ROLE {self.user} PASSWORD 'another'")


@pytest.fixture
def database(project, postgres, monkeypatch):
    monkeypatch.setattr(credential, "SPREAD_SECONDS", 0.0)
    made = Database(project, postgres)
    yield made
    made.live.close()


@contextmanager
def of_psycopg(live, **options):
    kind = live_psycopg.connection_class(live, NAME, **options)
    with psycopg_pool.ConnectionPool(connection_class=kind, min_size=1, timeout=5) as pool:

        @contextmanager
        def ask():
            with pool.connection() as connection:
                yield lambda: connection.execute(ASK).fetchone()[0]

        yield ask


@contextmanager
def of_psycopg_async(live, **options):
    kind = live_psycopg.async_connection_class(live, NAME, **options)

    async def make():
        return psycopg_pool.AsyncConnectionPool(
            connection_class=kind, min_size=1, timeout=5, open=False
        )

    with Loop() as loop:
        pool = loop.run(make)
        loop.run(pool.open)

        @contextmanager
        def ask():
            connection = loop.run(pool.getconn)

            async def query():
                return (await (await connection.execute(ASK)).fetchone())[0]

            yield lambda: loop.run(query)
            loop.run(lambda: pool.putconn(connection))

        yield ask
        loop.run(pool.close)


@contextmanager
def of_sqlalchemy(live, **options):
    engine = live_sqlalchemy.create_engine(live, NAME, pool_size=1, **options)

    @contextmanager
    def ask():
        with engine.connect() as connection:
            yield lambda: connection.scalar(sqlalchemy.text(ASK))

    yield ask
    engine.dispose()


def of_sqlalchemy_async(drivername):
    @contextmanager
    def opened(live, **options):
        engine = live_sqlalchemy.create_async_engine(
            live, NAME, drivername=drivername, pool_size=1, **options
        )

        @contextmanager
        def ask():
            async def connect():
                return await engine.connect()

            connection = loop.run(connect)
            yield lambda: loop.run(lambda: connection.scalar(sqlalchemy.text(ASK)))
            loop.run(connection.close)

        with Loop() as loop:
            yield ask
            loop.run(engine.dispose)

    return opened


@contextmanager
def of_asyncpg(live, **options):
    async def make():
        connect = live_asyncpg.connect(live, NAME, **options)
        return await asyncpg.create_pool(connect=connect, min_size=1, max_size=1)

    with Loop() as loop:
        pool = loop.run(make)

        @contextmanager
        def ask():
            connection = loop.run(pool.acquire)
            yield lambda: loop.run(lambda: connection.fetchval(ASK))
            loop.run(lambda: pool.release(connection))

        yield ask
        loop.run(pool.close)


def django(live, login=NAME, **settings):
    configured()
    return ConnectionHandler({"default": live_django.database(live, login, **settings)})


def of_django(**settings):
    @contextmanager
    def opened(live, **options):
        connection = django(live, **settings, **options)["default"]

        @contextmanager
        def ask():
            def query():
                with connection.cursor() as cursor:
                    cursor.execute(ASK)
                    return cursor.fetchone()[0]

            yield query
            if connection.pool:
                connection.close()
            else:
                connection.close_if_unusable_or_obsolete()  # at the end of a request

        yield ask
        connection.close()
        connection.close_pool()

    return opened


POOLS = {
    "psycopg_pool": of_psycopg,
    "psycopg_pool for asyncio": of_psycopg_async,
    "SQLAlchemy": of_sqlalchemy,
    "SQLAlchemy for asyncio with asyncpg": of_sqlalchemy_async("postgresql+asyncpg"),
    "SQLAlchemy for asyncio with psycopg": of_sqlalchemy_async("postgresql+psycopg"),
    "asyncpg": of_asyncpg,
    "Django with CONN_MAX_AGE": of_django(CONN_MAX_AGE=None),
    "Django with a pool": of_django(OPTIONS={"pool": {"min_size": 1}}),
}


@pytest.mark.parametrize("pool", POOLS)
def test_a_connection_in_use_goes_on_and_is_replaced_when_it_comes_back(database, pool):
    with POOLS[pool](database.live) as connect:
        with connect() as ask:
            assert ask() == "before"
            database.change("after")
            assert ask() == "before"
        with connect() as ask:
            assert ask() == "after"


@pytest.mark.parametrize("pool", POOLS)
def test_without_recycle_connections_stay(database, pool):
    with POOLS[pool](database.live, recycle=False) as connect:
        for _ in range(2):
            with connect() as ask:
                assert ask() == "before"
            if database.live.snapshot().generation == 1:
                database.change("after")


def test_an_idle_connection_of_sqlalchemy_is_replaced_when_it_is_checked_out(database):
    with of_sqlalchemy(database.live) as connect:
        with connect() as ask:
            assert ask() == "before"
        database.change("after")
        with connect() as ask:
            assert ask() == "after"


def test_a_pool_of_psycopg_can_be_drained_at_once(database):
    kind = live_psycopg.connection_class(database.live, NAME)
    with psycopg_pool.ConnectionPool(connection_class=kind, min_size=1, timeout=5) as pool:
        pool.wait()
        database.live.on_change(NAME, lambda _: pool.drain())
        database.change("after")

        def name():
            with pool.connection() as connection:
                return connection.info.get_parameters().get("application_name")

        until(lambda: name() == "after")


class TestLogins:
    """A login in several variables, and arguments beside it."""

    def test_psycopg_logs_in_with_parts(self, database):
        with live_psycopg.connect(database.live, PARTS, application_name="mine") as connection:
            assert connection.info.user == database.user
            assert connection.execute(ASK).fetchone() == ("mine",)

    def test_psycopg_prefers_its_own_arguments(self, database):
        kind = live_psycopg.connection_class(database.live, NAME)
        with kind.connect("connect_timeout=7", application_name="mine") as connection:
            found = connection.info.get_parameters()
            assert (found["connect_timeout"], found["application_name"]) == ("7", "mine")

    def test_psycopg_for_asyncio_logs_in_with_parts(self, database):
        async def ask():
            async with await live_psycopg.connect_async(database.live, PARTS) as connection:
                return connection.info.user

        assert asyncio.run(ask()) == database.user

    def test_asyncpg_logs_in_with_parts(self, database):
        async def ask():
            connect = live_asyncpg.connect(database.live, PARTS)
            connection = await connect(server_settings={"application_name": "mine"})
            found = await connection.fetchval(ASK)
            await connection.close()
            return found

        assert asyncio.run(ask()) == "mine"

    def test_sqlalchemy_logs_in_with_parts(self, database):
        engine = live_sqlalchemy.create_engine(
            database.live, PARTS, connect_args={"application_name": "mine"}
        )
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text(ASK)) == "mine"
        engine.dispose()

    def test_sqlalchemy_refuses_a_driver_whose_refusals_it_cannot_recognize(self, database):
        with pytest.raises(ValueError, match=r"'mysql'.*postgresql\+psycopg"):
            live_sqlalchemy.create_engine(database.live, NAME, drivername="mysql")

    def test_django_logs_in_with_parts(self, database):
        with closing(django(database.live, PARTS)["default"]) as connection:
            assert connection.settings_dict["NAME"] == database._database.name
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == (database.user,)


class TestDjango:
    def test_the_name_in_the_settings_decides_as_for_a_test_database(self, database):
        settings = live_django.database(database.live, NAME)
        copied = copy.deepcopy(settings)
        copied["NAME"] = "trusting"
        configured()
        with closing(ConnectionHandler({"default": copied})["default"]) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_database()")
                assert cursor.fetchone() == ("trusting",)
            with connection._nodb_cursor() as cursor:
                cursor.execute("SELECT current_database()")
                assert cursor.fetchone() == ("postgres",)

    def test_settings_with_a_name_read_no_store(self, database):
        database._project.dotenv("prod", "")
        settings = live_django.database(database.live, NAME, NAME="shop", CONN_MAX_AGE=9)
        assert (settings["NAME"], settings["CONN_MAX_AGE"]) == ("shop", 9)
        assert not database.live.is_loaded

    def test_dbshell_gets_the_current_login(self, database):
        connection = django(database.live)["default"]
        database.change("after")
        arguments, env = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
        assert arguments[:5] == ["psql", "-U", database.user, "-h", "127.0.0.1"]
        assert env["PGPASSWORD"] == PASSWORD
        assert CANARY not in str(arguments)

    def test_a_connection_in_a_transaction_is_not_closed(self, database):
        with closing(django(database.live)["default"]) as connection:
            connection.ensure_connection()
            database.change("after")
            connection.in_atomic_block = True
            connection.close_if_unusable_or_obsolete()
            assert connection.connection is not None
            connection.in_atomic_block = False


def in_child(function):
    """Return the text that a function returns in the child of a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = function()
        except BaseException as error:  # noqa: BLE001 - the parent is to know
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    return text


class TestForks:
    def test_a_pool_of_psycopg_that_was_opened_before_a_fork_says_so(self, database):
        with of_psycopg(database.live) as connect:

            def ask_in_child():
                with connect() as ask:
                    return ask()

            assert ask_in_child() == "before"
            answer = in_child(ask_in_child)
            assert answer.startswith(
                f"InterfaceError: this connection was opened in process {os.getpid()}"
            )
            assert "post_fork" in answer
            assert ask_in_child() == "before"

    def test_a_connection_of_django_that_was_opened_before_a_fork_says_so(self, database):
        with of_django(CONN_MAX_AGE=None)(database.live) as connect, connect() as ask:
            assert ask() == "before"
            assert "opened in process" in in_child(ask)
            assert ask() == "before"

    def test_an_engine_of_sqlalchemy_opens_new_connections_after_a_fork(self, database):
        engine = live_sqlalchemy.create_engine(database.live, NAME, pool_size=1)

        def pid():
            with engine.connect() as connection:
                return str(connection.scalar(sqlalchemy.text("SELECT pg_backend_pid()")))

        parent = pid()
        child = in_child(pid)
        assert child.isdecimal()
        assert child != parent
        assert pid() == parent
        engine.dispose()


def failing(pool, live):
    """Return the exception of a request of one kind of app."""
    with pytest.raises(Exception) as caught:  # noqa: SIM117
        with POOLS[pool](live) as connect, connect() as ask:
            ask()
    return caught.value


DIRECT = {name: opened for name, opened in POOLS.items() if "pool" not in name}


def shown(error):
    """Return what pages and logs show of an error, with the variables of all frames but ours."""
    texts = []
    while error is not None:
        texts += [repr(error), str(error)]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                texts += [repr(value) for value in frame.f_locals.values()]
        error = error.__cause__
    return " ".join(texts)


@pytest.mark.parametrize("pool", DIRECT)
def test_a_refused_login_shows_no_password(database, pool):
    database.live.snapshot()
    database.refuse()
    error = failing(pool, database.live)
    assert "authentication failed" in str(error)
    assert CANARY not in shown(error)


@pytest.mark.parametrize(
    "url",
    [
        CANARY,
        f"postgresql://app:{CANARY}@h:{CANARY}/db",
        f"postgresql://app:x/{CANARY}@127.0.0.1:1/db",
        f"postgresql://app:{CANARY}/@127.0.0.1:1/db",
        f"postgresql://app:x@{CANARY}@127.0.0.1:1/db",
        f"postgresql://app:x#{CANARY}@127.0.0.1:1/db",
        f"postgresql://app:x%{CANARY}@127.0.0.1:1/db",
    ],
)
@pytest.mark.parametrize("pool", DIRECT)
def test_a_value_that_is_not_a_url_is_not_shown(database, pool, url):
    database.write("x", url=url)
    error = failing(pool, database.live)
    assert CANARY not in shown(error)
    assert isinstance(error, InvalidValueError) or url != CANARY


@pytest.mark.parametrize("pool", DIRECT)
def test_a_server_that_is_down_causes_no_question_to_the_store(database, pool, monkeypatch):
    asked = []
    live = database.live
    monkeypatch.setattr(live, "newer", lambda *names: asked.append(names) or iter(()))
    with dead_address() as address:
        database.write("x", url=f"postgresql://app:pw@{address}/db")
        failing(pool, live)
    assert asked == []


def test_djangos_page_about_an_error_and_the_engine_show_no_password(database):
    connection = django(database.live)["default"]
    database.live.snapshot()
    database.refuse()
    with pytest.raises(django_db.OperationalError) as caught:
        connection.ensure_connection()
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    page = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_html()
    assert "authentication failed" in page
    assert CANARY not in page
    assert CANARY not in repr(connection.settings_dict)
    engine = live_sqlalchemy.create_engine(database.live, NAME)
    assert CANARY not in f"{engine!r} {engine.url.render_as_string(hide_password=False)}"


def test_nothing_in_a_log_has_the_password(database, caplog):
    caplog.set_level(0)
    for name, opened in POOLS.items():
        with opened(database.live) as connect, connect() as ask:
            assert ask() == "before", name
    assert CANARY not in caplog.text
