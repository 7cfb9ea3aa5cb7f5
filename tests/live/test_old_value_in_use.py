"""Who still uses an old credential, as PostgreSQL, IAM and Valkey say, and that it is kept."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from envkit.errors import DeniedError
from envkit.rotation.rotators.aws_iam_key import SPAN_SECONDS
from envkit.rotation.rotators.postgres import change
from envkit.rotation.rotators.registry import build
from envkit.rotation_state.evidence import Usage
from envkit.testing.rotator_harness import begun, built, step
from support.aws import admin_client
from support.living import until
from support.postgres_rotations import of
from support.rotating import Rotating
from support.rotators import AlternateHarness, IamHarness, RedisHarness, shown

GRACE, QUIET = 900.0, 300.0


def promoted(harness):
    """Rotate up to the grace period, and return the turn."""
    turn = begun(harness, harness.current())
    for name in ("set", "test"):
        step(built(harness), name, turn)
    return turn


class TestPostgres:
    def connect(self, turn, fields="old", **options):
        url = getattr(turn, fields)["url"].reveal()
        return psycopg.connect(url, autocommit=True, **options)

    def test_an_admin_sees_who_has_sessions_but_not_from_where(self, alternate):
        turn = promoted(alternate)
        with (
            self.connect(turn, application_name="gunicorn"),
            self.connect(turn, application_name="gunicorn"),
            self.connect(turn, "new", application_name="other"),
        ):
            usage = of(alternate).in_use(turn.old, turn.facts)
        [reader] = usage.readers
        assert (reader.user, reader.application) == (alternate.role("app_a"), "gunicorn")
        assert (reader.sessions, reader.address, reader.since) == (2, "", 0.0)
        assert "GRANT pg_read_all_stats TO" in usage.not_visible

    def test_with_pg_read_all_stats_an_admin_sees_addresses(self, alternate):
        alternate.run(shown("postgres.md", "addresses.sql"))
        turn = promoted(alternate)
        begun_at = time.time()
        with self.connect(turn, application_name="gunicorn"):
            usage = of(alternate).in_use(turn.old, turn.facts)
        [reader] = usage.readers
        assert (reader.address, usage.not_visible) == ("127.0.0.1", "")
        assert abs(reader.since - begun_at) < 60

    def test_a_replica_that_follows_with_the_old_login_is_a_session(self, alternate):
        alternate.database.run(f'ALTER ROLE "{alternate.role("app_a")}" REPLICATION')
        turn = promoted(alternate)
        replica = psycopg.pq.PGconn.connect(
            turn.old["url"].reveal().encode() + b"&replication=database&application_name=standby"
        )
        assert replica.status == psycopg.pq.ConnStatus.OK, replica.error_message
        try:
            [reader] = of(alternate).in_use(turn.old, turn.facts).readers
        finally:
            replica.finish()
        assert (reader.application, reader.sessions) == ("standby", 1)

    def test_without_a_session_there_is_no_reader(self, alternate):
        turn = promoted(alternate)
        with self.connect(turn):
            pass
        until(lambda: of(alternate).in_use(turn.old, turn.facts) == Usage())

    def test_one_look_also_sees_a_session_that_begins_a_moment_later(self, alternate, monkeypatch):
        monkeypatch.setattr(change, "_MORE_LOOKS", 10_000)
        turn = promoted(alternate)
        looks = f"query ~ 'pg_stat_clear_snapshot' AND usename = '{alternate.role('envkit')}'"
        with ThreadPoolExecutor(1) as pool:
            look = pool.submit(of(alternate).in_use, turn.old, turn.facts)
            until(lambda: alternate.database.run(f"SELECT 1 FROM pg_stat_activity WHERE {looks}"))
            with self.connect(turn, application_name="gunicorn"):
                usage = look.result()
        assert [one.application for one in usage.readers] == ["gunicorn"]

    def test_an_old_user_with_a_session_is_retired_once_it_disconnects(
        self, alternate, tmp_path, monkeypatch
    ):
        """The whole rotation, with the secret in a `.env` file."""
        url = alternate.current()["url"].reveal()
        target = ", ".join(
            f"{key} = {str(value).replace(chr(39), chr(34))}"
            if isinstance(value, list)
            else f'{key} = "{value}"'
            for key, value in alternate.target.items()
        )
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "prod.toml").write_text(
            '[rotation.db]\nsecret = "dotenv:URL"\nrotator = "postgres"\nevery = "30d"\n'
            f"target = {{ {target} }}\n"
        )
        (tmp_path / ".env.prod").write_text(f"URL='{url}'\n")
        (tmp_path / ".env.prod").chmod(0o600)
        rotating = Rotating(
            tmp_path / "profiles", {"ENVKIT_AUDIT": "off", "XDG_STATE_HOME": f"{tmp_path}/state"}
        )
        with psycopg.connect(url, application_name="gunicorn") as app:
            app.execute("SELECT 1")
            assert rotating.run().status == "in-grace"
            rotating.now += GRACE
            kept = rotating.run()
            assert (kept.status, "'gunicorn'" in kept.reason) == ("in-use", True)
            assert alternate.works(alternate.current())
        until(lambda: not self.sessions(alternate))
        rotating.now += QUIET
        assert rotating.run().status == "rotated"
        assert not alternate.works(alternate.current())

    def test_a_login_trigger_records_connections_that_no_look_sees(self, postgres):
        with ExitStack() as stack:
            harness = AlternateHarness(postgres, stack)
            harness.database.run(shown("postgres.md", "logins.sql"))
            url = harness.current()["url"].reveal()
            for _ in range(2):
                psycopg.connect(url, application_name="cron job").close()
            found = harness.database.run(
                f"SELECT address, application FROM logins WHERE usename = '{harness.role('app_a')}'"
            )
        assert found == [("127.0.0.1", "cron job")]

    def sessions(self, alternate):
        return alternate.database.run(
            f"SELECT 1 FROM pg_stat_activity WHERE usename = '{alternate.role('app_a')}'"
        )


class TestIamKey:
    @pytest.fixture
    def harness(self, aws):
        return IamHarness(aws)

    def rotator(self, harness, changed_at):
        context = built(harness)._context._replace(changed_at=changed_at)
        return build(harness.kind, context, lambda table: table)

    def test_a_key_that_was_used_after_the_change_is_in_use(self, harness):
        old = harness.current()
        assert self.rotator(harness, 0.0).in_use(old, {}) == Usage(), "it was never used"
        key = {name: value.reveal() for name, value in old.items()}
        sts = admin_client(
            harness.server_url,
            "sts",
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
        )
        before = time.time() - 60
        sts.get_caller_identity()
        [reader] = self.rotator(harness, before).in_use(old, {}).readers
        assert (reader.user, reader.sessions) == (harness.user, 0)
        assert reader.application.startswith("sts in ")
        assert reader.seen_at > before
        [reader] = self.rotator(harness, time.time() + 60).in_use(old, {}).readers
        assert reader.application.endswith(", before the change"), "IAM records one use in 15 min"
        after = time.time() + SPAN_SECONDS + 60
        assert self.rotator(harness, after).in_use(old, {}) == Usage(), "not since the change"

    def test_a_key_that_was_deleted_is_not_in_use(self, harness):
        gone = harness.wrong(harness.current())
        assert self.rotator(harness, 0.0).in_use(gone, {}) == Usage()


class TestValkey:
    @pytest.fixture
    def harness(self, valkey):
        with ExitStack() as stack:
            yield RedisHarness(valkey, stack)

    def looked(self, harness, changed_seconds_ago):
        context = built(harness)._context._replace(changed_at=time.time() - changed_seconds_ago)
        return build(harness.kind, context, lambda table: table).in_use(harness.current(), {})

    def test_only_connections_from_before_the_change_count(self, harness):
        import redis

        with redis.Redis.from_url(
            harness.current()["url"].reveal(), client_name="worker"
        ) as client:
            client.ping()
            assert self.looked(harness, 60) == Usage(), "it was opened after the change"
            [reader] = self.looked(harness, -5).readers
            assert (reader.user, reader.application) == (harness.user, "worker")
            assert (reader.address, reader.sessions) == ("127.0.0.1", 1)

    def test_an_admin_needs_client_list(self, harness):
        harness.ask("ACL", "SETUSER", harness.admin, "-client|list")
        with pytest.raises(DeniedError, match="may not run CLIENT LIST"):
            self.looked(harness, 60)
