"""Every command does the same on an encrypted file as on a plain one, and leaves no plain value."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envkit.encryption.values import is_encrypted
from support import dotenvx
from support.process import environment, program, run_here, run_python, started
from support.rotating import table

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("trusted")

CANARY = "canary-5be1"
VALUES = {
    "DB_PASSWORD": f"{CANARY}-db",
    "API_KEY": f"{CANARY}-key $(id) ${{HOME}}",
    "MULTI": f"{CANARY}-one\n{CANARY}-two",
}
PROFILE = """
[variables]
DB_PASSWORD = "{{ DB_PASSWORD }}"
API_KEY = "{{ API_KEY }}"
MULTI = "{{ MULTI }}"
URL = "pg://app:{{ DB_PASSWORD | urlencode }}@db"
NEW = { required = false }
MODE = "a"

"""
STAGING = '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\nAPI_KEY = "{{ API_KEY }}"\n'
NEW = f"{CANARY}-new 'x'"


def plain_file(project: Project, name: str, values: dict[str, str]) -> None:
    project.dotenv(name, "".join(f"{key}='{text}'\n" for key, text in values.items()))


def encrypted_file(project: Project, name: str, values: dict[str, str]) -> None:
    project.dotenv(name, dotenvx.encrypted_text(values, f"DOTENV_PUBLIC_KEY_{name.upper()}"))
    digits = dotenvx.private_key().text.reveal()
    lines = [f"DOTENV_PRIVATE_KEY_{one}={digits}\n" for one in ("PROD", "STAGING")]
    dotenvx.write_keys(project.root, "".join(lines))


WRITERS = {"plain": plain_file, "encrypted": encrypted_file}


class World:
    """A project whose files are plain or encrypted."""

    def __init__(self, project: Project, kind: str) -> None:
        self.project = project
        self.kind = kind
        project.logged()
        project.profile("prod.toml", PROFILE + table("key", "DB_PASSWORD"))
        project.profile("staging.toml", STAGING)
        WRITERS[kind](project, "prod", VALUES)
        WRITERS[kind](project, "staging", {"DB_PASSWORD": f"{CANARY}-staging"})

    def run(self, *arguments: str, status: int = 0, text: str = "", **env: str) -> str:
        """Run a command; return its output, in which versions and times are left out."""
        done = run_here(*arguments, input=text, env={**self.project.environ, **env})
        assert done.returncode == status, done.stdout + done.stderr
        output = re.sub(r"[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+", "VERSION", done.stdout + done.stderr)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", output)

    def value(self, name: str, env: str = "prod") -> str:
        return run_here("get", name, "--env", env, env=self.project.environ).stdout

    def check_that_nothing_is_plain(self) -> None:
        """Check the whole folder: the files, copies, rotation records and the audit log."""
        if self.kind == "plain":
            return
        files = [path for path in self.project.root.rglob("*") if path.is_file()]
        assert len(files) > 4
        shown = [str(path) for path in files if CANARY.encode() in path.read_bytes()]
        assert shown == []
        for path in self.project.root.glob(".env.*"):
            if path.suffix != ".envkit-rotation":
                written = dotenvx.written(path.read_text())
                secrets = [text for name, text in written.items() if name in VALUES]
                assert all(map(is_encrypted, secrets)), path


@pytest.fixture(params=["plain", "encrypted"])
def world(request, project):
    made = World(project, request.param)
    yield made
    made.check_that_nothing_is_plain()


EXPORTED = {**VALUES, "URL": f"pg://app:{CANARY}-db@db", "MODE": "a"}


def test_exec_starts_the_app_with_every_value(world: World) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    done = world.project.run("exec", "--env", "prod", "--", sys.executable, "-c", code)
    seen = json.loads(done.stdout)
    assert {name: seen[name] for name in EXPORTED} == EXPORTED
    assert not [name for name in seen if name.startswith("DOTENV_")]


def test_exec_does_not_pass_the_private_key_on(world: World) -> None:
    digits = dotenvx.private_key().text.reveal()
    keys = world.project.root / ".env.keys"
    if world.kind == "encrypted":
        keys.unlink()
    env = {"DOTENV_PRIVATE_KEY_PROD": digits}
    done = world.project.run("exec", "--env", "prod", "--", "env", env=env)
    assert f"API_KEY={VALUES['API_KEY']}\n" in done.stdout
    assert digits not in done.stdout


@pytest.mark.parametrize("name", EXPORTED)
def test_get_prints_a_value(world: World, name: str) -> None:
    assert world.value(name) == EXPORTED[name]


def test_export_prints_every_value(world: World) -> None:
    found = json.loads(world.run("export", "--env", "prod", "--format", "json"))
    assert found == EXPORTED


READING = [
    ("show", "--env", "prod"),
    ("list", "--env", "prod"),
    ("diff", "prod", "staging"),
    ("diff", "prod", "file:.env.prod"),
    ("check",),
    ("history", "API_KEY", "--env", "prod"),
    ("rotate", "status"),
    ("rotate", "--plan"),
    ("promote", "prod", "staging", "--plan"),
    ("trust", "list"),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_command_that_reads_prints_the_same_for_both_kinds_of_file(
    project: Project, command: tuple[str, ...]
) -> None:
    printed = []
    for kind in WRITERS:
        World(project, kind)
        done = run_here(*command, env=project.environ)
        assert CANARY not in done.stdout + done.stderr
        # lines of the file move by one, because of the public key
        text = re.sub(r"(\.env\.\w+):\d+", r"\1:N", done.stdout + done.stderr)
        text = re.sub(r"[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+", "VERSION", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        text = re.sub(r" [0-9a-f]{8}\b", " DIGEST", re.sub(" +", " ", text))
        printed.append((done.returncode, text))
    assert printed[0] == printed[1]
    assert printed[0][1]


def test_set_and_unset_change_a_value(world: World) -> None:
    for name in ("API_KEY", "NEW"):
        assert world.run("set", name, "--env", "prod", text=NEW) == (
            f"set {name} in .env.prod#{name} (version VERSION)\n"
        )
        assert world.value(name) == NEW
    world.check_that_nothing_is_plain()
    world.run("unset", "API_KEY", "--env", "prod")
    world.run("get", "API_KEY", "--env", "prod", status=4)
    assert world.value("MULTI") == VALUES["MULTI"]


def test_history_and_rollback_restore_the_value_before(world: World) -> None:
    world.run("set", "API_KEY", "--env", "prod", text=NEW)
    assert world.run("history", "API_KEY", "--env", "prod").count("TIME") == 2
    world.run("rollback", "API_KEY", "--env", "prod", "--yes")
    assert world.value("API_KEY") == VALUES["API_KEY"]


def test_edit_changes_values_in_an_editor(world: World) -> None:
    change = f"s/{CANARY}-db/{CANARY}-edited/"
    editor = program(world.project.root / "editor", f"#!/bin/sh\nsed -i '{change}' \"$1\"\n")
    done = world.project.run("edit", "--env", "prod", env={"EDITOR": str(editor)})
    editor.unlink()
    assert "set DB_PASSWORD in .env.prod#DB_PASSWORD" in done.stdout, done.stderr
    assert world.value("URL") == f"pg://app:{CANARY}-edited@db"


@pytest.mark.parametrize("target", WRITERS)
def test_promote_copies_between_files_of_either_kind(world: World, target: str) -> None:
    WRITERS[target](world.project, "staging", {"DB_PASSWORD": f"{CANARY}-staging"})
    if world.kind == "encrypted":
        WRITERS["encrypted"](world.project, "prod", VALUES)  # with its key
    world.run("promote", "prod", "staging", "API_KEY", "--yes")
    assert world.value("API_KEY", "staging") == VALUES["API_KEY"]
    written = dotenvx.written((world.project.root / ".env.staging").read_text())
    assert is_encrypted(written["API_KEY"]) is (target == "encrypted")
    if target == "plain":
        for path in world.project.root.glob(".env.staging*"):
            path.unlink()


def test_rotation_its_record_and_its_rollback_work(world: World) -> None:
    world.run("rotate", "key")
    first = world.value("DB_PASSWORD")
    assert first != VALUES["DB_PASSWORD"]
    record = world.project.root / ".env.prod.DB_PASSWORD.envkit-rotation"
    text = record.read_text()
    if world.kind == "encrypted":
        assert not [value for value in (first, CANARY) if value in text]
        assert text.count("encrypted:") > 1
    else:
        assert first in text
        assert CANARY in text
    world.check_that_nothing_is_plain()
    world.run("rotate", "--rollback", "key", "--yes")
    assert world.value("DB_PASSWORD") == VALUES["DB_PASSWORD"]
    assert "encrypted:" not in record.read_text()


def test_encrypt_during_a_rotation_leaves_no_plain_value_and_the_rotation_continues(
    project: Project,
) -> None:
    world = World(project, "plain")
    world.run("rotate", "key")
    copy = project.root / ".env.prod.envkit-previous"
    saved = copy.stat().st_mtime_ns
    world.run("env", "init", "--env", "prod")
    said = world.run("env", "encrypt", "--env", "prod")
    assert "the values in records of rotations in progress were encrypted as well" in said
    assert copy.stat().st_mtime_ns == saved
    (project.root / ".env.staging").unlink()
    world.kind = "encrypted"
    world.check_that_nothing_is_plain()
    again = world.run("env", "encrypt", "--env", "prod")
    assert "records" not in again
    world.run("rotate", "--rollback", "key", "--yes")
    assert world.value("DB_PASSWORD") == VALUES["DB_PASSWORD"]


def test_audit_log_names_the_variables_of_each_command(world: World) -> None:
    world.run("set", "API_KEY", "--env", "prod", text=NEW)
    world.value("API_KEY")
    seen = [(one["command"], one["names"]) for one in world.project.records()]
    assert seen == [("set", ["API_KEY"]), ("get", ["API_KEY"])]


def test_watch_restarts_the_app_when_a_value_is_set(world: World) -> None:
    app = 'echo "KEY is $API_KEY"; while :; do sleep 0.01; done'
    running = started(
        world.project,
        *("exec", "--env", "prod", "--debounce", "0.05", "--watch", "--", "sh", "-c", app),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline().decode() == f"KEY is {VALUES['API_KEY']}\n"
        world.run("set", "API_KEY", "--env", "prod", text=NEW)
        assert running.stdout.readline().decode() == f"KEY is {NEW}\n"
    finally:
        running.terminate()
        running.wait()
        running.stdout.close()


def test_live_environment_of_a_program_follows_a_change(world: World) -> None:
    code = f"""
