"""`envkit edit`: what the editor is given, what of it is written back, and what is left behind."""

import os
import signal
import subprocess
import sys

import pytest

from support.terminal import run_on_terminal
from support.transcript import told

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

SHOWN = """\
# dev: change values, save and leave the editor.
# A line that you take out changes nothing: 'envkit unset' takes a value out.
# To change nothing at all, leave without saving.

# profiles/dev.toml:3
PORT=8080

# .env.dev#API_KEY
API_KEY='old key'

# .env.dev#DB_PASSWORD
PASSWORD='two
lines'

# .env.dev#NEW
# absent: NEW=

# not to be changed here:
# LOG_LEVEL is written in profiles/base.toml:2, which dev extends
# URL is made of several parts (profiles/dev.toml:6)
# SAME has the value of API_KEY
"""


@pytest.fixture
def dev(project):
    project.profile("base.toml", BASE)
    project.profile("dev.toml", DEV)
    project.dotenv("dev", DOTENV)
    for name in ("runtime", "state"):
        (project.root / name).mkdir(mode=0o700)
    return project


@pytest.fixture
def editor(dev):
    """Write an editor that runs a line of Python on `text`, the content of its file."""

    def write(code, *, status=0):
        script = dev.root / "editor.py"
        script.write_text(
            "import os, pathlib, re, sys, time\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "text = path.read_text()\n"
            f"{code}\n"
            "path.write_text(text)\n"
            f"sys.exit({status})\n"
        )
        return {
            "EDITOR": f"{sys.executable} '{script}'",
            "XDG_RUNTIME_DIR": str(dev.root / "runtime"),
            "XDG_STATE_HOME": str(dev.root / "state"),
        }

    return write


def edited(dev, env, *arguments):
    done = dev.run("edit", "-e", "dev", *arguments, env=env)
    assert list((dev.root / "runtime").iterdir()) == [], "something was left behind"
    return told(done)


def stored(dev):
    return (dev.root / ".env.dev").read_text(), (dev.profiles / "dev.toml").read_text()


def test_the_editor_sees_what_can_be_changed_and_why_the_rest_cannot(dev, editor):
    env = editor("sys.stdout.write(text)")
    assert edited(dev, env) == f"{SHOWN}nothing was changed\n"
    assert stored(dev) == (DOTENV, DEV)


def test_the_file_is_private(dev, editor):
    env = editor("print(oct(path.stat().st_mode), oct(path.parent.stat().st_mode), path.parent)")
    shown, folder = edited(dev, env).splitlines()[0].rsplit(" ", 1)
    assert shown == "0o100600 0o40700"
    assert folder.startswith(str(dev.root / "runtime" / "envkit-edit-"))


def test_only_what_was_changed_is_written_back(dev, editor):
    env = editor("text = text.replace('8080', '9090').replace('two', 'three')")
    assert edited(dev, env) == (
        "set PORT in profiles/dev.toml:3\nset PASSWORD in .env.dev#DB_PASSWORD (version V)\n"
    )
    assert stored(dev) == (DOTENV.replace("two", "three"), DEV.replace("8080", "9090"))
    seen, *changed = dev.records()
    assert (seen["command"], seen["names"]) == ("edit", ["PORT", "API_KEY", "PASSWORD"])
    assert [one["names"] for one in changed] == [["PORT"], ["PASSWORD"]]


def test_several_values_of_one_file_and_one_that_was_absent(dev, editor):
    env = editor("text = re.sub('# absent: NEW=', 'NEW=n', text.replace('old', 'new'))")
    edited(dev, env)
    assert stored(dev)[0] == DOTENV.replace("old", "new") + "NEW=n\n"


