"""Rotations when something fails in the middle: real stores, real targets, real logins.

Whatever fails: the value that readers get from the store logs in; no output contains a
value; and once the fault is gone, the rotation finishes or goes back
to its beginning, and leaves nothing behind.
"""

import json
import os
import stat
import sys
from contextlib import ExitStack

import pytest

from envkit._internal.clock import Deadline
from envkit.rotation.machine import Request
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.status_reading import read_statuses
from envkit.secret import Secret
from support.aws import operation, parameters
from support.fault_proxy import FaultProxy, respond
from support.hook_server import HookServer
from support.postgres import running as running_postgres
from support.rotating import DAY, Rotating
from support.rotation_stores import AwsHarness, DotenvHarness, VaultHarness
from support.rotators import AlternateHarness, RedisHarness, SingleHarness
from support.small_disk import SmallDisk
from support.valkey import Valkey

GRACE = 900.0


class InVault(VaultHarness):
    """A secret of OpenBao, behind a proxy."""

    def __init__(self, server, stack):
        super().__init__(server)
        self.proxy = stack.enter_context(FaultProxy(server.address))
        self.secret = f"vault:{self.path}#password"
        self.environ = {"BOOTSTRAP_TOKEN": self.token}
        self.source = (
            f'[sources.vault]\naddress = "{self.proxy.url}"\nmount = "secret"\n'
            'auth = { method = "token", token = "{{ env:BOOTSTRAP_TOKEN }}" }\n'
        )

    def promotes(self, request):
        """Whether a request gives readers another value."""
        return request.method in ("POST", "PUT") and request.path == f"/v1/secret/data/{self.path}"


class InAws(AwsHarness):
    """A secret of moto, behind a proxy."""

    source = ""

    def __init__(self, aws):
        super().__init__(aws)
        self.proxy = aws.proxy
        self.secret = f"aws:/{self.name}#password"
        self.environ = {name: text for name, text in os.environ.items() if name.startswith("AWS_")}

    def promotes(self, request):
        return (
            operation(request) == "UpdateSecretVersionStage"
            and parameters(request)["VersionStage"] == "AWSCURRENT"
        )


class InDotenv(DotenvHarness):
    """A file `.env.prod`."""

    source = '[sources.dotenv]\npath = ".env.prod"\n'
    secret = "dotenv:PASSWORD"

    def __init__(self, root):
        super().__init__(root)
        self.environ = {}


class World(Rotating):
    """A profile with one rotation of a URL, and a clock that the test sets."""

    def __init__(self, folder, store, target, rotator):
        self.folder = folder
        self.store, self.target = store, target
        self.key = store.fields[0]
        environ = {"ENVKIT_AUDIT": "off", "XDG_STATE_HOME": f"{folder}/state", **store.environ}
        super().__init__(folder / "profiles", environ)
        self.store.put({self.key: target.current()["url"].reveal(), store.other: "kept"})
        self.profiles.mkdir(exist_ok=True)
        self.write(rotator)

    def write(self, rotator, *lines, name="url", **keys):
        """Write the profile; `keys` are of the rotation."""
        said = {
            "secret": self.store.secret,
            "rotator": rotator,
            "every": "30d",
            "target": dict(self.target.target),
            **keys,
        }
        body = "".join(f"{key} = {toml(value)}\n" for key, value in said.items())
        text = f"{self.store.source}[rotation.{name}]\n{body}" + "".join(f"{x}\n" for x in lines)
        (self.profiles / "prod.toml").write_text(text)

    def run(self, requested="", *, at=None, do=None):
        """Run the rotation; do something right before a step begins."""
        reached = []

        def progress(step, _reason):
            if step == at and step not in reached:
                do()
            reached.append(step)

        outcome = super().run(requested, progress=progress)
        assert at is None or at in reached, f"{at} was not reached: {reached}"
        if outcome.error is not None:
            shown = f"{outcome} {outcome.error.message} {outcome.error.hint}"
            hidden = [self.url, *self.kept_urls(), *self.target.hidden]
            assert not [value for value in hidden if value in shown]
        return outcome

    def finish(self):
        """Run until it is over, whatever has to be waited for."""
        outcome = self.run()
        for _ in range(3):
            if outcome.status not in (OutcomeStatus.WAITING, OutcomeStatus.IN_GRACE):
                break
            self.now = max(self.now, outcome.until, outcome.record.retire_at) + 1
            outcome = self.run()
        return outcome

    @property
    def url(self):
        """What readers get."""
        return self.store.stored()[self.key]

    def run_under(self, fault, *, at, times=None):
        """Run it; from a step on, the store refuses writes of the secret."""

        def begin():
            self.store.proxy.fault(fault, when=self.store.promotes, times=times)

        return self.run(at=at, do=begin)

    def works(self, url):
        return self.target.works({"url": Secret(url)})

    def readers_log_in(self):
        return self.works(self.url)

    def record(self):
        return self.store.envelope()["record"]

    def kept(self):
        """The values that the store has in addition to the secret, by name."""
        return {
            name: fields[self.key]
            for name, fields in self.store.envelope().get("values", {}).items()
        }

    def kept_urls(self):
        try:
            return list(self.kept().values())
        except (KeyError, TypeError, OSError, LookupError):
            return []

    def assert_rotated_once(self, old):
        """Nothing of the rotation is left but the new value, and the old one is refused."""
        new = self.url
        assert new != old
        assert self.works(new)
        assert not self.works(old)
        assert self.target.credentials() == 1
        self.assert_at_rest()

    def assert_untouched(self, old):
        assert self.url == old
        assert self.works(old)
        assert self.target.credentials() == 1
        self.assert_at_rest()

    def assert_at_rest(self):
        assert self.kept() == {}
        assert self.store.stored()[self.store.other] == "kept"


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def world(stack, postgres, tmp_path):
    """A URL of PostgreSQL in a `.env` file."""
    return World(tmp_path, InDotenv(tmp_path), AlternateHarness(postgres, stack), "postgres")


