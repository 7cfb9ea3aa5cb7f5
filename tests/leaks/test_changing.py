"""A value that is changed is in its store, and no part of it is left anywhere else.

It is typed, piped, read from a file or put into an editor. Afterwards stdout, stderr, HOME,
TMPDIR, XDG_RUNTIME_DIR, the audit log and the project are searched for the old value and
for the new one, and so are the arguments of every process while they run.
"""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support.terminal import run_on_terminal

OLD, NEW = "canary-old-5f21c9", "canary-new-81d04e"
PROFILE = """\
protected = true
[variables]
SECRET = { value = "{{ SECRET }}", pattern = "^canary" }
LITERAL = { value = "plain", type = "int" }
PORT = { value = "{{ SECRET2 }}", type = "port", required = false }
"""
SET = ("set", "SECRET")
# the file of the values, the one before, and what a test itself has written
STORES = {".env.prod", ".env.prod.envkit-previous"}


@pytest.fixture
def prod(project, tmp_path):
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", f"SECRET={OLD}\n")
    project.folders = {}
    for name in ("home", "temporary", "runtime", "state"):
        project.folders[name] = tmp_path / name
        project.folders[name].mkdir(mode=0o700)
    project.environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(project.folders["home"]),
        "TMPDIR": str(project.folders["temporary"]),
        "XDG_RUNTIME_DIR": str(project.folders["runtime"]),
        "XDG_STATE_HOME": str(project.folders["state"]),
        "ENVKIT_ENV": "prod",
        "ENVKIT_REASON": "INC-1",
        "ENVKIT_DEBUG": "1",
    }
    return project


def run(project, *arguments, piped="", **env):
    return project.run(*arguments, env={**project.environ, **env}, input=piped, umask=0)


def traces(project):
    """Return the files that hold a part of either value, and are readable by nobody else."""
    found = []
    for folder in (project.root, *project.folders.values()):
        for path in filter(Path.is_file, folder.rglob("*")):
            if re.search(f"{OLD}|{NEW}", path.read_text(errors="replace")):
                found.append(path.name)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"others can read {path}"
    return sorted(found)


def assert_quiet(text):
    assert OLD not in text
    assert NEW not in text


@pytest.mark.parametrize(
    ("arguments", "piped", "status"),
    [
        (SET, f"{NEW}\n", 0),
        ((*SET, "--from-file", "-"), NEW, 0),
        ((*SET, "--skip-unchanged"), OLD, 0),
        (("set", "--ref", "dotenv:SECRET"), NEW, 0),
        (("unset", "SECRET"), "", 0),
        # what cannot be written
        (SET, f"not-{NEW}", 3),
        (SET, f"encrypted:{NEW}", 3),
        (("set", "LITERAL"), NEW, 3),
        (("set", "PORT"), NEW, 3),
        (("set", "SECRET", NEW), "", 2),
        ((f"SECRET={NEW}",), "", 2),
        (("set", f"SECRET={NEW}"), "", 2),
    ],
)
def test_a_value_that_is_piped(prod, arguments, piped, status):
    done = run(prod, *arguments, piped=piped)
    assert done.returncode == status, done.stderr.replace(NEW, "NEW")
    if arguments[0] in ("set", "unset"):
        assert_quiet(done.stdout + done.stderr)
    assert set(traces(prod)) <= STORES


def test_a_value_from_a_file(prod, tmp_path):
    (tmp_path / "value").write_text(NEW)
    done = run(prod, *SET, "--from-file", str(tmp_path / "value"))
    assert done.returncode == 0
    assert_quiet(done.stdout + done.stderr)
    assert traces(prod) == sorted(STORES)


@pytest.mark.parametrize("second", [NEW, OLD, "\x03"])
def test_a_value_that_is_typed(prod, second):
    answers = [("New value of SECRET:", f"{NEW}\n"), ("Again:", f"{second}\n")]
    shown, status = run_on_terminal(*SET, cwd=prod.root, env=prod.environ, answers=answers)
    assert status == {NEW: 0, OLD: 2, "\x03": 130}[second]
    assert_quiet(shown)
    assert set(traces(prod)) <= STORES


@pytest.mark.parametrize("arguments", [("history", "SECRET"), ("rollback", "SECRET", "--yes")])
def test_what_is_told_of_versions(prod, arguments):
    assert run(prod, *SET, piped=NEW).returncode == 0
    done = run(prod, *arguments)
    assert done.returncode == 0
    assert_quiet(done.stdout + done.stderr)
    assert traces(prod) == sorted(STORES)


EDITOR = """
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
text = path.read_text()
assert {old!r} in text
assert not any({old!r} in argument for argument in sys.argv)
(path.parent / ".swap").write_text(text)
path.write_text(text.replace({old!r}, {new!r}))
sys.exit({status})
"""


@pytest.mark.parametrize(
    ("new", "status", "ended"),
    [(NEW, 0, 0), (NEW, 1, 1), (f"not-{NEW}", 0, 3), (f"'{NEW}", 0, 3), (f"{NEW}\n{NEW}", 0, 3)],
)
def test_values_in_an_editor(prod, tmp_path, new, status, ended):
    script = tmp_path / "editor.py"
    script.write_text(EDITOR.format(old=OLD, new=new, status=status))
    done = run(prod, "edit", VISUAL=f"{sys.executable} {script}")
    assert done.returncode == ended, done.stderr
    assert_quiet(done.stdout + done.stderr)
    assert set(traces(prod)) <= STORES
    for name in ("temporary", "runtime"):
        assert list(prod.folders[name].iterdir()) == []


def test_a_value_is_in_no_arguments_while_it_is_asked_for(prod):
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", *SET],
        cwd=prod.root,
        env=prod.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        process.stdin.write(NEW.encode())
        process.stdin.flush()
        folder = Path("/proc") / str(process.pid)
        for name in ("cmdline", "environ"):
            assert_quiet((folder / name).read_text())
        process.stdin.close()
        assert_quiet(process.stdout.read().decode())
    assert process.returncode == 0
    log = prod.folders["state"] / "envkit" / "audit.jsonl"
    assert '"reason":"INC-1"' in log.read_text()
    assert_quiet(log.read_text())
