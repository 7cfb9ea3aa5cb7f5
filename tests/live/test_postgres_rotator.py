"""The PostgreSQL rotators on a real server: roles, sessions, locks, logs, refusals."""

import contextlib
import os
import re
import socket
import threading
from contextlib import ExitStack

import psycopg
import pytest

from envkit.errors import (
    AuthError,
    DeniedError,
    EnvkitError,
    RejectedError,
    SourceError,
    UnavailableError,
)
from envkit.rotation.rotators.login import Login, login_of, with_login
from envkit.secret import Secret
from envkit.testing.observe import patiently
from envkit.testing.rotator_harness import STEPS, begun, built, rotated, step
from support.fault_proxy import HOST
from support.rotators import CANARY, AlternateHarness, refused, shown


def session(harness, fields):
    """Log in as a reader of the secret does, with the current value."""
    return psycopg.connect(fields["url"].reveal(), autocommit=True)


class TestSecret:
    def test_nothing_but_the_login_changes_in_a_url(self, alternate):
        old = alternate.current()["url"].reveal()
        new = rotated(alternate, alternate.current()).new["url"].reveal()
        user, password = alternate.role("app_b"), login_of(new).password.reveal()
        assert new == re.sub(r"//[^@]*@", f"//{user}:{password}@", old)

    def test_the_two_users_alternate(self, alternate):
        users, current = [], alternate.current()
        for _ in range(3):
            current = rotated(alternate, current).new
            users.append(login_of(current["url"]).user)
        assert users == [alternate.role(name) for name in ("app_b", "app_a", "app_b")]

    def test_a_password_with_its_user_in_another_field_is_rotated(self, alternate):
        alternate.field = "password"
        alternate.__class__ = type(
            "Harness",
            (type(alternate),),
            {"target": {**alternate.target, "user_field": "username"}},
        )
        current = {
            "password": Secret(alternate.password),
            "username": Secret(alternate.role("app_a")),
        }
        turn = begun(alternate, current)
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        assert turn.new["username"].reveal() == alternate.role("app_b")
        password = turn.new["password"].reveal()
        assert alternate.database.logs_in(alternate.role("app_b"), password)

    def test_a_password_without_a_user_is_refused(self, alternate):
        current = {"url": Secret(alternate.password)}
        error = refused(lambda: built(alternate).prepare(current), alternate.password)
        assert error.message == "the secret has a password but no user"

    def test_target_user_names_the_user_of_a_password(self, single):
        target = {**single.target, "user": single.role("app")}
        current = {"url": Secret(single.password)}
        new = built(single, target).create(current, built(single, target).prepare(current)).new
        built(single, target).set(current, new, {})
        assert single.database.logs_in(single.role("app"), new["url"].reveal())


class TestOwnership:
    @pytest.fixture
    def alternate(self, postgres):
        with ExitStack() as stack:
            yield AlternateHarness(postgres, stack)

    def test_objects_of_either_user_are_owned_by_the_owner_role(self, alternate):
        first = alternate.current()
        with session(alternate, first) as connection:
            connection.execute("CREATE TABLE orders (id int)")
        second = rotated(alternate, first).new
        with session(alternate, second) as connection:
            connection.execute("ALTER TABLE orders ADD COLUMN price int")
            connection.execute("CREATE TABLE more (id int)")
        owners = alternate.database.run(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        )
        assert owners == [(alternate.role("app"),)]


class TestSessions:
    def test_sessions_stay_open_by_default(self, alternate):
        first = alternate.current()
        with session(alternate, first) as connection:
            rotated(alternate, first)
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_terminate_ends_the_sessions_of_the_old_user_and_no_others(self, alternate):
        alternate.run(shown("postgres.md", "terminate.sql"))
        target = {**alternate.target, "terminate": True}
        first = alternate.current()
        built(alternate, target).prepare(first)
        turn = begun(alternate, first)
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        with session(alternate, turn.old) as old, session(alternate, turn.new) as new:
            for _ in range(2):
                step(built(alternate, target), "retire", turn)
            with pytest.raises(psycopg.OperationalError):
                old.execute("SELECT 1")
            assert new.execute("SELECT 1").fetchone() == (1,)

    def test_the_admin_needs_the_right_to_end_sessions(self, alternate):
        target = {**alternate.target, "terminate": True}
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert "may not end the sessions" in error.message
        assert "GRANT pg_signal_backend" in error.hint


