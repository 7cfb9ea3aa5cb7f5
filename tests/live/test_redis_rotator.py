"""What only a real Valkey shows of its rotator: users, their hashes, the ACL file, connections."""

import random
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from threading import Event

import pytest
import redis

from envkit.errors import AuthError, DeniedError, RotationError
from envkit.rotation.rotators.login import Login, login_of, with_login
from envkit.secret import Secret
from envkit.testing.rotator_harness import STEPS, Turn, begun, built, overtaken, rotated, step
from support.rotators import CANARY, RedisHarness, refused
from support.sleeper import Sleeper
from support.valkey import Valkey


@pytest.fixture
def harness(valkey):
    with ExitStack() as stack:
        yield RedisHarness(valkey, stack)


def digest(fields):
    return sha256(login_of(fields["url"]).password.to_bytes()).hexdigest()


class TestSecret:
    def test_nothing_but_the_password_changes_in_a_url(self, harness):
        old = harness.current()["url"].reveal()
        new = rotated(harness, harness.current()).new
        password = login_of(new["url"]).password.reveal()
        assert new["url"].reveal() == old.replace(f":{harness.password}@", f":{password}@")

    def test_a_password_without_a_url_is_rotated(self, harness):
        target = {**harness.target, "user": harness.user}
        current = {"url": Secret(harness.password)}
        assert built(harness, target).probe(current, {}) is True
        new = built(harness, target).create(current, {}).new
        built(harness, target).set(current, new, {})
        assert harness.server.logs_in(harness.user, new["url"].reveal())

    @pytest.mark.parametrize("password", ["p@ss w/rd:?#", "pässwörd 密码", "%41", "#>!"])
    def test_a_redis_password_can_be_any_text(self, harness, password):
        target = {**harness.target, "user": harness.user}
        new = {"url": Secret(password)}
        built(harness, target).set({"url": Secret(harness.password)}, new, {})
        built(harness, target).test(new, {})
        assert harness.server.logs_in(harness.user, password)


class TestPreflight:
    """The secret is verified before anything is changed."""

    @pytest.mark.parametrize(
        ("secret", "target", "message"),
        [
            ("redis://{user}:{password}@{server}", {}, None),
            ("redis://{user}:{password}@{server}", {"user": "{user}"}, None),
            ("{password}", {"user": "{user}"}, None),
            ("redis://{other}:{password}@{server}", {"user": "{user}"}, "is not a login of"),
            ("redis://:{password}@{server}", {"user": "{user}"}, "is not a login of"),
            ("redis://{user}:{password}@elsewhere:1", {}, "login at elsewhere:1, but 'target.url'"),
            ("redis://{user}:{password}@elsewhere:1", {"server": "any"}, None),
            ("redis://{user}:{password}@{server}", {"url": "redis://{admin}@LOCALHOST:1"}, "names"),
            ("{admin_url}", {}, "is the login of the admin of target.url"),
            ("{admin_url}", {"user": "{admin}"}, "is the login of the admin of target.url"),
            ("redis://{user}:{canary}@{server}", {}, "is refused by a server of target.url"),
            ("redis://{user}:{canary}@{server}", {"verify_current": False}, None),
        ],
    )
    def test_a_secret_that_is_not_a_working_login_of_this_user_and_server_is_refused(
        self, harness, secret, target, message
    ):
        names = {
            "user": harness.user,
            "other": harness.server.user("other"),
            "password": harness.password,
            "server": harness.url.rpartition("@")[2],
            "admin": harness.admin,
            "admin_url": harness.url,
            "canary": CANARY,
        }
        filled = {
            key: text.format(**names) if isinstance(text, str) else text
            for key, text in target.items()
        }
        rotator = built(harness, {**harness.target, **filled})
        current = {"url": Secret(secret.format(**names))}
        if message is None:
            assert set(rotator.prepare(current)) == {"extra_passwords"}
        else:
            error = refused(lambda: rotator.prepare(current), harness.password)
            assert message in error.message
            assert error.hint
        assert harness.hashes() == [sha256(harness.password.encode()).hexdigest()]

    @pytest.mark.parametrize("key", ["server", "replicas"])
    def test_target_server_and_target_replicas_accept_only_any(self, harness, key):
        error = refused(lambda: built(harness, {**harness.target, key: "some"}))
        assert error.message.endswith(f"'target.{key}' has one possible value, \"any\"")

    def test_describe_target_names_the_servers_and_the_user(self, harness):
        urls = ["redis://admin:x@Cache", "rediss://admin:x@cache-2:7000", "{{ vault:a#b }}"]
        described = built(harness, {"url": urls, "user": "app"}).describe_target()
        assert described == "cache:6379, cache-2:7000, a server, user app"


