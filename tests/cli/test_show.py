"""`envkit show` prints names, masked values and provenance; values only on request."""

import json

import pytest

from support.sessions import replay, sessions


@pytest.fixture
def staging(project):
    project.profile(
        "base.toml",
        """\
[variables]
PORT = { value = "8080", type = "port", description = "where the app listens" }
DATABASE_URL = { type = "url", description = "PostgreSQL", tags = ["db"] }
""",
    )
    project.profile(
        "staging.toml",
        """\
extends = "base"

[variables]
NODE_ENV = "staging"
DATABASE_URL = "postgresql://app:{{ DB_PASSWORD }}@{{ env:DB_HOST }}/app"
LOG_LEVEL = { value = "{{ LOG_LEVEL }}", default = "info", secret = false }
REGION = "{{ REGION ?? \\"eu\\" }}"
SENTRY_DSN = { value = "{{ SENTRY_DSN }}", required = false }
MOTD = "two\\nlines \\u001b[31m"
""",
    )
    project.dotenv("staging", "\nDB_PASSWORD=hunter2\n")
    return project


ENV = {"DB_HOST": "db.internal"}


@pytest.mark.parametrize("session", sessions("cli/show"))
def test_show_transcripts_match(staging, session):
    assert replay(staging, session) == session


def test_show_json_has_everything_but_the_values_of_secrets(staging):
    done = staging.run("show", "--env", "staging", "--format", "json", env=ENV)
    document = json.loads(done.stdout)
    assert document["environment"] == "staging"
    by_name = {variable["name"]: variable for variable in document["variables"]}
    version = by_name["DATABASE_URL"]["origins"][0].pop("version")
    assert isinstance(version, str)
    assert by_name["DATABASE_URL"] == {
        "name": "DATABASE_URL",
        "value": None,
        "secret": True,
        "absent": False,
        "origins": [
            {"reference": "dotenv:#DB_PASSWORD", "location": ".env.staging:2"},
            {"reference": "env:DB_HOST", "location": "env:DB_HOST", "version": None},
        ],
        "note": "",
        "profile": "staging",
        "file": "profiles/staging.toml",
        "line": 5,
        "type": "url",
        "description": "PostgreSQL",
        "as": "variable",
        "tags": ["db"],
    }
    assert by_name["PORT"]["value"] == "8080"
    assert by_name["MOTD"]["value"] == "two\nlines \x1b[31m"
    assert by_name["LOG_LEVEL"]["note"] == "default"
    assert by_name["SENTRY_DSN"]["absent"]
    assert "hunter2" not in done.stdout


def test_show_reveals_secrets_as_json_with_yes_or_on_a_terminal(staging):
    run = ("show", "--env", "staging", "--only", "DATABASE_URL", "--reveal")
    [variable] = json.loads(staging.run(*run, "-y", "-fjson", env=ENV).stdout)["variables"]
    assert variable["value"] == "postgresql://app:hunter2@db.internal/app"
    shown, status = staging.on_terminal(*run, env=ENV)
    assert status == 0
    assert "app:hunter2@" in shown


def test_show_on_a_terminal_masks_secrets_and_escapes_control_sequences(staging):
    shown, status = staging.on_terminal("show", "--env", "staging", env=ENV)
    assert status == 0
    assert "hunter2" not in shown
    assert "two\\nlines \\x1b[31m" in shown, "a value's own escape sequence is not sent"
    assert "\x1b[1mDATABASE_URL" in shown, "names stand out"


def test_show_with_no_color_prints_no_styles(staging):
    shown, _ = staging.on_terminal("show", "--env", "staging", env={**ENV, "NO_COLOR": "1"})
    assert "\x1b" not in shown
    assert "DATABASE_URL  ********" in shown


def test_show_on_a_narrow_terminal_keeps_names_whole_and_loses_nothing(staging):
    plain = {**ENV, "NO_COLOR": "1"}
    shown, _ = staging.on_terminal("show", "--env", "staging", env=plain, columns=60)
    assert "DATABASE_URL" in shown
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.parametrize("columns", [0, 1, 20])
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("show", "-e", "local"), "NODE_ENV  local"),
        (("diff", "staging", "local"), "NODE_ENV"),
        (("check", "-e", "staging", "-e", "local"), "PORT is"),
    ],
)
def test_show_on_a_very_narrow_terminal_loses_nothing(staging, command, told, columns):
    staging.profile("local.env", "NODE_ENV=local\n")
    env = {**ENV, "NO_COLOR": "1"}
    shown, _ = staging.on_terminal(*command, env=env, columns=columns)
    assert told in shown