class TestMissingRights:
    """Each missing right is named before any change, with the statement that fixes it."""

    @pytest.mark.parametrize(
        ("breaks", "message"),
        [
            (
                "ALTER ROLE app_b RESET ROLE",
                "objects created by 'app_b' would be owned by 'app_b', not by 'app'",
            ),
            ("REVOKE app FROM app_b", "'app_b' is not a member of 'app'"),
            ("ALTER ROLE app_b VALID UNTIL '2020-01-01'", "its VALID UNTIL has passed"),
        ],
    )
    def test_a_refusal_has_a_hint_whose_statement_fixes_it(self, alternate, breaks, message):
        names = ("app_a", "app_b", "app")
        for name in names:
            breaks = re.sub(rf"\b{name}\b", alternate.role(name), breaks)
            message = message.replace(f"'{name}'", f"'{alternate.role(name)}'")
        alternate.database.run(breaks)
        error = refused(lambda: built(alternate).prepare(alternate.current()))
        assert message in error.message
        alternate.database.run(error.hint.removeprefix("run: "))
        assert built(alternate).prepare(alternate.current()) == {}

    def test_an_admin_that_may_not_change_a_user_gets_a_hint(self, alternate):
        alternate.run("REVOKE app_b FROM envkit")
        error = refused(lambda: built(alternate).prepare(alternate.current()))
        assert "may not change the password of" in error.message
        assert "WITH ADMIN OPTION" in error.hint

    def test_a_statement_that_the_admin_may_not_run_is_a_denied_error(self, alternate):
        turn = begun(alternate, alternate.current())
        alternate.run("REVOKE app_b FROM envkit")
        error = refused(lambda: step(built(alternate), "set", turn))
        assert isinstance(error, DeniedError)
        assert "docs/reference/rotators/postgres.md" in error.hint

    def test_a_missing_role_is_named(self, alternate):
        target = {**alternate.target, "users": [alternate.role("app_a"), "nobody_of_that_name"]}
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert error.message == "the role 'nobody_of_that_name' does not exist"

    def test_a_user_of_the_secret_outside_target_users_is_refused(self, alternate):
        url = with_login(alternate.current()["url"], Login("somebody", Secret(CANARY)))
        error = refused(lambda: built(alternate).prepare({"url": url}), CANARY)
        assert "is not one of target.users" in error.message

    def test_a_user_that_does_not_become_the_owner_fails_the_test_step(self, alternate):
        turn = begun(alternate, alternate.current())
        step(built(alternate), "set", turn)
        alternate.run("ALTER ROLE app_b RESET ROLE")
        error = refused(lambda: step(built(alternate), "test", turn))
        assert f"does not switch to role '{alternate.role('app')}'" in error.message

    def test_single_user_rotation_names_the_right_that_the_admin_lacks(self, single):
        single.run("REVOKE app FROM envkit")
        error = refused(lambda: built(single).prepare(single.current()))
        assert "may not change the password" in error.message
        single.run("GRANT app TO envkit WITH ADMIN TRUE; ALTER ROLE app VALID UNTIL '2020-01-01'")
        error = refused(lambda: built(single).prepare(single.current()))
        assert "VALID UNTIL has passed" in error.message

    def test_rotation_leaves_valid_until_unchanged(self, alternate):
        alternate.run("ALTER ROLE app_b VALID UNTIL '2999-01-01'")
        rotated(alternate, alternate.current())
        (until,) = alternate.database.run(
            "SELECT rolvaliduntil::date::text FROM pg_roles "
            f"WHERE rolname = '{alternate.role('app_b')}'"
        )
        assert until == ("2999-01-01",)