class TestUnknownPasswords:
    def test_other_passwords_of_the_user_are_preserved_and_counted(self, harness):
        harness.ask("ACL", "SETUSER", harness.user, ">somebody-else-s", ">another")
        facts = built(harness).prepare(harness.current())
        assert facts == {"extra_passwords": "2"}
        rotated(harness, harness.current())
        assert harness.server.logs_in(harness.user, "somebody-else-s")

    def test_passwords_that_envkit_created_are_removed_with_the_old_one(self, harness):
        lost = sha256(b"lost").hexdigest()
        harness.ask("ACL", "SETUSER", harness.user, f"#{lost}", ">somebody-else-s")
        turn = begun(harness, harness.current())
        issued = (lost, digest(turn.new), digest(turn.old))
        assert built(harness, issued=issued).prepare(turn.old) == {"extra_passwords": "1"}
        step(built(harness), "set", turn)
        assert built(harness, issued=issued).is_dead(turn.old, turn.new, turn.facts) is False
        step(built(harness), "retire", turn)
        assert built(harness, issued=issued).is_dead(turn.old, turn.new, turn.facts) is False
        step(built(harness, issued=issued), "retire", turn)
        assert built(harness, issued=issued).is_dead(turn.old, turn.new, turn.facts) is True
        kept = {digest(turn.new), sha256(b"somebody-else-s").hexdigest()}
        assert set(harness.hashes()) == kept

    def test_passwords_are_preserved_when_the_secret_is_no_longer_a_login(self, harness):
        """The store has another value, so the password that readers need is unknown."""
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        rotator = built(harness, issued=(digest(turn.old), digest(turn.new)))
        rotator.retire(turn.new, {"url": Secret("redis://no-login")}, turn.facts)
        rotator.retire({}, {"url": Secret("redis://no-login")}, turn.facts)
        assert harness.hashes() == [digest(turn.old)]


class TestFences:
    PAUSES = 10

    def test_a_paused_process_does_not_restore_a_retired_password(self, harness, tmp_path):
        """The process is paused at any point after `confirm`, while others rotate twice."""
        state = tmp_path / "state"
        current = harness.current()
        with Sleeper() as sleeper:

            def job(turn):
                state.write_text(digest(turn.new))
                old, new = turn.old["url"].reveal(), turn.new["url"].reveal()
                target = dict(harness.target)
                return {"target": target, "old": old, "new": new, "state": str(state)}

            turn = begun(harness, current)
            lines = sleeper.lines(job(turn))
            assert harness.works(turn.new)
            step(built(harness), "retire", turn)
            current = turn.new
            for line in random.sample(range(1, lines + 1), self.PAUSES):
                late = begun(harness, current)
                sleeper.fall_asleep(job(late), line)
                for name in STEPS:
                    step(built(harness), name, late)
                current = rotated(harness, late.new).new
                state.write_text(digest(current))
                assert sleeper.wake() == "ConflictError", f"stopped at line {line} of {lines}"
                assert harness.hashes() == [digest(current)], f"at line {line} of {lines}"
                assert digest(late.new) not in harness.saved(), f"at line {line} of {lines}"

    def test_a_password_that_another_process_added_is_not_removed(self, harness):
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        built(harness, **overtaken()).set(turn.old, turn.new, turn.facts)
        assert harness.works(turn.new)

    def test_a_password_that_may_have_been_added_is_settled(self, harness, monkeypatch):
        """The answer of the server is lost."""
        turn = begun(harness, harness.current())
        settled = []
        rotator = built(harness, settle=lambda fields, take_back: settled.append(take_back))
        rotator._context = rotator._context._replace(
            confirm=lambda: harness.ask("CLIENT", "KILL", "USER", harness.admin)
        )
        refused(lambda: rotator.set(turn.old, turn.new, turn.facts))
        (take_back,) = settled
        harness.ask("ACL", "SETUSER", harness.user, f"#{digest(turn.new)}")
        take_back()
        assert harness.hashes() == [digest(turn.old)]


