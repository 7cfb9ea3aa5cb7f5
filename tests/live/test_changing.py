"""`envkit set`, `unset`, `edit`, `history` and `rollback` on OpenBao and Secrets Manager."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from envkit.editing.find import find, prepare_edit
from envkit.editing.write import write_one
from envkit.errors import ConflictError
from envkit.secret import Secret

PROFILE = """\
lookup = ["{name}"]
{source}
[variables]
DB_PASSWORD = {{ value = "{{{{ {name}:db#password }}}}", pattern = "^p" }}
DB_USER = "{{{{ {name}:db#user }}}}"
NEW_FIELD = {{ value = "{{{{ {name}:db#new }}}}", required = false }}
NEW_SECRET = {{ value = "{{{{ {name}:fresh#password }}}}", required = false }}
BARE = {{ required = false }}
"""
FIELDS = {"password": "p-old", "user": "app", "number": 1.5}


@pytest.fixture
def store(store_folder, project):
    store_folder.put("db", FIELDS)
    table = store_folder.table()
    project.profile("prod.toml", PROFILE.format(name=store_folder.name, source=table))
    project.logged()
    return store_folder


def run(project, store, *arguments, **options):
    environ = {**store.environ, **options.pop("env", {})}
    return project.run(*arguments, "--env", "prod", env=environ, **options)


def test_set_changes_one_field_and_preserves_the_others(project, store):
    done = run(project, store, "set", "DB_PASSWORD", input="p-new\n")
    assert store.told(done) == "set DB_PASSWORD in AT/db#password (version V)\n"
    assert store.fields() == {**FIELDS, "password": "p-new"}
    assert run(project, store, "get", "DB_PASSWORD").stdout == "p-new"


def test_set_creates_a_field_and_a_secret(project, store):
    for name, path in (("NEW_FIELD", "db#new"), ("NEW_SECRET", "fresh#password")):
        done = run(project, store, "set", name, input="x")
        assert store.told(done) == f"set {name} in AT/{path} (version V)\n"
    assert store.fields() == {**FIELDS, "new": "x"}
    assert store.fields("fresh") == {"password": "x"}


def test_set_of_a_bare_name_writes_to_the_secret_at_the_prefix(project, store):
    assert run(project, store, "set", "BARE", input="x").returncode == 0
    assert store.fields("") == {"BARE": "x"}


def test_unset_removes_one_field(project, store):
    done = run(project, store, "unset", "DB_PASSWORD")
    assert store.told(done) == "removed DB_PASSWORD from AT/db#password (version V)\n"
    assert store.fields() == {"user": "app", "number": 1.5}
    assert run(project, store, "rollback", "DB_PASSWORD", "--yes").returncode == 0
    assert store.fields() == FIELDS


def test_history_lists_versions_and_rollback_restores_one(project, store):
    for value in ("p-two", "p-three"):
        run(project, store, "set", "DB_PASSWORD", input=value)
    run(project, store, "set", "DB_USER", input="other")
    done = run(project, store, "history", "DB_PASSWORD", "--format", "json")
    document = json.loads(done.stdout)
    assert document["place"] == f"{store.place}db#password"
    versions = document["versions"]
    assert [one["state"] for one in versions] == ["current", "older", "older"]
    assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", one["created"]) for one in versions)

    # the previous version has the same password: the one before that is meant
    done = run(project, store, "rollback", "DB_PASSWORD", "--yes")
    assert store.told(done) == ("restored version V of DB_PASSWORD in AT/db#password (version V)\n")
    assert store.fields() == {**FIELDS, "password": "p-two", "user": "other"}

    done = run(project, store, "rollback", "DB_PASSWORD", "--yes", "--to", versions[2]["version"])
    assert store.fields() == {**FIELDS, "user": "other"}
    last = project.records()[-1]
    assert (last["command"], last["names"], last["outcome"]) == ("rollback", ["DB_PASSWORD"], "ok")
    assert last["versions"]["DB_PASSWORD"][0] in done.stdout


def edit(project, store, script):
    """Edit the values with a script of Python, which has their file in `path`."""
    editor = project.root / "editor.py"
    editor.write_text(
        f"import pathlib, subprocess, sys\npath = pathlib.Path(sys.argv[1])\n{script}"
    )
    return run(project, store, "edit", env={"EDITOR": f"{sys.executable} {editor}"})


def test_edit_changes_several_fields_of_one_secret(project, store):
    script = """