import envkit, queue, subprocess, sys
changes = queue.Queue()
command = [sys.executable, "-m", "envkit", "set", "API_KEY", "--env", "prod"]
with envkit.live("prod") as live:
    print(live["API_KEY"].reveal())
    live.on_change("API_KEY", lambda value: changes.put(value.reveal()))
    subprocess.run(command, input={NEW!r}, text=True, check=True, stdout=subprocess.DEVNULL)
    print(changes.get(timeout=30))
"""
    env = {**environment(os.environ["HOME"]), **world.project.environ}
    done = run_python(code, cwd=world.project.root, env=env)
    assert done.stdout == f"{VALUES['API_KEY']}\n{NEW}\n", done.stderr


class TestErrors:
    """What a person sees when an encrypted file cannot be used."""

    @pytest.fixture
    def world(self, project: Project) -> World:
        return World(project, "encrypted")

    @pytest.mark.parametrize(
        "command",
        [
            ("exec", "--env", "prod", "--", "true"),
            ("get", "API_KEY", "--env", "prod"),
            ("show", "--env", "prod", "--reveal", "--yes"),
            ("export", "--env", "prod"),
            ("rotate", "key"),
            ("rollback", "API_KEY", "--env", "prod", "--yes"),
            ("promote", "prod", "staging", "API_KEY", "--yes"),
        ],
        ids=lambda command: command[0],
    )
    def test_missing_key_is_an_error_with_file_and_places(
        self, world: World, command: tuple[str, ...]
    ) -> None:
        (world.project.root / ".env.keys").unlink()
        done = world.project.run(*command)
        said = done.stdout + done.stderr
        assert done.returncode in (1, 6), said
        assert "there is no private key for .env.prod: looked in $DOTENV_PRIVATE_KEY_PROD" in said
        assert ".env.keys" in said

    def test_set_without_the_private_key_writes_and_warns(self, world: World) -> None:
        keys = world.project.root / ".env.keys"
        text = keys.read_text()
        keys.unlink()
        assert "warning: no private key for .env.prod was found" in world.run(
            "set", "API_KEY", "--env", "prod", text=NEW
        )
        dotenvx.write_keys(world.project.root, text)
        assert world.value("API_KEY") == NEW

    def test_private_key_is_never_shown(self, world: World) -> None:
        digits = dotenvx.private_key().text.reveal()
        for command in (*READING, ("doctor",)):
            done = run_here(*command, env={**world.project.environ, "ENVKIT_DEBUG": "1"})
            assert digits not in done.stdout + done.stderr
        dotenvx.write_keys(world.project.root, f"DOTENV_PRIVATE_KEY_PROD={digits}x\n")
        said = world.run("get", "API_KEY", "--env", "prod", status=3, ENVKIT_DEBUG="1")
        assert ".env.keys:1: DOTENV_PRIVATE_KEY_PROD is not a private key" in said
        assert digits[:16] not in said


def test_new_variable_goes_to_the_file_of_the_team_and_is_encrypted(project: Project) -> None:
    world = World(project, "encrypted")
    project.profile(
        "prod.toml", f'[sources.dotenv]\npath = [".env.prod", ".env.prod.local"]\n{PROFILE}'
    )
    own = project.dotenv("prod.local", "MINE=1\n")
    world.run("set", "NEW", "--env", "prod", text=NEW)
    assert own.read_text() == "MINE=1\n"
    written = dotenvx.written((project.root / ".env.prod").read_text())
    assert is_encrypted(written["NEW"])
    assert world.value("NEW") == NEW
    own.write_text("MINE=1\nNEW=2\n")
    world.run("set", "NEW", "--env", "prod", text="3")
    assert "NEW=3" in own.read_text().replace("'", "")
