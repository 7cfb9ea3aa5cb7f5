"""`envkit list` shows the environments and asks no store."""

import json

import pytest

from support.sessions import replay, sessions


@pytest.fixture
def team(project):
    project.profile("base.toml", "[variables]\nPORT = 80\n")
    project.profile("dev.env", "A='{{ A }}'\n")
    project.profile(
        "prod.toml",
        """\
extends = ["base"]
aliases = ["production", "live"]
protected = true
lookup = ["store"]
[sources.store]
type = "vault"
address = "http://127.0.0.1:1"
[variables]
A = "{{ A }}"
""",
    )
    return project


@pytest.mark.parametrize("session", sessions("cli/list"))
def test_list_transcripts_match(team, session):
    assert replay(team, session) == session


def test_list_json_marks_a_broken_profile_as_broken(team):
    team.profile("bad.toml", "[variables\n")
    team.profile("unknown.toml", '[variables]\nA = "{{ nothing:x#y }}"\n')
    done = team.run("list", "--format", "json")
    assert (done.returncode, done.stderr) == (3, "")
    by_name = {one["name"]: one for one in json.loads(done.stdout)["environments"]}
    assert list(by_name) == ["bad", "base", "dev", "prod", "unknown"]
    assert by_name["bad"]["error"]["code"] == "profile-invalid"
    assert by_name["unknown"]["error"]["code"] == "resolution-failed"
    assert by_name["prod"] == {
        "name": "prod",
        "file": "profiles/prod.toml",
        "aliases": ["production", "live"],
        "extends": ["base"],
        "sources": [{"name": "store", "type": "vault"}],
        "protected": True,
        "variables": 2,
        "error": None,
    }


def test_list_on_a_terminal_has_headers_and_names(team):
    shown, status = team.on_terminal("list", env={"NO_COLOR": "1"})
    assert status == 0
    assert shown.split()[:2] == ["ENVIRONMENT", "ALIASES"]
    assert "prod" in shown