@pytest.fixture(params=["vault", "aws", "dotenv"])
def anywhere(request, stack, postgres, tmp_path):
    """A URL of PostgreSQL, in one store after the other."""
    return in_store(request.param, request, stack, postgres, tmp_path)


@pytest.fixture(params=["vault", "aws"])
def served(request, stack, postgres, tmp_path):
    """A URL of PostgreSQL, in a store that is a server."""
    return in_store(request.param, request, stack, postgres, tmp_path)


def in_store(kind, request, stack, postgres, folder):
    if kind == "vault":
        store = InVault(request.getfixturevalue("openbao"), stack)
    elif kind == "aws":
        store = InAws(request.getfixturevalue("aws"))
    else:
        store = InDotenv(folder)
    return World(folder, store, AlternateHarness(postgres, stack), "postgres")


# -------- the store


def test_a_read_only_store_is_detected_before_the_target_is_touched(served):
    old, proxy = served.url, served.store.proxy
    failed = served.run_under(respond(503), at="create")
    assert (failed.status, failed.step, failed.error.code) == (
        OutcomeStatus.FAILED,
        "create",
        "store-unavailable",
    )
    assert served.record()["error"] == "create: store-unavailable"
    assert served.kept() == {"old": old}
    assert served.target.credentials() == 1
    proxy.heal()
    served.now += 60
    assert served.finish().status == OutcomeStatus.ROTATED
    served.assert_rotated_once(old)


def test_a_rotation_survives_a_store_that_fails_at_the_promotion(served):
    old, proxy = served.url, served.store.proxy
    failed = served.run_under(respond(503), at="promote")
    assert (failed.status, failed.step, failed.error.code) == (
        OutcomeStatus.FAILED,
        "promote",
        "store-unavailable",
    )
    assert served.record()["error"] == "promote: store-unavailable"
    assert served.url == old
    assert served.readers_log_in()
    proxy.heal()
    assert served.run().status == OutcomeStatus.FAILED, "it is not tried again at once"
    served.now += 60
    assert served.run().status == OutcomeStatus.IN_GRACE
    assert served.works(old), "in its grace"
    assert served.readers_log_in()
    assert served.finish().status == OutcomeStatus.ROTATED
    served.assert_rotated_once(old)


