"""What a child depends on: each variable it looks up and each file it opens."""

import json
import os
import sys

import pytest

from envkit.agent.recording import RecordingEnviron
from support.process import run_python


def _item(environ):
    with pytest.raises(KeyError):
        environ["X"]


@pytest.mark.parametrize(
    "look",
    [
        lambda e: e.get("X"),
        lambda e: "X" in e,
        lambda e: e.pop("X", None),
        lambda e: e.setdefault("X", ""),
        _item,
    ],
)
def test_a_variable_that_is_looked_up_and_missing_is_recorded(look):
    environ = RecordingEnviron({"A": "1"})
    look(environ)
    assert environ.get("A") == environ["A"] == "1"
    assert "A" in environ
    assert (environ.missing, environ.iterated) == ({"X"}, False)


@pytest.mark.parametrize(
    "use",
    [list, dict, len, bool, lambda e: {**e}, lambda e: e.copy(), lambda e: list(e.items())],
)
def test_using_all_variables_is_recorded(use):
    environ = RecordingEnviron({"A": "1"})
    use(environ)
    assert environ.iterated


SCRIPT = """
import os, sys, json
from envkit.agent.recording import record, take_over_environment, StartsProgramError
own, libraries = take_over_environment({"SENT": "1"})
found = {}
folder = sys.argv[1]
os.chdir(folder)
programs = record(found)
open("/etc/hostname", "rb").close() if os.path.exists("/etc/hostname") else None
for name in ("there", "missing"):
    try:
        os.close(os.open(os.path.join(folder, name), os.O_RDONLY))
    except OSError:
        pass
os.listdir(folder)
open("relative").close()
for name in ("tested", "tested-missing", "subfolder"):
    os.path.exists(os.path.join(folder, name))
import wave, subprocess                      # files of libraries
started = []
for start in (lambda: subprocess.run(["true"]), lambda: os.system("true"), os.fork):
    try:
        start()
    except StartsProgramError:
        started.append("stopped")
import os.path
print(json.dumps([sorted(found), started, len(programs), os.environ.get("SENT"), os.getenv("HOME"),
    sorted(libraries.missing)]))
"""


@pytest.mark.parametrize("searched", [False, True])
def test_files_are_recorded_and_programs_are_not_started(tmp_path, searched):
    for name in ("there", "relative", "tested"):
        (tmp_path / name).touch()
    (tmp_path / "subfolder").mkdir()
    path = [str(tmp_path)] if searched else []  # as PYTHONPATH=. in a project
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path + sys.path)}
    done = run_python(SCRIPT, str(tmp_path), options=("-P",), env=env)
    files, started, programs, sent, home, missing = json.loads(done.stdout)
    own = [path for path in files if path.startswith(str(tmp_path))]
    names = [
        *([] if searched else [""]),
        "missing",
        "relative",
        "tested",
        "tested-missing",
        "there",
    ]
    assert own == [str(tmp_path / name) for name in names]
    assert not [path for path in files if "/lib/python" in path]
    assert started == ["stopped"] * 3
    assert programs == 3
    assert (sent, home) == ("1", None)
    assert "HOME" in missing
    assert os.environ.get("HOME")
