"""What a PostgreSQL rotation proves on a real server: before, while and after it changes a role."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import psycopg
import pytest

from envkit.errors import ConflictError, RotationError, UnavailableError
from envkit.rotation.rotators.login import Login, login_of, with_login
from envkit.rotation.rotators.postgres_connection import SILENCE_SECONDS
from envkit.rotation.rotators.registry import build
from envkit.secret import Secret
from envkit.testing.rotator_harness import STEPS, Turn, begun, built, step
from support.rotators import CANARY, AlternateHarness, SingleHarness, refused, shown


@pytest.fixture(params=[AlternateHarness, SingleHarness], ids=["alternate", "single"])
def either(request, postgres):
    with ExitStack() as stack:
        yield request.param(postgres, stack, shared=True)


@pytest.fixture
def alternate(postgres):
    with ExitStack() as stack:
        yield AlternateHarness(postgres, stack, shared=True)


@pytest.fixture
def single(postgres):
    with ExitStack() as stack:
        yield SingleHarness(postgres, stack, shared=True)


def of(harness, target=None, **context):
    """Build a rotator with more in its context than a harness says."""
    rotator = built(harness, target)
    return build(harness.kind, rotator._context._replace(**context), lambda table: table)


def whole(harness, current, target=None, **context):
    """Carry a rotation through, each step with a rotator of its own."""
    facts = dict(of(harness, target, **context).prepare(current))
    created = of(harness, target, **context).create(current, facts)
    turn = Turn(current, {**current, **created.new}, json.loads(json.dumps(facts)))
    for name in STEPS:
        step(of(harness, target, **context), name, turn)
        assert of(harness, target, **context).probe(turn.new, turn.facts)
    assert of(harness, target, **context).is_dead(turn.old, turn.new, turn.facts)
    return turn


def user_of(harness):
    return login_of(harness.current()["url"]).user


def unchanged(harness):
    assert harness.works(harness.current())
    assert harness.credentials() == 1


class TestForms:
    FORMS = (
        "host={host} port={port} user={user} password='{password}' dbname=x",
        "jdbc:postgresql://{host}:{port}/x?user={user}&password={password}&ssl=false",
        "Host={host};Port={port};Username={user};Password={password};Pooling=true",
        '{{ "host": "{host}", "port": "{port}", "user": "{user}", "password": "{password}"}}',
        "postgresql:///x?host=nowhere,{host}&port={port}&user={user}&password={password}",
        "postgresql+asyncpg://{user}:{password}@localhost:{port}/x",
    )

    @pytest.mark.parametrize("form", FORMS)
    def test_a_login_in_any_form_is_rotated_and_the_rest_stays(self, either, postgres, form):
        names = {"host": "127.0.0.1", "port": postgres.port}
        text = form.format(user=user_of(either), password=either.password, **names)
        new = whole(either, {"url": Secret(text)}).new
        login = login_of(new["url"])
        written = form.format(user=login.user, password=login.password.reveal(), **names)
        assert new["url"].reveal().replace("'", "") == written.replace("'", "")

    def test_what_is_not_understood_is_refused(self, either):
        for text in (f"Server=db;Sekret={CANARY}", f"jdbc:x:{CANARY}", f'{{"pass": "{CANARY}"}}'):
            error = refused(lambda text=text: built(either).prepare({"url": Secret(text)}))
            assert "scheme://user:password@host" in error.hint
        unchanged(either)


class TestWhose:
    def test_another_role_s_login_is_refused_though_it_works(self, single):
        other = single.role("other")
        single.database.run(f"CREATE ROLE \"{other}\" LOGIN PASSWORD 'theirs'")
        target = {**single.target, "user": single.role("app")}
        url = single.database.dsn(other, "theirs")
        for current in (
            {"url": Secret(url)},
            {"url": Secret("theirs"), "username": Secret(other)},
            {"url": Secret("theirs"), "user": Secret(other)},
        ):
            error = refused(lambda current=current: built(single, target).prepare(current))
            assert "names another user than 'target.user'" in error.message
        assert single.database.logs_in(other, "theirs")

    def test_another_role_s_login_with_an_unknown_password_is_refused(self, single):
        other = single.role("other")
        single.run(f'CREATE ROLE "{other}" LOGIN; GRANT "{other}" TO envkit WITH ADMIN TRUE')
        current = {"url": Secret(single.database.dsn(other, CANARY))}
        error = refused(lambda: built(single).prepare(current))
        assert "does not log in" in error.message

    def test_the_admin_s_login_is_refused(self, either):
        error = refused(lambda: built(either).prepare({"url": Secret(either.dsn)}), *either.hidden)
        assert "is the admin" in error.message or "none of target.users" in error.message
        target = {**either.target, "dsn": either.database.dsn(user_of(either), either.password)}
        error = refused(lambda: built(either, target).prepare(either.current()))
        assert "admin of target.dsn" in error.message

    def test_the_admin_s_own_login_needs_target_user_and_the_secret_in_the_dsn(self, single):
        own = {**single.target, "dsn": single.current()["url"].reveal()}
        named = {**own, "user": user_of(single)}
        for target, mine in ((own, True), (named, False)):
            rotator = of(single, target, own_login=mine)
            error = refused(lambda rotator=rotator: rotator.prepare(single.current()))
            assert "is the admin" in error.message
            assert "Its own admin" in error.hint
        assert "## Its own admin" in (single_page())

    def test_the_admin_may_not_be_one_of_two_users(self, alternate):
        target = {
            **alternate.target,
            "dsn": alternate.dsn,
            "users": [alternate.role("app_a"), alternate.role("envkit")],
        }
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert "would be locked out" in error.message


def single_page():
    from support.rotators import GUIDE

    return (GUIDE / "postgres.md").read_text()


class TestWhere:
    def test_the_same_role_at_another_server_is_refused(self, either, postgres):
        url = either.current()["url"].reveal()
        for host in ("db.internal", f"127.0.0.1:{postgres.port + 1}", "a,b"):
            place = host if ":" in host else f"{host}:{postgres.port}"
            current = {"url": Secret(url.replace(f"127.0.0.1:{postgres.port}", place))}
            error = refused(lambda current=current: built(either).prepare(current))
            assert f"which has 127.0.0.1:{postgres.port}" in error.message
            built(either, {**either.target, "server": "any"}).prepare(current)
        unchanged(either)

    @pytest.mark.parametrize("host", ["localhost", "[::1]", "other,LOCALHOST"])
    def test_the_same_server_by_another_name_of_this_machine_is_taken(self, either, postgres, host):
        here = f"127.0.0.1:{postgres.port}"
        there = ",".join(f"{one}:{postgres.port}" for one in host.split(","))
        current = {"url": Secret(either.current()["url"].reveal().replace(here, there))}
        assert built(either).prepare(current) == {}

    def test_no_other_word_than_any_is_taken(self, either):
        with pytest.raises(Exception, match=r"'target.server' can only be 'any'"):
            built(either, {**either.target, "server": "db"})

    def test_the_target_is_described_without_a_password(self, alternate, single, postgres):
        place = f"127.0.0.1:{postgres.port}"
        a, b = alternate.role("app_a"), alternate.role("app_b")
        assert built(alternate).describe_target() == (
            f"{place}/{alternate.database.name}, users {a} and {b}"
        )
        target = {**single.target, "user": "app"}
        assert (
            built(single, target).describe_target() == f"{place}/{single.database.name}, user app"
        )


class TestCurrent:
    def test_a_value_that_does_not_log_in_is_refused_unless_that_is_said(self, either):
        current = either.wrong(either.current())
        error = refused(lambda: built(either).prepare(current))
        assert "does not log in" in error.message
        assert "verify_current = false" in error.hint
        unchanged(either)
        whole(either, current, {**either.target, "verify_current": False})

    def test_a_role_that_is_switched_off_is_refused_and_stays_off(self, either):
        user = user_of(either)
        either.database.run(f'ALTER ROLE "{user}" NOLOGIN')
        error = refused(lambda: built(either).prepare(either.current()))
        assert "NOLOGIN" in error.message
        turn = Turn(either.current(), either.wrong(either.current()), {})
        if isinstance(either, SingleHarness):
            step(built(either), "set", turn)
            error = refused(lambda: step(built(either), "test", turn))
        assert not either.works(either.current())

    def test_a_role_that_may_have_no_session_is_refused(self, either):
        either.database.run(f'ALTER ROLE "{user_of(either)}" CONNECTION LIMIT 0')
        error = refused(lambda: built(either).prepare(either.current()))
        assert "CONNECTION LIMIT is 0" in error.message

    def test_an_app_that_holds_all_its_sessions_is_rotated(self, either):
        for role in either.role_names:
            either.run(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        with psycopg.connect(either.current()["url"].reveal(), autocommit=True) as app:
            whole(either, either.current())
            assert app.execute("SELECT 1").fetchone() == (1,)

    def test_a_wrong_password_is_refused_at_the_limit_too(self, single):
        single.run("ALTER ROLE app CONNECTION LIMIT 1")
        with psycopg.connect(single.current()["url"].reveal()):
            wrong = single.wrong(single.current())
            assert built(single).probe(wrong, {}) is False
            with pytest.raises(RotationError, match="cannot log in with the new password"):
                built(single).test(wrong, {})


class TestVerifiers:
    @pytest.fixture
    def hashing(self, either, postgres):
        """A target where MD5 is good enough, as its admin and as the superuser."""
        user = user_of(either)
        either.database.run(
            f"SET password_encryption = 'md5'; SET client_min_messages = error; "
            f"ALTER ROLE \"{user}\" PASSWORD '{either.password}'"
        )
        current = {"url": Secret(postgres.dsn("hashing", user, either.password))}
        admins = [(either.role("envkit"), either.hidden[0]), ()]
        return current, [postgres.dsn("hashing", *admin) for admin in admins]

    @staticmethod
    def kind(harness, fields):
        user = login_of(fields["url"]).user
        [(verifier,)] = harness.database.run(
            f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'"
        )
        return verifier[:3]

    @pytest.mark.filterwarnings("ignore")
    def test_a_verifier_of_md5_is_followed_by_one(self, either, hashing):
        current, dsns = hashing
        for dsn in dsns:
            assert self.kind(either, current) == "md5"
            current = whole(either, current, {**either.target, "dsn": dsn}).new
        assert self.kind(either, current) == "md5"

    def test_a_verifier_of_scram_is_followed_by_one_where_md5_is_good_enough(
        self, either, postgres
    ):
        current = {"url": Secret(postgres.dsn("hashing", user_of(either), either.password))}
        dsn = postgres.dsn("hashing", either.role("envkit"), either.hidden[0])
        new = whole(either, current, {**either.target, "dsn": dsn}).new
        assert self.kind(either, new) == "SCR"


def test_a_database_of_sql_ascii_is_like_any_other(either, postgres):
    name = either.database.role("ascii")
    either.database.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'")
    dsn = postgres.dsn(name, either.role("envkit"), either.hidden[0])
    url = postgres.dsn(name, user_of(either), either.password)
    whole(either, {"url": Secret(url)}, {**either.target, "dsn": dsn})


class TestOwnPassword:
    """A user that may change nothing but its own password, and does."""

    @pytest.fixture
    def app(self, single):
        dsn = single.current()["url"].reveal()
        return single, {"dsn": dsn, "user": single.role("app")}

    def test_it_is_rotated(self, app):
        single, target = app
        turn = whole(single, single.current(), target, own_login=True)
        assert single.works(turn.new)

    @pytest.mark.parametrize("done", range(len(STEPS)))
    def test_it_is_taken_back_from_every_phase(self, app, done):
        single, target = app
        turn = begun(single, single.current())
        for name in STEPS[:done]:
            step(of(single, target, own_login=True), name, turn)
        for _ in range(2):
            of(single, target, own_login=True).retire(turn.new, turn.old, turn.facts)
        assert single.works(turn.old)
        assert of(single, target, own_login=True).is_dead(turn.new, turn.old, {})

    def test_the_dsn_may_have_the_new_password_by_now(self, app):
        single, target = app
        turn = begun(single, single.current())
        step(of(single, target, own_login=True), "set", turn)
        promoted = {**target, "dsn": turn.new["url"].reveal()}
        of(single, promoted, own_login=True, end_sessions=True).retire(turn.old, turn.new, {})
        of(single, promoted, own_login=True).retire(turn.new, turn.old, {})
        assert single.works(turn.old)


class TestFence:
    def test_a_change_is_rolled_back_where_somebody_else_has_gone_on_meanwhile(self, either):
        turn = begun(either, either.current())

        def conflict_after(name, turn):
            calls = []

            def confirm():
                calls.append(1)
                if len(calls) > 1:
                    raise ConflictError("somebody else")

            before = either.credentials()
            with pytest.raises(ConflictError):
                step(of(either, confirm=confirm), name, turn)
            assert either.credentials() == before

        conflict_after("set", turn)
        assert either.works(turn.old)
        assert not either.works(turn.new)
        step(built(either), "set", turn)
        backwards = Turn(turn.new, turn.old, turn.facts)
        conflict_after("retire", backwards)
        assert either.works(turn.new)

    def test_a_stopped_process_loses_its_transaction_and_the_lock(self, alternate, tmp_path):
        turn = begun(alternate, alternate.current())
        child = subprocess.Popen(
            [sys.executable, "-c", STOPPED, alternate.dsn, alternate.role("app_b")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert child.stdout.readline() == "changed\n"
            os.kill(child.pid, signal.SIGSTOP)
            step(built(alternate), "set", turn)
            os.kill(child.pid, signal.SIGCONT)
            assert child.communicate(timeout=30)[0] == "UnavailableError\n"
        finally:
            child.kill()
            child.wait()
        assert alternate.works(turn.new)
        assert SILENCE_SECONDS < 30

    def test_the_sessions_name_their_host_and_process(self, alternate):
        seen = []

        def confirm():
            seen.extend(
                alternate.database.run(
                    "SELECT application_name FROM pg_stat_activity "
                    f"WHERE usename = '{alternate.role('envkit')}'"
                )
            )

        turn = begun(alternate, alternate.current())
        step(of(alternate, confirm=confirm), "set", turn)
        assert all(name.endswith(f" {os.getpid()}") for (name,) in seen)
        assert seen


# the time is short, so that the test is; what is stopped is a process in its transaction
STOPPED = """
import sys
from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.rotation.rotators import postgres_change
from envkit.rotation.rotators.postgres_server import Server
from envkit.secret import Secret
postgres_change.SILENCE_SECONDS = 1
try:
    with Server(sys.argv[1], Deadline(60)).admin(sys.argv[2]) as change:
        change.give(sys.argv[2], Secret("of the one that slept"), postgres_change.Verifier.SCRAM)
        print("changed", flush=True)
        sys.stdin.read()