class TestOwnLogin:
    """`target.url` contains the secret that is rotated."""

    @pytest.fixture
    def harness(self, harness):
        harness.ask("ACL", "SETUSER", harness.user, "+@all")
        return harness

    @pytest.mark.parametrize("known", ["old", "new"])
    def test_an_admin_that_rotates_itself_can_log_in_in_every_phase(self, harness, known):
        """A run reads the URL once, before or after the promotion."""
        turn = begun(harness, harness.current())
        own = {"old": turn.old, "new": turn.new}[known]["url"].reveal()
        target = {"url": own, "user": harness.user, "terminate": True}

        def rotator():
            return built(harness, target, own_login=True)

        if known == "old":
            rotator().prepare(turn.old)
        for name in STEPS:
            step(rotator(), name, turn)
        assert rotator().probe(turn.new, turn.facts) is True
        assert rotator().is_dead(turn.old, turn.new, turn.facts) is True
        step(rotator(), "retire", turn)
        assert harness.hashes() == [digest(turn.new)]

    def test_the_rotated_password_is_not_tried_for_another_admin(self, harness):
        url = with_login(harness.url, Login(harness.admin, Secret(CANARY))).reveal()
        rotator = built(harness, {"url": url, "user": harness.user}, own_login=True)
        assert isinstance(refused(lambda: rotator.prepare(harness.current())), AuthError)

    def test_rotation_of_the_admin_login_needs_target_user(self, harness):
        own = {"url": harness.current()["url"].reveal()}
        error = refused(lambda: built(harness, own, own_login=True).prepare(harness.current()))
        assert error.message == "the secret is the login of the admin of target.url"


class TestUsers:
    def test_a_missing_user_is_not_created(self, harness):
        turn = begun(harness, harness.current())
        harness.ask("ACL", "DELUSER", harness.user)
        for call in (
            lambda: built(harness).prepare(turn.old),
            lambda: step(built(harness), "set", turn),
        ):
            assert "does not know the secret's user" in refused(call).message
        step(built(harness), "retire", turn)
        assert harness.ask("ACL GETUSER", harness.user) is None

    def test_a_user_that_accepts_any_password_is_refused(self, harness):
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        harness.ask("ACL", "SETUSER", harness.user, "nopass")
        for call in (
            lambda: built(harness).prepare(turn.old),
            lambda: step(built(harness), "test", turn),
        ):
            assert "(nopass)" in refused(call).message

    def test_a_disabled_user_is_refused(self, harness):
        harness.ask("ACL", "SETUSER", harness.user, "off")
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert error.message.startswith("the secret's user is disabled")

    def test_a_password_that_is_gone_before_its_removal_is_not_an_error(self, harness):
        """Another process removed the password between the check and the removal."""
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
    def test_connections_stay_open_by_default(self, harness):
        first = harness.current()
        with self.connected(harness) as client:
            rotated(harness, first)
            assert is_open(client.connection)

    def test_terminate_closes_the_connections_of_the_user(self, harness):
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
    """Whether the server still has the connection; a client would open another one."""
    try:
        connection.send_command("PING")
        return connection.read_response() in ("PONG", b"PONG")
    except redis.ConnectionError:
        return False


