"""What only a real Valkey shows of its rotator: users, their hashes, the ACL file, connections."""

from contextlib import ExitStack
from hashlib import sha256

import pytest
import redis

from envkit.errors import AuthError, DeniedError, RotationError
from envkit.rotation.rotators.login import login_of
from envkit.secret import Secret
from envkit.testing.rotator_harness import STEPS, begun, built, rotated, step
from support.rotators import CANARY, RedisHarness, refused
from support.valkey import Valkey


@pytest.fixture
def harness(valkey):
    with ExitStack() as stack:
        yield RedisHarness(valkey, stack)


def digest(fields):
    return sha256(login_of(fields["url"]).password.to_bytes()).hexdigest()


class TestTheSecret:
    def test_nothing_but_the_password_changes_in_a_url(self, harness):
        old = harness.current()["url"].reveal()
        new = rotated(harness, harness.current()).new
        password = login_of(new["url"]).password.reveal()
        assert new["url"].reveal() == old.replace(f":{harness.password}@", f":{password}@")

    def test_a_password_alone(self, harness):
        target = {**harness.target, "user": harness.user}
        current = {"url": Secret(harness.password)}
        assert built(harness, target).probe(current, {}) is True
        new = built(harness, target).create(current, {}).new
        built(harness, target).set(current, new, {})
        assert harness.server.logs_in(harness.user, new["url"].reveal())

    @pytest.mark.parametrize("password", ["p@ss w/rd:?#", "pässwörd 密码", "%41", "#>!"])
    def test_any_text_can_be_one(self, harness, password):
        target = {**harness.target, "user": harness.user}
        new = {"url": Secret(password)}
        built(harness, target).set({"url": Secret(harness.password)}, new, {})
        built(harness, target).test(new, {})
        assert harness.server.logs_in(harness.user, password)


class TestUsers:
    def test_other_passwords_of_the_user_stay(self, harness):
        harness.ask("ACL", "SETUSER", harness.user, ">somebody-else-s")
        rotated(harness, harness.current())
        assert harness.server.logs_in(harness.user, "somebody-else-s")

    def test_one_that_is_not_there_is_not_made(self, harness):
        turn = begun(harness, harness.current())
        harness.ask("ACL", "DELUSER", harness.user)
        for call in (
            lambda: built(harness).prepare(turn.old),
            lambda: step(built(harness), "set", turn),
        ):
            assert "has no such user" in refused(call).message
        step(built(harness), "retire", turn)
        assert harness.ask("ACL GETUSER", harness.user) is None

    def test_one_that_takes_any_password_is_refused(self, harness):
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        harness.ask("ACL", "SETUSER", harness.user, "nopass")
        for call in (
            lambda: built(harness).prepare(turn.old),
            lambda: step(built(harness), "test", turn),
        ):
            assert "(nopass)" in refused(call).message

    def test_one_that_is_off_is_refused(self, harness):
        harness.ask("ACL", "SETUSER", harness.user, "off")
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert error.message.startswith("the secret's user is switched off")

    def test_a_password_that_is_gone_before_it_is_removed(self, harness):
        """Between the look and the removal, somebody else was faster."""
        turn = begun(harness, harness.current())
        for name in STEPS[:-1]:
            step(built(harness), name, turn)
        rotator = built(harness)

        def somebody_is_faster():
            harness.ask("ACL", "SETUSER", harness.user, f"!{digest(turn.old)}")

        rotator._context = rotator._context._replace(confirm=somebody_is_faster)
        step(rotator, "retire", turn)
        assert harness.hashes() == [digest(turn.new)]


class TestConnections:
    def test_they_stay_open_unless_it_is_said(self, harness):
        first = harness.current()
        with self.connected(harness) as client:
            rotated(harness, first)
            assert is_open(client.connection)

    def test_they_are_closed_where_it_is_said(self, harness):
        target = {**harness.target, "terminate": True}
        turn = begun(harness, harness.current())
        for name in STEPS[:-1]:
            step(built(harness), name, turn)
        with self.connected(harness) as client:
            for _ in range(2):
                step(built(harness, target), "retire", turn)
            assert not is_open(client.connection)

    @staticmethod
    def connected(harness):
        return redis.Redis.from_url(
            harness.current()["url"].reveal(), single_connection_client=True, socket_timeout=30
        )


def is_open(connection):
    """Whether the server still has a connection; a client would make another one."""
    try:
        connection.send_command("PING")
        return connection.read_response() in ("PONG", b"PONG")
    except redis.ConnectionError:
        return False


