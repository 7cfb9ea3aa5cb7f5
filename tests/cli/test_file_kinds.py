"""Commands that write `.env` files and profiles preserve file attributes and refuse some files."""

import os
import select
import shutil
import signal
import stat
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from support.attributes import ACCESS, acl, acl_of, needs_lists, require
from support.permissions import NOBODY
from support.process import program
from support.rotating import record_file, table
from support.small_disk import SmallDisk
from support.transcript import transcript

PROFILE = '[variables]\nTOKEN = "{{ TOKEN }}"\nLEVEL = "info"\nOTHER = { required = false }\n'
ROTATION = table("token", "TOKEN", 'grace = "0s"', 'target = { previous_field = "" }')
SET = ("set", "TOKEN", "--env", "dev")
UNSET = ("unset", "TOKEN", "--env", "dev")
EDIT = ("edit", "--env", "dev")
PROMOTE = ("promote", "prod", "dev", "OTHER", "--secrets", "--yes")
ROTATE = ("rotate", "dev/token")
EDITOR = {"EDITOR": "sed -i s/old/edited/"}
LIST = acl(user=6, named={1001: 4}, group=0, mask=4)


@pytest.fixture
def dev(project):
    project.profile("dev.toml", PROFILE + ROTATION)
    project.profile("prod.toml", PROFILE)
    project.dotenv("dev", "TOKEN=old\n")
    project.dotenv("prod", "TOKEN=prod\nOTHER=prod\n")
    return project


@pytest.fixture
def disk(tmp_path, project):
    """A small disk, to which the project was moved."""
    with SmallDisk(tmp_path / "disk") as made:
        if not made.mounted:
            pytest.skip("no file system can be mounted here, which only root may do")
        shutil.copytree(project.root, made.folder, dirs_exist_ok=True)
        project.root, project.profiles = made.folder, made.folder / "profiles"
        yield made


@pytest.fixture
def runtime(project):
    """The folder in which an edit creates its own folder, beside one of another user."""
    folder, other = project.root.parent / "runtime", project.root.parent / "other"
    project.environ["XDG_RUNTIME_DIR"] = str(folder)
    for made in (folder, other):
        made.mkdir(mode=0o700)
    (other / "file").write_text("theirs")
    yield folder
    assert (other / "file").read_text() == "theirs"


def run(project, *command, **env):
    env = {**EDITOR, "XDG_STATE_HOME": str(project.root.parent / "state"), **env}
    return project.run(*command, env=env, input="new")


def names(project):
    return sorted(path.name for path in project.root.iterdir())


def hard_link(path):
    os.link(path, path.parent / "backup")


def read_only(path):
    path.chmod(0o444)


@pytest.mark.parametrize("spoil", [hard_link, read_only])
@pytest.mark.parametrize("command", [SET, UNSET, EDIT, PROMOTE, ROTATE], ids=" ".join)
def test_commands_refuse_an_irreplaceable_file_before_they_change_anything(dev, command, spoil):
    path = dev.root / ".env.dev"
    spoil(path)
    before, listed = path.read_bytes(), names(dev)
    done = run(dev, *command)
    said = done.stdout + done.stderr
    assert done.returncode == (1 if command is ROTATE else 6), said
    assert "cannot replace .env.dev: it " in said
    assert "run: chmod u+w .env.dev" in said or "find . -samefile .env.dev" in said
    assert path.read_bytes() == before
    assert names(dev) == listed


@pytest.mark.parametrize("command", [("rotate", "--plan"), ("doctor", "--env", "dev")])
def test_plan_and_doctor_report_an_irreplaceable_file_in_advance(dev, command):
    (dev.root / ".env.dev").chmod(0o444)
    assert "cannot replace .env.dev: it is read-only" in run(dev, *command).stdout


