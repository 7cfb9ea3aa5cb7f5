"""docs/reference/json.md says which keys programs may rely on, and those are the keys."""

import json
import re
from pathlib import Path

import pytest

from support.rotating import table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"


@pytest.fixture(scope="module")
def documented():
    """Per command, the keys of its tables in their order."""
    sections = PAGE.read_text().split("\n## ")[1:]
    return {
        section.partition("\n")[0].strip("`").removeprefix("envkit "): [
            re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
            for table in section.split("| --- | --- |")[1:]
        ]
        for section in sections
    }


def test_show(project, documented):
    project.profile("dev.toml", 'variables = { A = "{{ A }}", B = "2" }\n')
    project.dotenv("dev", "A=1\n")
    document = json.loads(project.run("show", "--env", "dev", "--format", "json").stdout)
    top, variables, origins = documented["show"]
    assert list(document) == top
    assert [list(one) for one in document["variables"]] == [variables, variables]
    assert [list(one) for one in document["variables"][0]["origins"]] == [origins]


def test_doctor(project, documented):
    project.profile("dev.env", "A=1\n")
    document = json.loads(project.run("doctor", "--format", "json").stdout)
    top, checks = documented["doctor"]
    assert list(document) == top
    assert {tuple(one) for one in document["checks"]} == {tuple(checks)}


def test_promote(project, documented):
    project.profile("staging.toml", '[variables]\nA = "1"\nB = {}\nC = "staging"\n')
    project.profile("prod.env", "B={{ B }}\n")
    project.dotenv("staging", "B=1\n")
    project.dotenv("prod", "broken\n")
    done = project.run("promote", "staging", "prod", "--plan", "--format", "json")
    document = json.loads(done.stdout)
    top, changes, left, refusals = documented["promote"]
    assert list(document) == top
    assert [list(one) for one in document["changes"]] == [changes]
    assert [list(one) for one in document["left"]] == [left]
    assert [list(one) for one in document["refusals"]] == [refusals]


@pytest.fixture
def rotating(project):
    """A project with a rotation, and another that is not valid."""
    project.profile("prod.toml", table("key", "KEY") + table("no", "KEY", "nonsense = 1"))
    project.dotenv("prod", "KEY=old\n")
    return project


def test_rotate(rotating, documented):
    document = json.loads(rotating.run("rotate", "--format", "json").stdout)
    top, rotations, broken = documented["rotate"]
    assert list(document) == top
    assert [list(one) for one in document["rotations"]] == [rotations]
    assert [list(one) for one in document["broken"]] == [broken]


def test_rotate_status(rotating, documented):
    document = json.loads(rotating.run("rotate", "status", "--format", "json").stdout)
    top, rotations = documented["rotate status"]
    assert list(document) == top
    assert [list(one) for one in document["rotations"]] == [rotations, rotations]


def test_rotate_simulate(project, documented):
    window = 'window = "1s"\ntimeout = "1h"'
    tables = (table(f"k{number}", f"vault:secret/a#k{number}", window) for number in range(9))
    project.profile("prod.toml", "".join(tables))
    run = project.run(
        *("rotate", "simulate", "--days", "1", "--format", "json"),
        env={"VAULT_ADDR": "http://127.0.0.1:1"},
    )
    document = json.loads(run.stdout)
    top, *tables = documented["rotate simulate"]
    assert list(document) == top
    for key, keys in zip(("rotations", "busiest", "clashes", "costs"), tables, strict=True):
        assert {tuple(one) for one in document[key]} == {tuple(keys)}, key