class TestWhatOutlivesARestart:
    def test_the_file_has_what_the_server_has(self, harness):
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        assert digest(turn.new) in harness.saved()
        assert digest(turn.old) in harness.saved()
        step(built(harness), "retire", turn)
        assert digest(turn.new) in harness.saved()
        assert digest(turn.old) not in harness.saved()

    def test_a_crash_before_the_users_are_saved_is_made_good(self, harness):
        turn = begun(harness, harness.current())
        harness.ask("ACL", "SETUSER", harness.user, f"#{digest(turn.new)}")
        assert digest(turn.new) not in harness.saved()
        step(built(harness), "set", turn)
        assert digest(turn.new) in harness.saved()
        harness.ask("ACL", "SETUSER", harness.user, f"!{digest(turn.old)}")
        step(built(harness), "retire", turn)
        assert digest(turn.old) not in harness.saved()

    def test_a_server_that_is_restarted_knows_the_new_password(self, tmp_path):
        with Valkey(tmp_path) as server, ExitStack() as stack:
            harness = RedisHarness(server, stack)
            turn = rotated(harness, harness.current())
            server.stop()
            server.start()
            assert harness.works(turn.new)
            assert not harness.works(turn.old)

    def test_a_server_without_a_file_is_refused(self, tmp_path):
        with Valkey(tmp_path, with_acl_file=False) as server:
            admin = server.url()
            harness = BareHarness(server, {"url": admin})
            error = refused(lambda: built(harness).prepare(harness.current()))
            assert "after its next restart it would not know the new password" in error.message
            assert "save = false" in error.hint
            harness = BareHarness(server, {"url": admin, "save": False})
            turn = rotated(harness, harness.current())  # of the default user
            assert server.logs_in("default", login_of(turn.new["url"]).password.reveal())
            assert not server.logs_in("default", server.password)


class BareHarness:
    """The default user of a server, whose password came from `requirepass`."""

    kind, field, generate, hidden = RedisHarness.kind, "url", {}, ()

    def __init__(self, server, target):
        self.server, self.target = server, target

    def current(self):
        return {"url": Secret(self.server.url().replace("//default:", "//:"))}


class TestNodes:
    def test_every_node_is_told(self, harness, tmp_path):
        with Valkey(tmp_path) as second:
            with second.connect() as client:
                for user, password in (
                    (harness.user, harness.password),
                    (harness.admin, harness.hidden[0]),
                ):
                    rules = ("on", f">{password}", "+@all")
                    client.execute_command("ACL", "SETUSER", user, *rules)
            target = {"url": [harness.url, second.url(harness.admin, harness.hidden[0])]}
            turn = begun(harness, harness.current())
            password = login_of(turn.new["url"]).password.reveal()
            step(built(harness), "set", turn)
            assert built(harness, target).probe(turn.new, {}) is False
            refused(lambda: step(built(harness, target), "test", turn))
            for name in STEPS:
                step(built(harness, target), name, turn)
            assert second.logs_in(harness.user, password)
            assert not second.logs_in(harness.user, harness.password)

    @pytest.mark.parametrize("url", [[], [1], ["redis://x", ""]])
    def test_no_url_at_all(self, harness, url):
        error = refused(lambda: built(harness, {"url": url}))
        assert error.message == "test.toml: target: 'target.url' must be a URL, or a list of them"


class TestOutages:
    def test_the_admin_s_password_is_wrong(self, harness):
        target = {"url": harness.server.url(harness.admin, CANARY)}
        error = refused(lambda: built(harness, target).prepare(harness.current()))
        assert isinstance(error, AuthError)

    def test_what_the_admin_may_not_do_is_a_denial(self, harness):
        harness.ask("ACL", "SETUSER", harness.admin, "-acl|setuser")
        turn = begun(harness, harness.current())
        error = refused(lambda: step(built(harness), "set", turn))
        assert isinstance(error, DeniedError)
        assert "docs/guide/rotators/redis.md" in error.hint

    @pytest.mark.parametrize("url", ["redis://a:pa/{}@x", "redis://h:{}", "{}", "http://{}"])
    def test_a_url_that_is_none_is_not_shown(self, harness, url):
        target = {"url": url.format(CANARY)}
        error = refused(lambda: built(harness, target).prepare(harness.current()))
        assert isinstance(error, RotationError)
        assert error.message == "'target.url' is not the URL of a server"

    def test_a_url_without_a_login_in_the_secret(self, harness):
        error = refused(lambda: built(harness).prepare({"url": Secret(f"redis://{CANARY}:1")}))
        assert error.message == "the secret is a URL without a user and a password in it"