def test_a_line_that_is_taken_out_changes_nothing(dev, editor):
    assert edited(dev, editor("text = ''")) == "nothing was changed\n"
    assert stored(dev) == (DOTENV, DEV)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("text += 'no definition'", "dev.env:22: cannot parse"),
        ("text = 'API_KEY=new\\nPORT=x'", "the new value of PORT is not a port"),
        ("text = 'API_KEY=new\\nAPI_KE=x'", "dev.env:2: dev has no variable 'API_KE'"),
        ("text = 'API_KEY=new\\nURL=x'", "dev.env:2: URL cannot be changed here"),
        ("text = 'API_KEY=encrypted:x'", "is encrypted"),
        ("path.unlink(); sys.exit(0)", "the editor left no text behind"),
        ("path.write_bytes(b'API_KEY=\\xff'); sys.exit(0)", "the editor left no text behind"),
    ],
)
def test_a_text_that_is_not_valid_changes_nothing(dev, editor, code, message):
    seen = edited(dev, editor(code))
    assert message in seen
    assert "set " not in seen
    assert stored(dev) == (DOTENV, DEV)


def test_an_editor_that_fails_changes_nothing(dev, editor):
    env = editor("text = text.replace('old', 'new')", status=3)
    assert edited(dev, env) == (
        "2> envkit: error: the editor ended with status 3; nothing was changed\n[1]\n"
    )
    assert stored(dev) == (DOTENV, DEV)


@pytest.mark.parametrize("command", ["no-such-editor", "'open", "  "])
def test_an_editor_that_cannot_be_run(dev, editor, command):
    env = {**editor(""), "VISUAL": command}
    seen = edited(dev, env)
    assert seen.startswith(f"2> envkit: error: cannot run the editor '{command}': ")
    assert seen.endswith("2> envkit: hint: set EDITOR to your editor\n[1]\n")


def test_vi_is_not_started_without_a_terminal(dev, editor):
    # it would print the values into the pipe
    env = {**editor(""), "EDITOR": ""}
    assert edited(dev, env) == (
        "2> envkit: error: there is no terminal for vi\n"
        "2> envkit: hint: set EDITOR to your editor, or change one value with 'envkit set'\n[2]\n"
    )


def test_visual_comes_before_editor(dev, editor):
    env = {**editor("text = text.replace('old', 'new')"), "VISUAL": "true"}
    assert edited(dev, env) == "nothing was changed\n"


def test_only_some(dev, editor):
    env = editor("print(text)")
    seen = edited(dev, env, "--only", "P*", "--except", "PORT")
    assert "PASSWORD='two" in seen
    assert "PORT" not in seen
    env = editor("text += 'API_KEY=new'")
    assert "API_KEY was not among the variables" in edited(dev, env, "--only", "P*")


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(dev, editor):
    env = editor(
        "text = text.replace('old', 'mine').replace('8080', '9090')\n"
        "file = pathlib.Path('.env.dev')\n"
        "file.write_text(file.read_text().replace('old', 'theirs'))"
    )
    assert edited(dev, env) == (
        "2> envkit: error: changed since it was read: API_KEY in .env.dev#API_KEY;"
        " nothing was written\n"
        "2> envkit: hint: look at the change, then run the command again\n"
        "[7]\n"
    )
    assert stored(dev) == (DOTENV.replace("old", "theirs"), DEV)


def test_what_somebody_else_has_changed_beside_it_stays(dev, editor):
    env = editor(
        "text = text.replace('old', 'mine')\n"
        "file = pathlib.Path('.env.dev')\n"
        "file.write_text(file.read_text().replace('two', 'theirs'))"
    )
    edited(dev, env)
    assert stored(dev)[0] == DOTENV.replace("old", "mine").replace("two", "theirs")


def test_whatever_the_editor_leaves_in_the_folder_is_wiped(dev, editor):
    env = editor(
        "(path.parent / '.prod.env.swp').write_text(text)\n"
        "(path.parent / 'undo').mkdir()\n"
        "(path.parent / 'undo' / 'x').write_text(text)\n"
        "(path.parent / 'link').symlink_to('.env.dev')"
    )
    edited(dev, env)
    assert stored(dev) == (DOTENV, DEV)


