"""`envkit edit`: the text that the editor gets, the changes written back, the files removed."""

import os
import signal
import subprocess
import sys

import pytest

from support.sessions import replay, sessions

BASE = '[variables]\nLOG_LEVEL = "info"\n'
DEV = """\
extends = "base"
[variables]
PORT = { value = 8080, type = "port" }   # of the app
API_KEY = {}
PASSWORD = "{{ dotenv:DB_PASSWORD }}"
URL = "https://{{ API_KEY }}@db"
SAME = "{{ API_KEY }}"
NEW = { required = false }
"""
DOTENV = "API_KEY='old key'\nDB_PASSWORD='two\nlines'\n"


@pytest.fixture
def dev(project):
    project.profile("base.toml", BASE)
    project.profile("dev.toml", DEV)
    project.dotenv("dev", DOTENV)
    runtime = project.root.parent / "runtime"
    runtime.mkdir(mode=0o700)
    project.environ["XDG_RUNTIME_DIR"] = str(runtime)
    project.environ["EDITOR"] = """sh -c 'text=$0; eval "$EDIT"'"""
    yield project.logged()
    assert list(runtime.iterdir()) == [], "something was left behind"


def stored(dev):
    return (dev.root / ".env.dev").read_text(), (dev.profiles / "dev.toml").read_text()


@pytest.mark.parametrize("session", sessions("cli/edit"))
def test_edit_transcripts_match(dev, session):
    assert replay(dev, session) == session


# ---------------------------------------------------------------- signals and terminals


@pytest.fixture
def editor(dev):
    """Write an editor that runs a line of Python on `text`, the content of its file."""

    def write(code):
        script = dev.root / "editor.py"
        script.write_text(
            "import pathlib, sys, time\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "text = path.read_text()\n"
            f"{code}\n"
            "path.write_text(text)\n"
        )
        dev.environ["EDITOR"] = f"{sys.executable} '{script}'"

    return write


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_edit_leaves_no_files_after_a_signal(dev, editor, number):
    editor("sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()")
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", "edit", "-e", "dev"],
        cwd=dev.root,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **dev.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        assert len(os.listdir(dev.environ["XDG_RUNTIME_DIR"])) == 1
        process.send_signal(number)
        process.stdin.close()
        assert process.wait() == 128 + number
    assert stored(dev) == (DOTENV, DEV)


def test_edit_on_a_terminal_lets_the_user_correct_an_invalid_text(dev, editor):
    editor(
        "again = '8080x' in text\n"
        "text = text.replace(*('8080x', '9090') if again else ('8080', '8080x'))"
    )
    shown, status = dev.on_terminal("edit", "-e", "dev", answers=[("Edit again? [Y/n]", "\n")])
    assert status == 0, shown
    assert "the new value of PORT is not a port" in shown
    assert "set PORT in profiles/dev.toml:3\n" in shown
    assert stored(dev) == (DOTENV, DEV.replace("8080", "9090"))


@pytest.mark.parametrize(("answer", "ended"), [("n\n", 1), ("\x03", 130)])
def test_edit_on_a_terminal_lets_the_user_abandon_an_invalid_text(dev, editor, answer, ended):
    editor("text = 'API_KEY=new\\nPORT=x'")
    _, status = dev.on_terminal("edit", "-e", "dev", answers=[("Edit again? [Y/n]", answer)])
    assert (status, stored(dev)) == (ended, (DOTENV, DEV))


def test_edit_leaves_ctrl_c_to_the_editor(dev, editor):
    editor(
        "try:\n"
        "    print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    text = text.replace('old', 'new')"
    )
    shown, status = dev.on_terminal("edit", "-e", "dev", answers=[("ready", "\x03")])
    assert status == 0, shown
    assert stored(dev)[0] == DOTENV.replace("old", "new")