class TestPasswords:
    def test_the_server_log_contains_no_password(self, alternate, postgres):
        first = rotated(alternate, alternate.current())
        second = rotated(alternate, first.new)
        log = postgres.log.read_text()
        altered = [line for line in log.splitlines() if "ALTER ROLE" in line and "SCRAM" in line]
        assert len(altered) >= 2, "the statements are not in the log, which then shows nothing"
        for fields in (first.new, second.new):
            assert login_of(fields["url"]).password.reveal() not in log

    def test_a_server_that_asks_for_no_password_is_refused(self, alternate, postgres):
        target = {**alternate.target, "dsn": self.trusting(alternate, postgres)}
        turn = begun(alternate, alternate.current())
        step(built(alternate), "set", turn)
        for call in (
            lambda: built(alternate, target).test(turn.new, {}),
            lambda: built(alternate, target).probe(alternate.wrong(turn.new), {}),
        ):
            error = refused(call)
            assert error.message == "the PostgreSQL server does not check passwords (trust)"
            assert "pg_hba.conf" in error.hint

    @staticmethod
    def trusting(harness, postgres):
        return postgres.dsn("trusting", harness.role("envkit"), harness.hidden[0])

    def test_a_password_that_the_server_always_refuses_is_reported(self, single, postgres):
        """The module `passwordcheck` can only compare a verifier with the user name."""
        admin = single.role("envkit")
        single.database.run(f"ALTER ROLE {admin} SET session_preload_libraries = 'passwordcheck'")
        current = single.current()
        same = Login(single.role("app"), Secret(single.role("app")))
        new = {"url": with_login(current["url"], same)}
        error = refused(lambda: built(single).set(current, new, {}))
        assert isinstance(error, RejectedError)
        assert single.works(current)

    def test_an_empty_password_never_logs_in(self, alternate, monkeypatch):
        monkeypatch.setenv("PGPASSWORD", alternate.password)
        login = Login(alternate.role("app_a"), Secret(""))
        fields = {"url": with_login(alternate.current()["url"], login)}
        assert built(alternate).probe(fields, {}) is False

    def test_any_text_can_be_a_password(self, single):
        for password in ("p@ss/w:rd?#", "'; DROP ROLE x; --", "pässwörd 密码", "%41", " x "):
            login = Login(single.role("app"), Secret(password))
            new = {"url": with_login(single.current()["url"], login)}
            built(single).set(single.current(), new, {})
            built(single).test(new, {})
            with session(single, new):
                pass


class TestRetirement:
    def test_a_user_whose_connection_limit_is_used_up_is_retired(self, alternate):
        """An old pool uses all the connections that the role may have."""
        alternate.run("ALTER ROLE app_a CONNECTION LIMIT 1")
        turn = begun(alternate, alternate.current())
        with session(alternate, turn.old):
            assert built(alternate).probe(turn.old, {}) is True
            for name in STEPS:
                step(built(alternate), name, turn)
        assert not alternate.works(turn.old)

    def test_a_user_whose_password_was_changed_meanwhile_is_left_alone(self, alternate):
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        alternate.run("ALTER ROLE app_a PASSWORD 'by hand'")
        step(built(alternate), "retire", turn)
        assert alternate.database.logs_in(alternate.role("app_a"), "by hand")

    def test_a_user_whose_password_has_expired_is_retired(self, alternate):
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        alternate.run("ALTER ROLE app_a VALID UNTIL '2020-01-01'")
        step(built(alternate), "retire", turn)
        alternate.run("ALTER ROLE app_a VALID UNTIL 'infinity'")
        assert not alternate.works(turn.old)