text = path.read_text().replace('p-old', 'p-new').replace('=app', '=other')
path.write_text(text.replace('# not set: NEW_FIELD=', 'NEW_FIELD=n'))
"""
    done = edit(project, store, script)
    assert store.told(done) == (
        "set DB_PASSWORD in AT/db#password (version V)\n"
        "set DB_USER in AT/db#user (version V)\n"
        "set NEW_FIELD in AT/db#new (version V)\n"
    )
    assert store.fields() == {**FIELDS, "password": "p-new", "user": "other", "new": "n"}


def test_edit_preserves_a_change_made_while_the_editor_is_open(project, store):
    """The editor runs `envkit set`, as another user would."""
    script = """
subprocess.run([sys.executable, '-m', 'envkit', 'set', 'DB_PASSWORD', '-e', 'prod'],
               input=b'p-theirs', stdout=subprocess.DEVNULL, check=True)
path.write_text(path.read_text().replace('p-old', 'p-mine').replace('=app', '=mine'))
"""
    done = edit(project, store, script)
    assert store.told(done) == (
        "2> envkit: error: changed after envkit read it: DB_PASSWORD in AT/db#password; nothing "
        "was written [conflict]\n"
        "2> envkit: hint: check the change, then run the command again\n"
        "[7]\n"
    )
    assert store.fields() == {**FIELDS, "password": "p-theirs"}


def test_set_without_write_permission_changes_nothing(project, store):
    store.deny_writes()
    done = run(project, store, "set", "DB_PASSWORD", input="p-new")
    assert done.returncode == 6, done.stderr
    assert store.fields() == FIELDS
    [record] = project.records()
    assert record["outcome"] == "access-denied"


def many(project, store, count):
    """Write a profile with so many fields of one secret, and the secret."""
    names = [f"FIELD_{number}" for number in range(count)]
    lines = [f'{name} = "{{{{ {store.name}:many#{name} }}}}"\n' for name in names]
    project.profile("prod.toml", f"{store.table()}[variables]\n{''.join(lines)}")
    store.put("many", dict.fromkeys(names, "old"))
    return names


def set_at_once(project, store, names):
    """Set variables from as many threads, each of which has read its own before the first writes.

    Returns:
        the error of each, None for those that were set.
    """
    barrier = Barrier(len(names))

    def write(number, name):
        options = {"profiles": str(project.profiles), "environ": store.environ}
        editable = find(prepare_edit(("prod",), [name], timeout_seconds=60, **options))
        variable = editable.one(name)
        barrier.wait()
        try:
            value = Secret(f"value {number}")
            write_one(variable.slot, value, variable.current, editable.deadline)
        except ConflictError as error:
            return error
        return None

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(write, range(len(names)), names))


def test_concurrent_sets_of_different_fields_of_one_secret_all_succeed(project, store):
    names = many(project, store, 20)
    assert set_at_once(project, store, names) == [None] * 20
    assert store.fields("many") == {name: f"value {at}" for at, name in enumerate(names)}


def test_one_of_several_concurrent_sets_of_a_field_succeeds_and_the_others_conflict(project, store):
    many(project, store, 1)
    errors = set_at_once(project, store, ["FIELD_0"] * 4)
    [winner] = [number for number, error in enumerate(errors) if error is None]
    assert store.fields("many") == {"FIELD_0": f"value {winner}"}


def test_edit_of_twelve_fields_creates_one_version_and_twelve_audit_records(project, store):
    names = many(project, store, 12)
    done = edit(project, store, "path.write_text(path.read_text().replace('=old', '=new'))")
    assert done.returncode == 0, done.stderr
    assert store.fields("many") == dict.fromkeys(names, "new")
    assert len(store.versions("many")) == 2
    records = [record for record in project.records() if record["versions"]]
    assert [record["names"] for record in records[-12:]] == [[name] for name in names]