class TestPersistence:
    def test_the_acl_file_has_the_passwords_of_the_server(self, harness):
        turn = begun(harness, harness.current())
        step(built(harness), "set", turn)
        assert digest(turn.new) in harness.saved()
        assert digest(turn.old) in harness.saved()
        step(built(harness), "retire", turn)
        assert digest(turn.new) in harness.saved()
        assert digest(turn.old) not in harness.saved()

    def test_a_crash_before_the_acl_file_is_saved_is_repaired(self, harness):
        turn = begun(harness, harness.current())
        harness.ask("ACL", "SETUSER", harness.user, f"#{digest(turn.new)}")
        assert digest(turn.new) not in harness.saved()
        step(built(harness), "set", turn)
        assert digest(turn.new) in harness.saved()
        harness.ask("ACL", "SETUSER", harness.user, f"!{digest(turn.old)}")
        step(built(harness), "retire", turn)
        assert digest(turn.old) not in harness.saved()

    def test_a_restarted_server_knows_the_new_password(self, tmp_path):
        with Valkey(tmp_path) as server, ExitStack() as stack:
            harness = RedisHarness(server, stack)
            turn = rotated(harness, harness.current())
            server.stop()
            server.start()
            assert harness.works(turn.new)
            assert not harness.works(turn.old)

    def test_a_server_without_an_acl_file_is_refused(self, tmp_path):
        with Valkey(tmp_path, with_acl_file=False) as server:
            admin = server.url()
            harness = BareHarness(server, {"url": admin, "user": "default"})
            error = refused(lambda: built(harness, own_login=True).prepare(harness.current()))
            assert "after its next restart it would not know the new password" in error.message
            assert "save = false" in error.hint
            harness = BareHarness(server, {"url": admin, "save": False, "user": "default"})
            turn = Turn(harness.current(), harness.current(), {})
            rotator = built(harness, own_login=True)
            turn = turn._replace(facts=rotator.prepare(turn.old))
            turn = turn._replace(new=rotator.create(turn.old, turn.facts).new)
            for name in STEPS:
                step(built(harness, own_login=True), name, turn)
            assert server.logs_in("default", login_of(turn.new["url"]).password.reveal())
            assert not server.logs_in("default", server.password)


class BareHarness:
    """The default user of a server, with a password from `requirepass`."""

    kind, field, generate, hidden = RedisHarness.kind, "url", {}, ()

    def __init__(self, server, target):
        self.server, self.target = server, target

    def current(self):
        return {"url": Secret(self.server.url().replace("//default:", "//:"))}


def until(condition):
    """Wait until something is so."""
    for _ in range(1000):
        if condition():
            return
        Event().wait(0.02)
    raise TimeoutError("the servers do not replicate")