def test_a_store_that_fails_is_shown_and_the_others_can_be_changed(dev, editor):
    dev.profile("dev.toml", f'{DEV}VAULTED = "{{{{ vault:secret/a#b }}}}"\n')
    env = editor("text = text.replace('old', 'new')\nprint(text)")
    env |= {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"}
    seen = edited(dev, env, "--timeout", "5")
    assert "# cannot reach vault at http://127.0.0.1:1: connection refused\n" in seen
    assert "set API_KEY in .env.dev#API_KEY" in seen


# ---------------------------------------------------------------- signals and terminals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(dev, editor, number):
    env = editor("sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()")
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", "edit", "-e", "dev"],
        cwd=dev.root,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        assert len(list((dev.root / "runtime").iterdir())) == 1
        process.send_signal(number)
        process.stdin.close()
        assert process.wait() == 128 + number
    assert list((dev.root / "runtime").iterdir()) == []
    assert stored(dev) == (DOTENV, DEV)


def test_on_a_terminal_a_text_that_is_not_valid_can_be_edited_again(dev, editor):
    env = editor(
        "again = '8080x' in text\n"
        "text = text.replace(*('8080x', '9090') if again else ('8080', '8080x'))"
    )
    shown, status = run_on_terminal(
        "edit", "-e", "dev", cwd=dev.root, env=env, answers=[("Edit again? [Y/n]", "\n")]
    )
    assert status == 0, shown
    assert "the new value of PORT is not a port" in shown
    assert "set PORT in profiles/dev.toml:3\n" in shown
    assert stored(dev) == (DOTENV, DEV.replace("8080", "9090"))


@pytest.mark.parametrize(("answer", "ended"), [("n\n", 1), ("\x03", 130)])
def test_or_it_is_given_up(dev, editor, answer, ended):
    env = editor("text = 'API_KEY=new\\nPORT=x'")
    _, status = run_on_terminal(
        "edit", "-e", "dev", cwd=dev.root, env=env, answers=[("Edit again? [Y/n]", answer)]
    )
    assert (status, list((dev.root / "runtime").iterdir())) == (ended, [])
    assert stored(dev) == (DOTENV, DEV)


def test_ctrl_c_in_the_editor_is_the_editors(dev, editor):
    env = editor(
        "try:\n"
        "    print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    text = text.replace('old', 'new')"
    )
    shown, status = run_on_terminal(
        "edit", "-e", "dev", cwd=dev.root, env=env, answers=[("ready", "\x03")]
    )
    assert status == 0, shown
    assert stored(dev)[0] == DOTENV.replace("old", "new")


def test_a_change_that_could_not_be_recorded_is_told_as_one(dev, editor):
    dev.profile("dev.toml", f"protected = true\n{DEV}")
    log = dev.root / "state" / "envkit" / "audit.jsonl"
    env = editor(
        f"text = text.replace('8080', '9090')\nlog = pathlib.Path({str(log)!r})\n"
        "log.unlink(); log.mkdir()"
    )
    seen = edited(dev, {**env, "ENVKIT_REASON": "INC-1"})
    assert "error: PORT was changed, and that is not recorded: cannot write the audit log" in seen
    assert seen.endswith("[6]\n")
    assert "PORT = { value = 9090," in stored(dev)[1]


def test_variables_of_one_file_are_written_at_once_and_recorded_one_by_one(dev, editor):
    before = (dev.root / ".env.dev").read_text()
    change = "text = text.replace('old key', 'new key').replace('two', 'one')"
    done = dev.run("edit", "-e", "dev", env=editor(change))
    assert done.returncode == 0, done.stderr
    assert (dev.root / ".env.dev.envkit-previous").read_text() == before, "there was one write"
    written = [record["names"] for record in dev.records()[-2:]]
    assert written == [["API_KEY"], ["PASSWORD"]]
    versions = {
        record["versions"][name][0] for record in dev.records()[-2:] for name in record["names"]
    }
    assert len(versions) == 1
