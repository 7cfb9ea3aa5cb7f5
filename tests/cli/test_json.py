"""JSON output has exactly the keys that docs/reference/json.md lists."""

import json
import re

import pytest

from support.pages import ROOT
from support.rotating import table

ANY = 0  # as many as there are, which is one at least


def documented(command):
    """Return the keys of each of a command's tables, in their order."""
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    [section] = [one for one in page.split("\n## ")[1:] if one.startswith(f"`envkit {command}`\n")]
    tables = section.split("| --- | --- |")[1:]
    return [re.findall(r"^\| `(\w+)` \|", one, re.MULTILINE) for one in tables]


def assert_documented(done, command, **counts):
    """Compare the keys of a document, and of so many entries of its lists, with the page's."""
    document = json.loads(done.stdout)
    top, *tables = documented(command)
    assert list(document) == top
    for (name, count), keys in zip(counts.items(), tables, strict=True):
        assert [list(one) for one in document[name]] == [keys] * (count or len(document[name]))
        assert document[name], f"there is nothing in {name}"


def test_show_json_has_the_documented_keys(project):
    project.profile("dev.toml", 'variables = { A = "{{ A }}", B = "2" }\n')
    project.dotenv("dev", "A=1\n")
    document = json.loads(project.run("show", "--env", "dev", "--format", "json").stdout)
    top, variables, origins = documented("show")
    assert list(document) == top
    assert [list(one) for one in document["variables"]] == [variables, variables]
    assert [list(one) for one in document["variables"][0]["origins"]] == [origins]


def test_doctor_json_has_the_documented_keys(project):
    project.profile("dev.env", "A=1\n")
    assert_documented(project.run("doctor", "--format", "json"), "doctor", checks=ANY)


def test_env_keys_json_has_the_documented_keys(project):
    project.profile("dev.toml", "")
    assert project.run("env", "init", "--env", "dev").returncode == 0
    done = project.run("env", "keys", "--format", "json")
    assert_documented(done, "env keys", files=1)


def test_promote_json_has_the_documented_keys(project):
    project.profile("staging.toml", '[variables]\nA = "1"\nB = {}\nC = "staging"\n')
    project.profile("prod.env", "B={{ B }}\n")
    project.dotenv("staging", "B=1\n")
    project.dotenv("prod", "X='open\nB=1\n")
    done = project.run("promote", "staging", "prod", "--plan", "--format", "json")
    assert_documented(done, "promote", changes=1, left=1, refusals=1)


@pytest.fixture
def rotating(project):
    """A project with a rotation, and another that is not valid."""
    project.profile("prod.toml", table("key", "KEY") + table("no", "KEY", "nonsense = 1"))
    project.dotenv("prod", "KEY=old\n")
    return project


def test_rotate_json_has_the_documented_keys(rotating):
    done = rotating.run("rotate", "--format", "json")
    assert_documented(done, "rotate", rotations=1, broken=1)


def test_rotate_status_json_has_the_documented_keys(rotating):
    done = rotating.run("rotate", "status", "--format", "json")
    assert_documented(done, "rotate status", rotations=2)


def test_rotate_simulate_json_has_the_documented_keys(project):
    window = 'window = "1s"\ntimeout = "1h"'
    tables = (table(f"k{number}", f"vault:secret/a#k{number}", window) for number in range(9))
    project.profile("prod.toml", "".join(tables))
    command = ("rotate", "simulate", "--days", "1", "--format", "json")
    done = project.run(*command, env={"VAULT_ADDR": "http://127.0.0.1:1"})
    assert_documented(done, "rotate simulate", rotations=ANY, busiest=ANY, clashes=ANY, costs=ANY)
