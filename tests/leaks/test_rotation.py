"""A rotated value is only in its store and the admin's password nowhere, whatever happens.

The old value, the new one and the password that the target asks for are looked for in what
is printed, in HOME, TMPDIR and the project, in the audit log, in the arguments and the
environment of every program that is started, and in what is told to others. The record of a
rotation in a `.env` file may hold the values while they are pending: it is 0600, also where
the umask protects nothing. What fails is run with ENVKIT_DEBUG, which shows the most.
"""

import json
import re
import sys
from contextlib import ExitStack

import pytest

from support.hook_server import HookServer
from support.rotating import record_file, table, values
from support.rotators import AlternateHarness

pytestmark = pytest.mark.usefixtures("trusted")

OLD, NEW = "canary-old-93be10", "canary-new-c4d7f2"
ADMIN, TOKEN = "canary-admin-0aa8e5", "canary-token-6d21bb"
STORES = re.compile(r"\.env\.prod(\.envkit-previous|\.\w+\.envkit-rotation)?")

# a program started as a rotator, hook or notification command: it records what others could see
# of it and of envkit, and then prints all of its input where it must not
CHILD = """\
import json, os, sys
place = os.path.dirname(os.path.abspath(__file__))
seen = [open(f"/proc/{pid}/cmdline").read() for pid in (os.getpid(), os.getppid())]
seen += [f"{name}={text}" for name, text in os.environ.items()]
with open(os.path.join(place, "seen", str(os.getpid())), "w") as file:
    file.write("\\n".join(seen))
status = int(os.environ.get("STATUS", "0"))
if sys.argv[1:] != ["rotator"]:
    sys.exit(status)
asked = json.loads(sys.stdin.read())
retired = os.path.join(place, "retired-" + asked.get("credential", ""))
print(asked, file=sys.stderr)
if asked["step"] == "create":
    print(json.dumps({"values": {"API_KEY": "canary-new-c4d7f2"}}))
elif asked["step"] == "retire":
    open(retired, "w").close()
elif asked["step"] == os.environ.get("FAILS") and asked.get("credential") != "old":
    print(json.dumps({"error": f"it is {asked}"}))
    sys.exit(status)
elif asked["step"] == "test":
    sys.exit(1 if os.path.exists(retired) else 0)
"""


class World:
    """A project with one rotation, all its files, and the receivers of its notifications."""

    def __init__(self, places, tmp_path, server):
        self.places = places
        self.project = places.project
        self.server = server
        self.seen = tmp_path / "child" / "seen"
        self.seen.mkdir(parents=True)
        (tmp_path / "child" / "child.py").write_text(CHILD)
        self.child = [sys.executable, str(tmp_path / "child" / "child.py")]
        places.hidden = [OLD, NEW, ADMIN, TOKEN]
        places.more = [self.seen]

    def write(self, *lines, rotator="command", secret="API_KEY"):
        address = f"{self.server.address}/{{{{ dotenv:TOKEN }}}}"
        told = [
            {"webhook": address, "key": "{{ dotenv:TOKEN }}"},
            {"slack": address},
            {"command": [*self.child, "tell"]},
        ]
        hooks = [f"{when} = {json.dumps([[*self.child, when]])}" for when in ("before", "after")]
        notify = f"notify = [{', '.join(map(_inline, told))}]"
        more = ('grace = "1h"', 'environment = ["STATUS"]', *lines, *hooks, notify)
        self.project.profile("prod.toml", table("api-key", secret, *more, rotator=rotator))
        self.project.dotenv("prod", f"API_KEY={OLD}\nADMIN={ADMIN}\nTOKEN={TOKEN}\n")

    def command(self):
        """Rotate with the program, which is given the admin's password."""
        target = {"command": [*self.child, "rotator"], "settings": {"admin": "{{ dotenv:ADMIN }}"}}
        self.write(f"target = {_inline({**target, 'environment': ['FAILS', 'STATUS']})}")

    @property
    def value(self):
        return values(self.project, "prod")["API_KEY"]

    def run(self, *arguments, status=0, debug=True, **env):
        """Run the rotation, search everything, and return the output."""
        env = {"ENVKIT_DEBUG": "1" if debug else "", **env}
        done = self.places.run(*arguments, env=env, status=status)
        for one in self.server.received:
            self.places.assert_quiet(one.body.decode() + json.dumps(one.headers))
        assert all(STORES.fullmatch(name) for name in self.places.traces())
        for path in filter(lambda path: STORES.fullmatch(path.name), self.places.contents()):
            self.places.assert_private(path)
        return done.stdout + done.stderr

    def programs(self):
        """Return how many programs were started, all of which have been looked at."""
        return len(list(self.seen.iterdir()))


def _inline(table_):
    if isinstance(table_, dict):
        return f"{{ {', '.join(f'{key} = {_inline(item)}' for key, item in table_.items())} }}"
    return json.dumps(table_)


@pytest.fixture
def world(places, tmp_path):
    with HookServer() as server:
        yield World(places, tmp_path, server)