class TestLocks:
    def test_ownership_of_the_rotation_is_confirmed_inside_the_lock(self, alternate):
        turn = begun(alternate, alternate.current())
        held = []

        def confirm():
            held.append(alternate.database.run(_ADVISORY_LOCKS)[0][0])

        for name in STEPS:
            rotator = built(alternate)
            rotator._context = rotator._context._replace(confirm=confirm)
            step(rotator, name, turn)
        assert held == [1] * 4, (
            "before and after a user is let in, before and after one is locked out"
        )

    def test_concurrent_changes_of_one_role_do_not_fail(self, alternate):
        """Without a lock, PostgreSQL fails with 'tuple concurrently updated'."""
        turn = begun(alternate, alternate.current())
        errors = []

        def change():
            try:
                for _ in range(5):
                    step(built(alternate), "set", turn)
            except EnvkitError as error:
                errors.append(error)

        threads = [threading.Thread(target=change) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert alternate.works(turn.new)

    def test_a_lock_that_is_not_released_in_time_is_an_outage(self, alternate):
        turn = begun(alternate, alternate.current())
        holding, done = threading.Event(), threading.Event()

        def confirm():
            holding.set()
            done.wait(60)

        owner = built(alternate)
        owner._context = owner._context._replace(confirm=confirm)
        thread = threading.Thread(target=step, args=(owner, "set", turn))
        thread.start()
        try:
            assert holding.wait(60)
            rotator = built(alternate, timeout_seconds=1)
            error = refused(lambda: step(rotator, "set", turn))
        finally:
            done.set()
            thread.join()
        assert isinstance(error, UnavailableError)
        me = f"'envkit {socket.gethostname()[:40]} {os.getpid()}'"
        assert f"({me}) from 127.0.0.1 has the lock on this user since 20" in error.message
        assert "run: SELECT pg_terminate_backend(" in error.hint


class TestOutages:
    def test_a_wrong_admin_password_is_an_auth_error(self, alternate):
        target = {**alternate.target, "dsn": alternate.database.dsn("envkit_x", CANARY)}
        error = refused(lambda: built(alternate, target).prepare(alternate.current()), CANARY)
        assert isinstance(error, AuthError)

    @pytest.mark.parametrize("dsn", ["postgresql://a:pa/{}@db/app", "nonsense {}", "://"])
    def test_an_invalid_dsn_is_not_shown(self, alternate, dsn):
        target = {**alternate.target, "dsn": dsn.format(CANARY)}
        refused(lambda: built(alternate, target).prepare(alternate.current()), CANARY)

    def test_settings_of_the_dsn_are_passed_on(self, alternate):
        target = {**alternate.target, "dsn": f"{alternate.dsn}?sslmode=require"}
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert error.message.endswith("it does not support TLS, which the DSN requires")

    def test_a_dsn_of_keys_and_values_is_accepted(self, alternate):
        parts = psycopg.conninfo.conninfo_to_dict(alternate.dsn)
        dsn = psycopg.conninfo.make_conninfo(**parts, application_name="rotation")
        target = {**alternate.target, "dsn": dsn}
        assert built(alternate, target).prepare(alternate.current()) == {}

    def test_a_missing_database_is_named(self, alternate, postgres):
        dsn = postgres.dsn("nowhere", alternate.role("envkit"), alternate.hidden[0])
        target = {**alternate.target, "dsn": dsn}
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert error.message.endswith("there is no such database or user")

    def test_a_read_only_server_is_an_error_with_a_hint(self, alternate):
        turn = begun(alternate, alternate.current())
        alternate.run("ALTER ROLE envkit SET default_transaction_read_only = on")
        error = refused(lambda: step(built(alternate), "set", turn))
        assert type(error) is SourceError
        assert "target_session_attrs=read-write" in error.hint

    def test_an_expired_deadline_is_unavailable(self, alternate):
        rotator = built(alternate, timeout_seconds=0)
        error = refused(lambda: rotator.prepare(alternate.current()))
        assert isinstance(error, UnavailableError)

    def test_a_server_that_falls_silent_after_the_login_is_unavailable(self, alternate, postgres):
        with relay_that_stops(postgres.port, b"pg_advisory_xact_lock") as port:
            dsn = alternate.dsn.replace(f":{postgres.port}/", f":{port}/")
            rotator = built(alternate, {**alternate.target, "dsn": dsn}, timeout_seconds=2)
            error = refused(lambda: patiently(lambda: rotator.prepare(alternate.current())))
        assert isinstance(error, UnavailableError)


_ADVISORY_LOCKS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextlib.contextmanager
def relay_that_stops(port, at):
    """Yield the port of a relay that falls silent once it has read these bytes."""
    listener = socket.create_server((HOST, 0))
    ends = []

    def relay():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((HOST, port))
                ends.extend((client, server))
                for one, other, word in ((client, server, at), (server, client, None)):
                    threading.Thread(target=pump, args=(one, other, word), daemon=True).start()

    def pump(one, other, word):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if word and word in data:
                    return
                other.sendall(data)

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for end in ends:
            end.close()
        thread.join()