@pytest.mark.parametrize(
    ("served", "step", "times"),
    [
        ("vault", "promote", 1),
        ("aws", "promote", 1),
        ("vault", "promote", None),
        ("vault", "create", 1),
        ("aws", "create", 1),
    ],
    indirect=["served"],
    ids=["vault once", "aws once", "vault always", "vault rehearsal", "aws rehearsal"],
)
def test_a_rotation_survives_a_write_that_succeeds_but_reports_a_failure(served, step, times):
    old, proxy = served.url, served.store.proxy

    def unheard(exchange):
        exchange.ask_upstream()
        respond(503)(exchange)

    first = served.run_under(unheard, at=step, times=times)
    assert first.status == (OutcomeStatus.IN_GRACE if times else OutcomeStatus.FAILED)
    new = served.url
    assert new != old
    assert served.works(new)
    assert served.works(old)
    proxy.heal()
    served.now += 60
    assert served.run().status == OutcomeStatus.IN_GRACE
    assert served.url == new, "it is given to readers once"
    assert served.finish().status == OutcomeStatus.ROTATED
    assert served.url == new
    served.assert_rotated_once(old)


# -------- the target


@pytest.mark.parametrize("rotator", ["postgres", "valkey"])
def test_a_rotation_survives_a_target_that_is_down_in_set(rotator, stack, tmp_path):
    if rotator == "postgres":
        server = stack.enter_context(running_postgres(synchronous_commit="on"))
        target = AlternateHarness(server, stack)
    else:
        (tmp_path / "valkey").mkdir()
        server = stack.enter_context(Valkey(tmp_path / "valkey"))
        target = RedisHarness(server, stack)
    world = World(tmp_path, InDotenv(tmp_path), target, rotator)
    old = world.url
    failed = world.run(at="set", do=server.stop)
    assert (failed.status, failed.step, failed.error.code) == (
        OutcomeStatus.FAILED,
        "set",
        "target-unavailable",
    )
    assert world.url == old
    staged = world.kept()["new"]
    world.now += 60
    again = world.run()
    assert (again.status, again.step, again.record.tries) == (OutcomeStatus.FAILED, "set", 2)
    server.start()
    assert world.readers_log_in()
    world.now += 60
    assert world.run().status == OutcomeStatus.IN_GRACE
    assert world.url == staged, "no other value is made for that"
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


PROGRAM = """\
#!{python} -I
import json, psycopg, sys
said = json.load(sys.stdin)
settings, step = said["settings"], said["step"]
def logs_in(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
if step == "create":
    user, password = settings["user"], "short-" + said["id"][:6]
    url = "postgresql://%s:%s@%s" % (user, password, settings["place"])
    print(json.dumps({{"values": {{said["fields"][0]: url}}}}))
    sys.exit()
with open(settings["log"], "a") as log:
    print(step, file=log)
if step == "test":
    sys.exit(not logs_in(said["values"][said["fields"][0]]))
if step == "set":
    from psycopg import sql
    password = said["values"][said["fields"][0]].split("@")[0].rpartition(":")[2]
    statement = sql.SQL("ALTER ROLE {{}} PASSWORD {{}}")
    try:
        with psycopg.connect(settings["dsn"]) as connection:
            role = sql.Identifier(settings["user"])
            connection.execute(statement.format(role, sql.Literal(password)))
    except psycopg.Error as error:
        print(json.dumps({{"error": "SQLSTATE %s" % error.sqlstate}}))
        sys.exit(65 if error.sqlstate == "22023" else 75)
print("{{}}")
"""


def test_a_rotation_survives_a_server_whose_policy_refuses_every_password(
    postgres, stack, tmp_path
):
    """The module passwordcheck sees the password, because a program sends it in clear."""
    target = SingleHarness(postgres, stack)
    admin, user = target.role("envkit"), target.role("app")
    for setting in ("session_preload_libraries", "passwordcheck.min_password_length"):
        value = "'passwordcheck'" if setting.startswith("session") else "30"
        target.database.run(f"LOAD 'passwordcheck'; ALTER ROLE {admin} SET {setting} = {value}")
    program, log = tmp_path / "rotate", tmp_path / "log"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    hooks = stack.enter_context(HookServer())
    world = World(tmp_path, InDotenv(tmp_path), target, "postgres")
    place = f"127.0.0.1:{postgres.port}/{target.database.name}"
    settings = {"dsn": target.dsn, "user": user, "place": place, "log": str(log)}
    world.write(
        "command",
        target={"command": [str(program)], "settings": settings},
        notify=[{"webhook": hooks.address}],
    )
    old = world.url
    outcome = world.run()
    assert (outcome.status, outcome.error.message) == (
        OutcomeStatus.QUARANTINED,
        "the target has refused 3 new values; the current one is untouched",
    )
    steps = log.read_text().split()
    refused = ["set", "set", "set", "retire", "test", "test"]  # of the earlier one and of this one
    assert steps == ["prepare", "test", *refused * 3], "three times each of three values"
    assert world.record()["phase"] == "quarantined"
    world.assert_untouched(old)
    for _ in range(2):  # it is left alone until a person asks, and notified once
        world.now += 60
        assert world.run().status == OutcomeStatus.QUARANTINED
    assert log.read_text().split() == steps
    (notice,) = hooks.received
    assert json.loads(notice.body)["event"] == "quarantine"
    assert not {value for value in (old, "short-") if value in notice.body.decode()}
    world.write("postgres", strategy="single", grace="0s")  # which sends no clear text
    assert world.run(Request.ROTATE).status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