except EnvkitError as error:
    print(type(error).__name__)
"""


class TestDead:
    def test_nothing_is_dead_before_it_is_retired(self, alternate):
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
            assert built(alternate).is_dead(turn.old, turn.new, turn.facts) is False
        step(built(alternate), "retire", turn)
        assert built(alternate).is_dead(turn.old, turn.new, turn.facts) is True
        assert built(alternate).is_dead({}, turn.new, turn.facts) is True

    def test_a_user_that_the_target_no_longer_has_is_not_dead(self, alternate):
        """Somebody has edited `users` in the grace period: nothing is retired, and it shows."""
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        users = [alternate.role("app_b"), alternate.role("app_c")]
        edited = {**alternate.target, "users": users}
        of(alternate, edited).retire(turn.old, turn.new, turn.facts)
        assert of(alternate, edited).is_dead(turn.old, turn.new, turn.facts) is False

    def test_a_role_that_is_full_is_not_dead_and_one_that_is_off_is(self, single):
        current = single.current()
        single.run("ALTER ROLE app CONNECTION LIMIT 1")
        with psycopg.connect(current["url"].reveal()):
            assert built(single).is_dead(current, current, {}) is False
        single.run("ALTER ROLE app NOLOGIN")
        assert built(single).is_dead(current, current, {}) is True

    def test_the_old_password_of_a_single_user_is_dead_once_it_is_replaced(self, single):
        turn = begun(single, single.current())
        assert built(single).is_dead(turn.old, turn.new, {}) is False
        step(built(single), "set", turn)
        assert built(single).is_dead(turn.old, turn.new, {}) is True

    def test_a_server_that_cannot_be_asked_is_no_proof(self, either):
        with pytest.raises(UnavailableError):
            of(either, either.unavailable()).is_dead(either.current(), either.current(), {})


class TestKeep:
    def test_the_user_that_is_kept_is_never_changed(self, either):
        """Whatever the old login says: another password of it, or another user's."""
        current = either.current()
        kept = either.wrong(current)
        for gone, keep in ((current, kept), (kept, current), (current, current)):
            either_before = either.database.run(ROLES)
            if isinstance(either, AlternateHarness):
                step(built(either), "retire", Turn(gone, keep, {}))
                assert either.database.run(ROLES) == either_before

    def test_a_single_user_is_left_alone_where_the_secret_names_another_by_now(self, single):
        turn = begun(single, single.current())
        step(built(single), "set", turn)
        admin = {"url": Secret(single.database.dsn("postgres", "not the password"))}
        before = single.database.run(ROLES)
        built(single).retire(turn.old, admin, {})
        built(single).retire(turn.new, admin, {})
        assert single.database.run(ROLES) == before

    def test_a_third_password_of_a_single_user_is_left_alone(self, single):
        turn = begun(single, single.current())
        step(built(single), "set", turn)
        single.run("ALTER ROLE app PASSWORD 'by hand'")
        built(single).retire(turn.new, turn.old, {})
        assert single.database.logs_in(single.role("app"), "by hand")

    def test_what_was_never_set_is_not_taken_back(self, single):
        """The secret was from a backup, and does not work: going back does not make it work."""
        wrong = single.wrong(single.current())
        turn = Turn(
            wrong, {"url": with_login(wrong["url"], Login(user_of(single), Secret("n")))}, {}
        )
        built(single).retire(turn.new, turn.old, {})
        unchanged(single)


ROLES = "SELECT rolname, rolcanlogin, rolpassword FROM pg_authid ORDER BY rolname"


class TestSessions:
    @pytest.mark.parametrize("asked", ["target", "context"])
    def test_those_of_the_old_login_are_ended_where_that_is_asked(self, either, asked):
        either.run(shown("postgres.md", "terminate.sql"))
        target = {**either.target, "terminate": True} if asked == "target" else either.target
        context = {"end_sessions": True} if asked == "context" else {}
        of(either, target, **context).prepare(either.current())
        turn = begun(either, either.current())
        with psycopg.connect(turn.old["url"].reveal(), autocommit=True) as old:
            for name in STEPS:
                step(of(either, target, **context), name, turn)
            with pytest.raises(psycopg.OperationalError):
                old.execute("SELECT 1")
        assert either.works(turn.new)

    def test_the_admin_must_be_able_to_end_them(self, either):
        rotator = of(either, end_sessions=True)
        error = refused(lambda: rotator.prepare(either.current()))
        assert "GRANT pg_signal_backend" in error.hint
