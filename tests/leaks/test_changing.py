"""A changed value is in its store, and no part of it is left anywhere else.

It is typed, piped, read from a file or typed into an editor. Afterwards stdout, stderr, HOME,
TMPDIR, XDG_RUNTIME_DIR, the audit log and the project are searched for the old value and
for the new one, and so are the arguments of every process while they run.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from support.process import started

OLD, NEW = "canary-old-5f21c9", "canary-new-81d04e"
PROFILE = """\
protected = true
[variables]
SECRET = { value = "{{ SECRET }}", pattern = "^canary" }
LITERAL = { value = "plain", type = "int" }
PORT = { value = "{{ SECRET2 }}", type = "port", required = false }
"""
SET = ("set", "SECRET")
# the file of the values, and the one before
STORES = {".env.prod", ".env.prod.envkit-previous"}


@pytest.fixture
def prod(project, places):
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", f"SECRET={OLD}\n")
    project.environ |= {"ENVKIT_ENV": "prod", "ENVKIT_REASON": "INC-1", "ENVKIT_DEBUG": "1"}
    places.hidden = [OLD, NEW]
    return places


@pytest.mark.parametrize(
    ("arguments", "piped", "status"),
    [
        ("set SECRET", f"{NEW}\n", 0),
        ("set SECRET --from-file -", NEW, 0),
        ("set SECRET --skip-unchanged", OLD, 0),
        ("set --ref dotenv:SECRET", NEW, 0),
        ("unset SECRET", "", 0),
        # values that cannot be written
        ("set SECRET", f"not-{NEW}", 3),
        ("set SECRET", f"encrypted:{NEW}", 3),
        ("set LITERAL", NEW, 3),
        ("set PORT", NEW, 3),
        (f"set SECRET {NEW}", "", 2),
        (f"set SECRET={NEW}", "", 2),
    ],
)
def test_set_leaks_no_piped_value(prod, arguments, piped, status):
    prod.run(*arguments.split(), input=piped, status=status)
    assert prod.traces() <= STORES


def test_set_writes_a_value_in_the_place_of_a_command_nowhere(prod):
    assert prod.project.run(f"SECRET={NEW}").returncode == 2
    assert prod.traces() <= STORES


def test_set_leaks_no_value_from_a_file(prod, tmp_path):
    (tmp_path / "value").write_text(NEW)
    prod.run(*SET, "--from-file", str(tmp_path / "value"))
    assert prod.traces() == STORES


@pytest.mark.parametrize(("second", "status"), [(NEW, 0), (OLD, 2), ("\x03", 130)])
def test_set_leaks_no_typed_value(prod, second, status):
    answers = [("New value of SECRET:", f"{NEW}\n"), ("Again:", f"{second}\n")]
    shown, ended = prod.project.on_terminal(*SET, answers=answers)
    assert ended == status
    prod.assert_quiet(shown)
    assert prod.traces() <= STORES


@pytest.mark.parametrize("arguments", ["history SECRET", "rollback SECRET --yes"])
def test_history_and_rollback_leak_no_value(prod, arguments):
    prod.run(*SET, input=NEW)
    prod.run(*arguments.split())
    assert prod.traces() == STORES


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
def test_edit_leaks_no_value(prod, tmp_path, new, status, ended):
    script = tmp_path / "editor.py"
    script.write_text(EDITOR.format(old=OLD, new=new, status=status))
    prod.run("edit", env={"VISUAL": f"{sys.executable} {script}"}, status=ended)
    assert prod.traces() <= STORES
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        assert list(prod.folders[name].iterdir()) == []


def test_set_has_no_value_in_its_arguments_while_it_asks_for_it(prod):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(prod.project, *SET, **pipes) as process:
        process.stdin.write(NEW.encode())
        process.stdin.flush()
        for name in ("cmdline", "environ"):
            prod.assert_quiet(Path(f"/proc/{process.pid}/{name}").read_text())
        process.stdin.close()
        prod.assert_quiet(process.stdout.read().decode())
    assert process.returncode == 0
    log = (prod.folders["XDG_STATE_HOME"] / "envkit" / "audit.jsonl").read_text()
    assert '"reason":"INC-1"' in log
    prod.assert_quiet(log)