@contextmanager
def replica(harness, folder, *login):
    """Yield a second server with the user, which replicates from the first.

    Args:
        harness: of the first server.
        folder: for the files of the second.
        login: of the replication (default: the default user).
    """
    user, password = login or ("default", harness.server.password)
    harness.ask("ACL", "SETUSER", harness.user, "+@all")
    harness.ask("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with Valkey(folder) as second:
        with second.connect() as client:
            client.execute_command(
                *("ACL", "SETUSER", harness.user, "on", f">{harness.password}", "+@all")
            )
            client.config_set("masterauth", password)
            client.config_set("masteruser", user)
            client.execute_command("REPLICAOF", "127.0.0.1", harness.server.port)
            until(lambda: client.info("replication")["master_link_status"] == "up")
        yield second
    until(lambda: not harness.ask("INFO", "replication")["connected_slaves"])


class TestNodes:
    def test_every_node_gets_the_new_password(self, harness, tmp_path):
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

    def test_an_unlisted_replica_is_named(self, harness, tmp_path):
        with replica(harness, tmp_path) as second:
            admin = second.url()
            error = refused(lambda: built(harness).prepare(harness.current()))
            assert f"does not list 127.0.0.1:{second.port}, which replicates" in error.message
            target = {**harness.target, "replicas": "any"}
            built(harness, target).prepare(harness.current())
            for host in ("127.0.0.1", "localhost"):
                both = [harness.url, admin.replace("127.0.0.1", host)]
                built(harness, {"url": both}).prepare(harness.current())
            error = refused(
                lambda: built(harness, {"url": admin, "server": "any"}).prepare(harness.current())
            )
            assert f"does not list 127.0.0.1:{harness.server.port}," in error.message

    def test_an_unlisted_node_of_the_cluster_is_named(self, harness, tmp_path):
        class Clustered(Valkey):
            def command(self):
                return [*super().command(), "--cluster-enabled", "yes"]

        for name in "ab":
            (tmp_path / name).mkdir()
        with Clustered(tmp_path / "a") as first, Clustered(tmp_path / "b") as second:
            for one in (first, second):
                with one.connect() as client:
                    rules = ("on", f">{harness.password}", "+@all")
                    client.execute_command("ACL", "SETUSER", harness.user, *rules)
            current = {"url": Secret(first.url(harness.user, harness.password))}
            alone = {**harness.target, "url": first.url()}
            built(harness, alone).prepare(current)
            with first.connect() as client:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", second.port)
            error = refused(lambda: built(harness, alone).prepare(current))
            assert f"does not list 127.0.0.1:{second.port}," in error.message
            built(harness, {**alone, "replicas": "any"}).prepare(current)
            built(harness, {**alone, "url": [first.url(), second.url()]}).prepare(current)

    def test_the_user_of_the_replication_is_refused(self, harness, tmp_path):
        with replica(harness, tmp_path, harness.user, harness.password) as second:
            both = {"url": [harness.url, second.url()]}
            error = refused(lambda: built(harness, both).prepare(harness.current()))
            assert "replicates as the secret's user (masteruser)" in error.message
            built(harness, {**both, "replicas": "any"}).prepare(harness.current())

    @pytest.mark.parametrize("url", [[], [1], ["redis://x", ""]])
    def test_a_target_without_a_url_is_refused(self, harness, url):
        error = refused(lambda: built(harness, {"url": url}))
        assert error.message == "test.toml: target: 'target.url' must be a URL, or a list of them"


class TestAdmin:
    def test_the_password_of_the_admin_is_not_removed_even_if_a_record_says_so(self, harness):
        admin = {"url": Secret(harness.url)}
        error = refused(lambda: built(harness).retire(admin, harness.current(), {}))
        assert error.message == "the secret is the login of the admin of target.url"
        assert harness.server.logs_in(harness.admin, harness.hidden[0])

    def test_the_password_of_another_user_than_the_profile_names_is_not_removed(self, harness):
        target = {**harness.target, "user": harness.user}
        other = {"url": Secret(harness.server.url())}  # of `default`
        for call in ("retire", "is_dead"):
            method = getattr(built(harness, target), call)
            error = refused(lambda method=method: method(other, harness.current(), {}))
            assert "has the login of a user other than" in error.message
        assert harness.server.logs_in("default", harness.server.password)


class TestOutages:
    def test_a_wrong_admin_password_is_an_auth_error(self, harness):
        target = {"url": harness.server.url(harness.admin, CANARY)}
        error = refused(lambda: built(harness, target).prepare(harness.current()))
        assert isinstance(error, AuthError)

    def test_a_command_that_the_admin_may_not_run_is_a_denied_error(self, harness):
        turn = begun(harness, harness.current())
        harness.ask("ACL", "SETUSER", harness.admin, "-acl|setuser")
        error = refused(lambda: step(built(harness), "set", turn))
        assert isinstance(error, DeniedError)
        assert error.message == "the admin of target.url may not run ACL SETUSER"
        assert "docs/reference/rotators/redis.md" in error.hint

    @pytest.mark.parametrize("missing", ["acl|setuser", "acl|save", "client|kill"])
    def test_a_right_that_the_admin_lacks_is_named_before_any_change(self, harness, missing):
        harness.ask("ACL", "SETUSER", harness.admin, f"-{missing}")
        target = {**harness.target, "terminate": True}
        error = refused(lambda: built(harness, target).prepare(harness.current()))
        assert isinstance(error, DeniedError)
        assert error.message.endswith(missing.upper().replace("|", " "))
        assert harness.works(harness.current())

    @pytest.mark.parametrize("url", ["redis://a:pa/{}@x", "redis://h:{}", "{}", "http://{}"])
    def test_an_invalid_url_is_not_shown(self, harness, url):
        target = {"url": url.format(CANARY)}
        error = refused(lambda: built(harness, target).prepare(harness.current()))
        assert isinstance(error, RotationError)
        assert error.message == "'target.url' is not the URL of a server"

    def test_a_secret_url_without_a_login_is_refused(self, harness):
        error = refused(lambda: built(harness).prepare({"url": Secret(f"redis://{CANARY}:1")}))
        assert error.message == "the secret is a URL without a user and a password in it"