@pytest.mark.usefixtures("trusted")
def test_a_rotation_does_not_touch_its_target_when_the_store_is_not_writable(dev):
    marker = dev.root / "asked"
    rotator = program(dev.root / "rotator", f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    command = table("token", "TOKEN", f'target = {{ command = ["{rotator}"] }}', rotator="command")
    dev.profile("dev.toml", PROFILE + command)
    run(dev, *ROTATE)
    assert marker.exists(), "the rotator is run where nothing is in the way"
    for made in (marker, record_file(dev, "dev", "TOKEN")):
        made.unlink(missing_ok=True)
    os.link(dev.root / ".env.dev", dev.root / "backup")
    assert run(dev, *ROTATE).returncode == 1
    assert not marker.exists()
    assert not record_file(dev, "dev", "TOKEN").exists()


def test_an_edit_of_several_files_changes_none_when_one_is_refused(dev):
    dev.profile("dev.toml", PROFILE.replace("info", "old"))
    (dev.profiles / "dev.toml").chmod(0o444)
    done = run(dev, *EDIT)
    assert done.returncode == 6
    assert "cannot replace profiles/dev.toml: it is read-only" in done.stderr
    assert (dev.root / ".env.dev").read_text() == "TOKEN=old\n"


def test_commands_do_not_replace_a_read_only_profile(dev):
    (dev.profiles / "dev.toml").chmod(0o444)
    done = run(dev, "set", "LEVEL", "--env", "dev")
    assert transcript(done) == (
        "2> envkit: error: cannot replace profiles/dev.toml: it is read-only [write-refused]\n"
        "2> envkit: hint: run: chmod u+w profiles/dev.toml\n"
        "[6]\n"
    )


@needs_lists
@pytest.mark.parametrize("command", [SET, UNSET, EDIT, PROMOTE, ROTATE], ids=" ".join)
def test_every_command_preserves_the_acl_and_attributes_of_a_file(dev, command):
    require(dev.root)
    path = dev.root / ".env.dev"
    os.setxattr(path, ACCESS, LIST)
    os.setxattr(path, "user.note", b"ours")
    done = run(dev, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert path.read_text() != "TOKEN=old\n"
    assert acl_of(path) == LIST
    assert os.getxattr(path, "user.note") == b"ours"
    for made in dev.root.glob(".env.dev.*"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        assert acl_of(made) is None, f"others can read {made.name}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("command", [SET, ROTATE], ids=" ".join)
def test_commands_under_sudo_leave_every_file_to_the_owner_of_the_env_file(dev, command):
    os.chown(dev.root / ".env.dev", NOBODY, NOBODY)
    assert run(dev, *command).returncode == 0
    found = list(dev.root.glob(".env.dev*"))
    assert len(found) >= 2
    assert {path.stat().st_uid for path in found} == {NOBODY}


def test_a_write_to_a_full_disk_is_not_retried(dev, disk):
    disk.fill()
    assert transcript(run(dev, *SET)) == (
        "2> envkit: warning: TOKEN is rotated by dev/token: the next rotation starts from the new "
        "value\n"
        f"2> envkit: error: cannot write .env.dev: {os.strerror(ENOSPC).lower()} [write-refused]\n"
        "2> envkit: hint: free some space: 'df -h' shows which disk is full\n"
        "[6]\n"
    )
    assert (disk.folder / ".env.dev").read_text() == "TOKEN=old\n"
    assert not list(disk.folder.glob("*.envkit-tmp"))


COUNTING = """#!/bin/sh
sed -n 's/.*"step": *"\\([a-z]*\\)".*/\\1/p' >> {0}
echo >> {0}
echo '{{}}'
"""


@pytest.mark.parametrize("pages", range(8))
def test_a_rotation_does_not_touch_its_target_when_the_disk_is_full(
    tmp_path, project, disk, trusted, pages
):
    """Also if there is space for the record and for one of the file and its copy."""
    steps = tmp_path / "steps"
    rotator = program(tmp_path / "rotator", COUNTING.format(steps))
    settings = "verify_current = false, verify_retired = false"
    target = f'target = {{ command = ["{rotator}"], {settings} }}'
    rotation = table("token", "TOKEN", 'grace = "0s"', target, rotator="command")
    project.profile("dev.toml", PROFILE + rotation)
    project.dotenv("dev", "TOKEN=old\n")
    disk.fill(but=pages * 4096)
    done = run(project, *ROTATE)
    told = set(steps.read_text().split())
    if done.returncode == 0:
        assert told == {"prepare", "create", "set", "test", "finish", "retire"}
        assert pages > 2
    else:
        assert "cannot write .env.dev: no space left on device" in done.stderr
        assert "free some space" in done.stderr
        assert told == {"prepare"}
        assert (disk.folder / ".env.dev").read_text() == "TOKEN=old\n"
        assert not list(disk.folder.glob("*.envkit-tmp"))


@pytest.mark.parametrize("command", [("set", "LEVEL", "--env", "dev"), ("init",)], ids=" ".join)
def test_a_write_of_a_profile_to_a_full_disk_gets_a_hint(project, disk, command):
    if command[0] == "set":
        project.profile("dev.toml", PROFILE)
    else:
        project.profiles.rmdir()
    disk.fill()
    done = run(project, *command)
    assert done.returncode == 6, done.stderr
    assert "no space left on device" in done.stderr
    assert "hint: free some space" in done.stderr


@pytest.mark.parametrize(
    ("path", "hint", "status"),
    [
        ("conf/.env.dev", "mkdir", 5),
        (".env." + "x" * 245, "shorter name", 6),
        ("file/x", "rename", 3),
    ],
)
def test_a_file_name_that_cannot_be_created_gets_a_hint(dev, path, hint, status):
    (dev.root / "file").touch()
    dev.profile("dev.toml", f'[sources.dotenv]\npath = "{path}"\n' + PROFILE)
    done = run(dev, *SET)
    assert done.returncode == status, done.stderr
    assert hint in done.stderr


# ---------------------------------------------------------------- after killed commands


def test_a_set_removes_the_leftovers_that_a_killed_set_left_beside_a_link(dev):
    """The copy is beside the link, and the lock is beside the file."""
    (dev.root / "config").mkdir()
    (dev.root / ".env.dev").rename(dev.root / "config" / "app.env")
    (dev.root / ".env.dev").symlink_to("config/app.env")
    left = dev.root / f".env.dev.envkit-previous.{'0' * 12}.envkit-tmp"
    left.write_text("TOKEN=old\n")
    assert run(dev, *SET).returncode == 0
    assert not left.exists()


LEFT_BY_EDITORS = {
    "a link to a folder": 'ln -s "$OTHER" "$FOLDER/link"',
    "a link to a file": 'ln -s "$OTHER/file" "$FOLDER/link"',
    "a hard link": 'ln "$OTHER/file" "$FOLDER/link"',
    "a pipe": 'mkfifo "$FOLDER/pipe"',
    "a folder without permissions": 'mkdir -p "$FOLDER/a/b"; touch "$FOLDER/a/b/c"; '
    'chmod 0 "$FOLDER/a/b/c" "$FOLDER/a/b" "$FOLDER/a"',
    "nothing": 'rm -r "$FOLDER"',
    "a pipe in the place of the text": 'rm "$1"; mkfifo "$1"',
}


@pytest.mark.parametrize("what", LEFT_BY_EDITORS)
def test_edit_wipes_every_file_that_the_editor_leaves_and_nothing_else(
    dev, runtime, tmp_path, what
):
    head = f'#!/bin/sh\nOTHER={tmp_path / "other"}\nFOLDER=$(dirname "$1")\n'
    editor = program(tmp_path / "editor", head + LEFT_BY_EDITORS[what])
    done = run(dev, *EDIT, EDITOR=str(editor))
    assert done.returncode == (2 if what.startswith(("nothing", "a pipe in")) else 0), done.stderr
    assert list(runtime.iterdir()) == []


def test_edit_reports_that_there_is_no_space_for_the_text(dev, tmp_path):
    with SmallDisk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("no file system can be mounted here, which only root may do")
        disk.fill()
        done = run(dev, *EDIT, XDG_RUNTIME_DIR=str(disk.folder))
        assert done.stderr == (
            "envkit: error: cannot write the text to edit: no space left on device "
            "[editor-failed]\n"
        )
        assert [path.name for path in disk.folder.iterdir()] == [".filler"]


def running_edit(project):
    """Start an edit; return its process and the file, when the editor has that."""
    folder = project.root.parent
    os.mkfifo(folder / "opened")
    opening = f'#!/bin/sh\necho "$1" > {folder}/opened\nexec sleep 60\n'
    editor = program(folder / "editor", opening)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "EDITOR": str(editor)}
    opened = os.open(folder / "opened", os.O_RDWR)
    running = subprocess.Popen(
        [sys.executable, "-m", "envkit", "edit", "--env", "dev"],
        cwd=project.root,
        env={**env, **project.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert select.select([opened], [], [], 30)[0], "the editor was not started"
        return running, Path(os.read(opened, 4096).decode().strip())
    finally:
        os.close(opened)


def test_edit_wipes_the_folder_of_a_killed_edit(dev, runtime):
    running, path = running_edit(dev)
    try:
        assert "old" in path.read_text()
        assert run(dev, *EDIT).returncode == 0
        assert path.exists(), "another edit has wiped that of a living one"
        running.kill()
        running.wait()
        assert path.exists()
        assert run(dev, *EDIT).returncode == 0
        assert list(runtime.iterdir()) == []
    finally:
        os.killpg(running.pid, signal.SIGKILL)


def test_a_write_removes_the_leftovers_of_a_killed_export(dev):
    left = dev.root / f"app.env.{'0' * 12}.envkit-tmp"
    left.write_text("TOKEN=old\n")
    assert run(dev, "export", "--env", "dev", "-o", "app.env").returncode == 0
    assert not left.exists()
