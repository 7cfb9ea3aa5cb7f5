"""docs/contributing/architecture.md matches the packages, imports and functions of the code."""

import importlib
import json
import re
from functools import reduce

import pytest

from support.pages import ROOT
from support.process import run_python
from support.rotating import table
from test_layering import ALLOWED, FACADE_MODULES, FACADES

TEXT = (ROOT / "docs" / "contributing" / "architecture.md").read_text(encoding="utf-8")
_FUNCTION = re.compile(r"`([a-z_.]+:[A-Za-z_.]+)`")
FUNCTIONS = sorted(set(_FUNCTION.findall(TEXT)))

RECORD = """
import json, os, sys, threading

class Reached(BaseException):
    pass

def reached(*_):
    raise Reached

os.execvpe = reached
names = json.loads(sys.argv[1])
sys.argv = ["envkit", *sys.argv[2:]]
called = {}

def note(frame, event, _):
    if event == "call":
        code = frame.f_code
        module = frame.f_globals.get("__name__", "").removeprefix("envkit.")
        name = f"{module}:{code.co_qualname}"
        if name in names:
            called.setdefault(name)

threading.setprofile(note)
sys.setprofile(note)
from envkit.__main__ import main
try:
    main()
except Reached:
    status = "execvpe"
except SystemExit as end:
    status = end.code
sys.setprofile(None)
print(json.dumps([status, list(called)]))
"""


def section(heading):
    pattern = rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)"
    found = re.search(pattern, TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"architecture.md has no section {heading!r}"
    return found[1]


def journey(heading):
    """The functions in the first column of a section's table, in order."""
    return re.findall(r"^\| `([a-z_.]+:[A-Za-z_.]+)` \|", section(heading), re.MULTILINE)


def calls(project, names, *command):
    """Run a command, and return how it ended and which of the functions it called, in order."""
    env = {"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(project.root)}
    done = run_python(RECORD, json.dumps(names), *command, cwd=project.root, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_that_the_architecture_page_names_exists(function):
    module, _, name = function.partition(":")
    reduce(getattr, name.split("."), importlib.import_module(f"envkit.{module}"))


def test_the_package_table_matches_the_layering_test():
    rows = re.findall(r"^\| `(\w+)` \| .+ \| ?(.*)\|$", section("The packages"), re.MULTILINE)
    shown = {package: re.findall(r"`(\w+)`", allowed) for package, allowed in rows}
    assert shown == {package: allowed.split() for package, allowed in ALLOWED.items()}
    assert list(shown) == list(ALLOWED)


def test_the_facade_table_matches_the_layering_test():
    row = r"^\| `envkit\.([\w.]+)` \| `(\w+)` \|"
    rows = re.findall(row, section("The packages"), re.MULTILINE)
    modules = {name.removeprefix("envkit."): name.split(".")[1] for name in FACADE_MODULES}
    assert dict(rows) == {**FACADES, **modules}


def test_the_picture_shows_every_package_above_its_imports():
    picture = re.findall(r"^│ (.+) │$", section("The packages"), re.MULTILINE)
    line_of = {word: number for number, line in enumerate(picture) for word in line[19:].split()}
    assert set(line_of) == set(ALLOWED)
    for package, allowed in ALLOWED.items():
        for other in allowed.split():
            assert line_of[package] < line_of[other], f"{package} is not above {other}"


def test_exec_calls_the_functions_of_its_documented_journey_in_order(project):
    project.profile("prod.toml", '[variables]\nURL = "pg://app:{{ DB_PASSWORD | urlencode }}@db"\n')
    project.dotenv("prod", "DB_PASSWORD='p@ss'\n")
    names = journey("From a placeholder to execvpe")
    assert calls(project, names, "exec", "--env", "prod", "--", "app") == ["execvpe", names]


def test_rotate_calls_the_functions_of_its_documented_journey_in_order(project):
    variables = '[variables]\nKEY = "{{ KEY }}"\n'
    project.profile("prod.toml", variables + table("key", "KEY", 'grace = "0s"'))
    project.dotenv("prod", "KEY=first\n")
    names = journey("From `envkit rotate` to retire")
    assert calls(project, names, "rotate", "key") == [0, names]