# -------- the disk


# what costs nothing to do again is saved with the step that follows, where a full disk is noticed
FULL = {
    "claim": "claim",
    "create": "create",
    "set": "test",
    "test": "test",
    "promote": "promote",
    "note-promoted": "finish",
    "finish": "finish",
}


@pytest.mark.parametrize(("step", "failing"), FULL.items(), ids=FULL)
def test_a_rotation_survives_a_full_disk(step, failing, postgres, stack, tmp_path):
    disk = stack.enter_context(SmallDisk(tmp_path / "disk"))
    target = AlternateHarness(postgres, stack)
    world = World(disk.folder, InDotenv(disk.folder), target, "postgres")
    old = world.url
    failed = world.run(at=step, do=disk.fill)
    assert (failed.status, failed.step) == (OutcomeStatus.FAILED, failing)
    assert "space left" in failed.error.message or "too large" in failed.error.message
    assert world.readers_log_in()
    # a claim that cannot be saved does not count; one that is not released lasts until it expires
    assert world.run().status == (OutcomeStatus.FAILED if step == "claim" else OutcomeStatus.BUSY)
    assert world.readers_log_in()
    disk.free()
    world.now += 600
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)
    names = {path.name for path in disk.folder.iterdir()}
    kept = {".env.prod", ".env.prod.envkit-previous", world.store.beside.name}
    assert names == {"profiles", *kept}
    assert stat.S_IMODE(world.store.path.stat().st_mode) == 0o600


def test_a_rotation_survives_a_full_disk_when_it_retires_the_old_value(postgres, stack, tmp_path):
    disk = stack.enter_context(SmallDisk(tmp_path / "disk"))
    world = World(disk.folder, InDotenv(disk.folder), AlternateHarness(postgres, stack), "postgres")
    old = world.url
    world.run()
    world.now += GRACE + 1
    assert world.run(at="retire", do=disk.fill).status == OutcomeStatus.FAILED
    assert world.readers_log_in()
    disk.free()
    world.now += 600
    assert world.run().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


# -------- the clock


def test_a_rotation_survives_a_clock_that_jumps_back(anywhere):
    world = anywhere
    old, start = world.url, world.now
    world.run()
    new = world.url
    world.now = start - 400 * DAY
    for requested in ("", Request.ROTATE, Request.RESUME):
        assert world.run(requested).status == OutcomeStatus.IN_GRACE, (
            "nothing is retired or begun before its time"
        )
    assert world.works(old)
    assert world.works(new)
    world.now = start + GRACE + 1
    assert world.run().status == OutcomeStatus.ROTATED
    world.now = start - 400 * DAY
    assert world.run().status == OutcomeStatus.NOT_DUE
    assert world.url == new
    world.assert_rotated_once(old)


def test_a_rotation_survives_a_clock_that_jumps_back_between_two_steps(world):
    def jump():
        world.now -= 10 * DAY

    old = world.url
    assert world.run(at="promote", do=jump).status == OutcomeStatus.IN_GRACE
    assert world.works(old)
    assert world.readers_log_in()
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


# -------- the profile


def begun(world):
    """Stop a rotation after its target has changed and before the promotion."""

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(at="promote", do=fail)
    assert world.record()["phase"] == "tested"
    world.now += 600
    return world.url


def test_an_unfinished_rotation_refuses_another_rotator(world):
    old = begun(world)
    kept = world.kept()
    world.write("postgres", strategy="single", target={"dsn": world.target.dsn})
    for requested in ("", Request.ROTATE, Request.RESUME, Request.ROLLBACK):
        outcome = world.run(requested)
        assert outcome.status == OutcomeStatus.FAILED
        assert "started as 'postgres (alternate) of " in outcome.error.message
        assert "restore the profile" in outcome.error.hint
    assert (world.url, world.kept()) == (old, kept)
    assert world.readers_log_in()
    world.write("postgres")
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


