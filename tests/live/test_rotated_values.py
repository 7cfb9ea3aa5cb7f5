"""`set`, `edit`, `promote`, `rollback` and `history` of a value that is rotated, on real stores."""

import json
import sys
import time

import pytest

from support.process import run_here
from support.rotating import table, values
from support.transcript import transcript

pytestmark = pytest.mark.usefixtures("trusted")

VARIABLES = """\
[variables]
KEY = "{{ S:db#key }}"
OTHER = "{{ S:db#other }}"
"""


class Store:
    """A secret with the fields `key` and `other`, of which `key` is rotated, in one store."""

    def __init__(self, project, folder, environ):
        self.project, self.folder, self.environ = project, folder, environ
        self.environ["XDG_STATE_HOME"] = str(project.root / "state")

    def profile(self, grace, name="prod", *, rotated=True):
        source = "dotenv" if self.folder is None else self.folder.name
        text = "" if self.folder is None else self.folder.table(name)
        variables = VARIABLES.replace("S:", f"{source}:")
        secret = f"{source}:db#key"
        if self.folder is None:
            variables = variables.replace(":db#key", ":KEY").replace(":db#other", ":OTHER")
            secret = "dotenv:KEY"
            self.project.dotenv(name, f"KEY={name}-old\nOTHER=x\n")
        else:
            self.folder.put(f"{name}/db", {"key": f"{name}-old", "other": "x"})
        if rotated:
            text += table("key", secret, f'grace = "{grace}"', 'target = { previous_field = "" }')
        self.project.profile(f"{name}.toml", text + variables)

    def run(self, *arguments, **options):
        return run_here(*arguments, env=self.environ, **options)

    def ok(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key(self, name="prod"):
        if self.folder is None:
            return values(self.project, name)["KEY"]
        return self.folder.fields(f"{name}/db")["key"]

    def let_its_clock_tick(self):
        """Wait until a version has a later time than those that are there."""
        if self.folder is not None and self.folder.name == "aws":  # moto counts whole seconds
            time.sleep(1 - time.time() % 1)

    def history(self):
        document = json.loads(self.ok("history", "KEY", "--env", "prod", "--format", "json"))
        return [(one["version"], one["state"], one["note"]) for one in document["versions"]]


@pytest.fixture(params=["vault", "aws", "dotenv"])
def store(request, project):
    if request.param == "dotenv":
        return Store(project, None, {})
    folder = request.getfixturevalue(f"{request.param}_folder")
    return Store(project, folder, folder.environ)


def test_rollback_does_not_restore_a_retired_value(store):
    store.profile("0s")
    store.ok("rotate", "key")
    new = store.key()
    done = store.run("rollback", "KEY", "--env", "prod", "--yes")
    assert done.returncode == 6
    assert "of KEY was retired 2" in done.stderr
    assert ": prod/key replaced it " in done.stderr
    assert "run 'envkit rotate prod/key'" in done.stderr
    assert store.key() == new

    store.let_its_clock_tick()
    store.ok("set", "KEY", "--env", "prod", input="a mistake")
    assert [note for *_, note in store.history()][:2] == [None, "rotated"]
    store.ok("rollback", "KEY", "--env", "prod", "--yes")
    assert store.key() == new, "what the rotation has made is not retired"


def test_rollback_with_force_restores_a_retired_value(store):
    store.profile("0s")
    store.ok("rotate", "key")
    done = store.run("rollback", "KEY", "--env", "prod", "--yes", "--force")
    assert (done.returncode, store.key()) == (0, "prod-old")
    assert "envkit: warning: KEY is rotated by prod/key" in done.stderr


def test_set_of_an_idle_rotated_value_is_warned_of(store):
    store.profile("0s")
    store.ok("rotate", "key")
    for command in (("set", "KEY"), ("unset", "KEY")):
        done = store.run(*command, "--env", "prod", input="x")
        assert done.returncode == 0
        assert transcript(done).count("envkit: warning: KEY is rotated by prod/key: ") == 1
    assert store.run("set", "OTHER", "--env", "prod", input="x").stderr == ""


def test_set_of_a_value_whose_rotation_is_in_progress_is_refused(store):
    store.profile("15m")
    store.ok("rotate", "key")
    new = store.key()
    script = store.project.root / "editor.py"
    script.write_text("import sys\nprint(open(sys.argv[1]).read())\n")
    for command in (("set", "KEY"), ("unset", "KEY"), ("rollback", "KEY", "--yes")):
        done = store.run(*command, "--env", "prod", input="x")
        assert done.returncode == 7, done.stderr
        assert "KEY is being rotated by prod/key (phase grace, started " in done.stderr
        assert "run 'envkit rotate --rollback prod/key'" in done.stderr
    environ = {**store.environ, "EDITOR": f"{sys.executable} {script}"}
    shown = store.project.run("edit", "--env", "prod", env=environ).stdout
    assert "# KEY is being rotated by prod/key" in shown
    assert "OTHER=x" in shown
    assert new not in shown
    assert store.key() == new

    store.ok("set", "OTHER", "--env", "prod", input="y")
    store.ok("set", "KEY", "--env", "prod", "--force", input="by-hand")
    assert store.key() == "by-hand"


@pytest.mark.parametrize("rotated_in", ["staging", "prod"])
def test_promote_of_a_rotated_value_is_refused(store, rotated_in):
    for name in ("staging", "prod"):
        store.profile("0s", name, rotated=name == rotated_in)
    why = f"is rotated by {rotated_in}/key: each environment has its own value"
    shown = store.ok("promote", "staging", "prod", "--secrets", "--yes")
    assert f"KEY: {why}" in shown
    done = store.run("promote", "staging", "prod", "KEY", "--yes")
    assert done.returncode == 3
    assert why in done.stderr
    assert store.key() == "prod-old"


def test_rollback_without_a_record_is_refused(store):
    store.profile("0s")
    store.ok("set", "KEY", "--env", "prod", input="new")
    done = store.run("rollback", "KEY", "--env", "prod", "--yes")
    assert done.returncode == 6
    assert "is retired: it has no record" in done.stderr
    assert store.key() == "new"


def test_history_lists_the_versions_in_which_the_variable_changed(store):
    store.profile("0s")
    store.ok("rotate", "key")
    store.ok("set", "OTHER", "--env", "prod", input="y")
    found = store.history()
    if store.folder is None:  # there is one backup copy, in which KEY is the same
        assert [one[1:] for one in found] == [("current", "rotated")]
    else:
        assert [one[1:] for one in found] == [("current", "rotated"), ("older", "retired")]
