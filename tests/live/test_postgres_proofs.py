"""What a PostgreSQL rotation verifies on a real server during and after a change."""

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from envkit.errors import ConflictError, UnavailableError
from envkit.rotation.rotators.login import Login, with_login
from envkit.rotation.rotators.postgres.connection import SILENCE_SECONDS
from envkit.secret import Secret
from envkit.testing.rotator_harness import STEPS, Turn, begun, built, step
from support.postgres_rotations import of, unchanged, user_of, whole
from support.rotators import AlternateHarness, refused, shown


class TestOwnPassword:
    """A user that may change nothing but its own password rotates itself."""

    @pytest.fixture
    def app(self, single):
        dsn = single.current()["url"].reveal()
        return single, {"dsn": dsn, "user": single.role("app")}

    def test_a_user_that_may_only_change_its_own_password_is_rotated(self, app):
        single, target = app
        turn = whole(single, single.current(), target, own_login=True)
        assert single.works(turn.new)

    @pytest.mark.parametrize("done", range(len(STEPS)))
    def test_an_own_password_rotation_is_rolled_back_from_every_phase(self, app, done):
        single, target = app
        turn = begun(single, single.current())
        for name in STEPS[:done]:
            step(of(single, target, own_login=True), name, turn)
        for _ in range(2):
            of(single, target, own_login=True).retire(turn.new, turn.old, turn.facts)
        assert single.works(turn.old)
        assert of(single, target, own_login=True).is_dead(turn.new, turn.old, {})

    def test_an_own_password_rotation_resumes_with_the_new_password_in_the_dsn(self, app):
        single, target = app
        turn = begun(single, single.current())
        step(of(single, target, own_login=True), "set", turn)
        promoted = {**target, "dsn": turn.new["url"].reveal()}
        of(single, promoted, own_login=True, end_sessions=True).retire(turn.old, turn.new, {})
        of(single, promoted, own_login=True).retire(turn.new, turn.old, {})
        assert single.works(turn.old)


class TestFence:
    def test_a_change_is_rolled_back_when_another_process_advanced_the_rotation(self, either):
        turn = begun(either, either.current())

        def conflict_after(name, turn):
            calls = []

            def confirm():
                calls.append(1)
                if len(calls) > 1:
                    raise ConflictError("another process")

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

    def test_a_stopped_process_loses_its_transaction_and_its_lock(self, alternate, tmp_path):
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
            assert child.communicate(timeout=30)[0] == "TargetUnavailableError\n"
        finally:
            child.kill()
            child.wait()
        assert alternate.works(turn.new)
        assert SILENCE_SECONDS < 30

    def test_sessions_name_their_host_and_process(self, alternate):
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


# a short timeout keeps the test short; the process is paused inside its transaction
STOPPED = """
import sys
from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.rotation.rotators.postgres import change as postgres_change
from envkit.rotation.rotators.postgres.server import Server
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


class TestProofOfRetirement:
    def test_no_credential_is_dead_before_it_is_retired(self, alternate):
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
            assert built(alternate).is_dead(turn.old, turn.new, turn.facts) is False
        step(built(alternate), "retire", turn)
        assert built(alternate).is_dead(turn.old, turn.new, turn.facts) is True
        assert built(alternate).is_dead({}, turn.new, turn.facts) is True

    def test_a_user_removed_from_the_target_is_not_dead(self, alternate):
        """After `users` was edited in the grace period, nothing is retired, and is_dead says so."""
        turn = begun(alternate, alternate.current())
        for name in STEPS[:-1]:
            step(built(alternate), name, turn)
        users = [alternate.role("app_b"), alternate.role("app_c")]
        edited = {**alternate.target, "users": users}
        of(alternate, edited).retire(turn.old, turn.new, turn.facts)
        assert of(alternate, edited).is_dead(turn.old, turn.new, turn.facts) is False

    def test_a_role_at_its_limit_is_not_dead_and_a_disabled_one_is(self, single):
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

    def test_an_unreachable_server_does_not_prove_a_credential_dead(self, either):
        with pytest.raises(UnavailableError):
            of(either, either.unavailable()).is_dead(either.current(), either.current(), {})


class TestRemainingLogin:
    def test_retire_never_changes_the_user_of_the_remaining_login(self, either):
        """The old login may have another password, or another user."""
        current = either.current()
        kept = either.wrong(current)
        for gone, keep in ((current, kept), (kept, current), (current, current)):
            either_before = either.database.run(ROLES)
            if isinstance(either, AlternateHarness):
                step(built(either), "retire", Turn(gone, keep, {}))
                assert either.database.run(ROLES) == either_before

    def test_retire_leaves_a_single_user_alone_when_the_secret_names_another(self, single):
        turn = begun(single, single.current())
        step(built(single), "set", turn)
        admin = {"url": Secret(single.database.dsn("postgres", "not the password"))}
        before = single.database.run(ROLES)
        built(single).retire(turn.old, admin, {})
        built(single).retire(turn.new, admin, {})
        assert single.database.run(ROLES) == before

    def test_retire_leaves_a_third_password_of_a_single_user_alone(self, single):
        turn = begun(single, single.current())
        step(built(single), "set", turn)
        single.run("ALTER ROLE app PASSWORD 'by hand'")
        built(single).retire(turn.new, turn.old, {})
        assert single.database.logs_in(single.role("app"), "by hand")

    def test_rollback_does_not_set_a_password_that_was_never_set(self, single):
        """A secret from a backup does not work, and a rollback does not change that."""
        wrong = single.wrong(single.current())
        turn = Turn(
            wrong, {"url": with_login(wrong["url"], Login(user_of(single), Secret("n")))}, {}
        )
        built(single).retire(turn.new, turn.old, {})
        unchanged(single)


ROLES = "SELECT rolname, rolcanlogin, rolpassword FROM pg_authid ORDER BY rolname"


class TestSessions:
    @pytest.mark.parametrize("asked", ["target", "context"])
    def test_retire_ends_the_sessions_of_the_old_login_when_requested(self, either, asked):
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

    def test_the_admin_needs_the_right_to_end_sessions(self, either):
        rotator = of(either, end_sessions=True)
        error = refused(lambda: rotator.prepare(either.current()))
        assert "GRANT pg_signal_backend" in error.hint