def test_an_unfinished_rotation_with_another_rotator_can_be_aborted(world):
    old = begun(world)
    new = world.kept()["new"]
    world.write("postgres", strategy="single", target={"dsn": world.target.dsn})
    outcome = world.run(Request.ABORT)
    assert outcome.status == OutcomeStatus.ABORTED
    assert outcome.reason.startswith("at 127.0.0.1:")
    world.assert_at_rest()
    assert world.url == old
    assert world.readers_log_in()
    assert world.works(new), "nothing is done at a target that the profile does not name"


def test_an_unfinished_rotation_refuses_another_name(world):
    old = begun(world)
    world.write("postgres", name="other")
    for requested in ("", Request.ROTATE):
        outcome = world.run(requested)
        assert outcome.status == OutcomeStatus.FAILED
        assert "is being rotated as prod/url, not as prod/other" in outcome.error.message
    assert world.readers_log_in()
    world.write("postgres")
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


def test_a_finished_rotation_accepts_another_name_on_request(world):
    world.run()
    world.finish()
    old = world.url
    world.write("postgres", name="other")
    outcome = world.run()
    assert outcome.status == OutcomeStatus.FAILED
    assert "envkit rotate prod/other" in outcome.error.hint
    assert world.url == old
    assert world.run(Request.ROTATE).status == OutcomeStatus.IN_GRACE
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


def test_a_changed_secret_of_an_unfinished_rotation_is_a_separate_rotation(world):
    """It runs separately; the first record remains for a profile that names its secret again."""
    old = begun(world)
    world.store.put({**world.store.stored(), "ELSEWHERE": old})
    world.write("postgres", secret="dotenv:ELSEWHERE")
    assert world.run().status == OutcomeStatus.IN_GRACE
    assert world.works(world.store.stored()["ELSEWHERE"])
    assert world.url == old
    assert world.readers_log_in()
    assert world.finish().status == OutcomeStatus.ROTATED


@pytest.mark.parametrize("grace", ["1s", "10d"])
def test_a_changed_grace_period_does_not_apply_to_a_value_in_its_grace_period(world, grace):
    old = world.url
    promised = world.run().record.retire_at
    assert promised == world.now + GRACE
    world.write("postgres", grace=grace)
    world.now = promised - 1
    assert world.run().status == OutcomeStatus.IN_GRACE
    assert world.works(old)
    world.now = promised
    assert world.run().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


def test_a_changed_grace_period_applies_before_the_promotion(world):
    old = begun(world)
    world.write("postgres", grace="10s")
    assert world.run().record.retire_at == world.now + 10
    assert world.finish().status == OutcomeStatus.ROTATED
    world.assert_rotated_once(old)


# -------- foreign writes


def test_a_foreign_write_before_the_promotion_is_preserved(anywhere):
    world, old, hooks = anywhere, anywhere.url, HookServer()
    theirs = f"{old}&options=-c%20work_mem%3D1MB"
    with hooks:
        world.write("postgres", notify=[{"webhook": hooks.address, "on": ["failure"]}])
        stored = {**world.store.stored(), world.key: theirs}
        outcome = world.run(at="promote", do=lambda: world.store.put(stored))
        assert outcome.status == OutcomeStatus.REFUSED
        assert outcome.reason == (
            "the secret was changed outside envkit; all three values were kept"
        )
        assert outcome.error.hint == "run: envkit rotate --abort prod/url"
        assert world.url == theirs
        kept = world.kept()
        assert kept["old"] == old
        assert world.run().status == OutcomeStatus.REFUSED, "until a person has looked"
        assert world.kept() == kept
        assert world.works(old)
        assert world.works(kept["new"])
        (notice,) = hooks.received
        assert "the secret was changed outside envkit" in json.loads(notice.body)["error"]
    (standing,) = read_statuses(
        [world.rotation()],
        environ=world.environ,
        now=world.now,
        deadline=Deadline(10),
    )
    assert (standing.stopped, standing.hint) == (True, outcome.error.hint)
    assert world.run(Request.ABORT).status == OutcomeStatus.ABORTED
    assert world.url == theirs
    assert world.readers_log_in(), "theirs has the old login"
    assert not world.works(kept["new"])
    world.assert_at_rest()