STATUS = (
    ("rotate", "status"),
    ("rotate", "status", "--format", "json", "-o", "status.json"),
    ("rotate", "status", "--format", "html", "-o", "status.html"),
)
LOOKS = (("rotate", "--plan"), ("rotate", "--plan", "--format", "json"), *STATUS)


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_successful_rotation_leaks_no_value(world, debug):
    world.command()
    world.run("rotate", debug=debug)
    assert world.value == NEW, "it was never there to be found"
    assert NEW in record_file(world.project, "prod", "API_KEY").read_text(), "so was it pending"
    assert world.programs() >= 5, "three steps and two hooks"
    for arguments in LOOKS:
        world.run(*arguments, debug=debug)
    world.run("rotate", "--rollback", "api-key", debug=debug)
    assert world.value == OLD


def test_notices_and_hooks_of_a_rotation_leak_no_value(world):
    world.command()
    profile = world.project.profiles / "prod.toml"
    profile.write_text(profile.read_text().replace('grace = "1h"', 'grace = "0s"'))
    world.run("rotate")
    events = [json.loads(one.body).get("event") for one in world.server.received]
    assert events == ["success", None], "a webhook and a chat"
    assert all(TOKEN in one.path for one in world.server.received), "which is where it belongs"
    record = record_file(world.project, "prod", "API_KEY").read_text()
    assert not any(secret in record for secret in world.places.hidden), "at rest it has no value"


def test_a_generated_value_does_not_leak(world):
    world.write(rotator="random")
    world.run("rotate")
    made = world.value
    assert made != OLD
    world.places.hidden.append(made)
    for arguments in (*LOOKS, ("rotate", "--all", "--format", "json")):
        world.run(*arguments)


@pytest.mark.parametrize(
    ("step", "status", "told"),
    [
        ("prepare", 75, "try again"),
        ("set", 3, "exited with status 3"),
        ("set", 65, "quarantined"),
        ("test", 1, "does not log in"),
    ],
)
def test_a_rotator_program_that_prints_its_values_leaks_none(world, step, status, told):
    world.command()
    env = {"FAILS": step, "STATUS": str(status)}
    assert "api-key" in world.run("rotate", status=1, **env)
    assert world.value == OLD
    assert world.server.received, "no notice was sent"
    for arguments in STATUS:
        world.run(*arguments, status=1, **env)


@pytest.mark.parametrize(
    ("rotator", "target"),
    [
        ("postgres", {"dsn": "postgresql://admin:{{ dotenv:ADMIN }}@127.0.0.1:1/app"}),
        ("postgres", {"dsn": "host=127.0.0.1 port=1 pass word={{ dotenv:ADMIN }}"}),
        ("redis", {"url": "redis://admin:{{ dotenv:ADMIN }}@127.0.0.1:1", "user": "app"}),
        ("redis", {"url": "redis://admin:{{ dotenv:ADMIN }}@[::1", "user": "app"}),
        ("aws-iam-key", {"user": "{{ dotenv:ADMIN }}"}),
    ],
    ids=["PostgreSQL is down", "no DSN", "Redis is down", "no URL", "no AWS"],
)
def test_an_unreachable_target_leaks_no_password(world, rotator, target):
    if rotator == "postgres":
        target = {**target, "users": ["app_a", "app_b"], "owner": "app"}
    world.write(f"target = {_inline(target)}", rotator=rotator)
    old = f"postgresql://app_a:{OLD}@127.0.0.1:1/app" if rotator == "postgres" else OLD
    world.project.dotenv("prod", f"API_KEY={old}\nADMIN={ADMIN}\nTOKEN={TOKEN}\n")
    assert "prod/api-key  failed" in world.run("rotate", "--timeout", "5", status=1)
    assert world.value == old


@pytest.mark.parametrize("what", ["the file", "the record", "a notice", "a hook"])
def test_a_failure_around_a_rotation_leaks_no_value(world, what):
    world.command()
    env = {}
    if what == "the file":
        world.project.dotenv("prod", f"X='{OLD}\nKEY=1\n")
    elif what == "the record":
        record = record_file(world.project, "prod", "API_KEY")
        record.write_text(f'{{"record": "{OLD}"')
        record.chmod(0o600)
    elif what == "a notice":
        world.server.status = 500
        env = {"FAILS": "set", "STATUS": "75"}
    else:
        env = {"STATUS": "7"}
    printed = world.run("rotate", status=1, **env)
    if what == "a notice":
        assert "envkit: warning: cannot notify the webhook at http://127.0.0.1:" in printed
    world.run("rotate", "status", status=1)


def test_a_rotation_of_postgres_leaks_no_value(world, postgres):
    with ExitStack() as stack:
        harness = AlternateHarness(postgres, stack)
        target = {**harness.target, "dsn": "{{ dotenv:DSN }}"}
        world.write(f"target = {_inline(target)}", rotator="postgres")
        old = harness.current()["url"].reveal()
        world.project.dotenv("prod", f"API_KEY={old}\nDSN={harness.target['dsn']}\nTOKEN={TOKEN}\n")
        world.places.hidden += [harness.password, harness.admin_password]
        world.run("rotate")
        new = world.value
        assert new != old
        world.places.hidden.append(re.search(r":([^:@/]+)@", new)[1])
        for arguments in LOOKS:
            world.run(*arguments)
        world.run("rotate", "--rollback", "api-key")


def test_simulate_and_plan_contact_nothing(world):
    world.command()
    dotenv = world.project.dotenv("prod", f"X='{OLD}\nKEY=1\n")
    for format_ in ("text", "json"):
        world.run("rotate", "simulate", "--format", format_)
    assert world.programs() == 0
    assert dotenv.read_text().startswith(f"X='{OLD}")
