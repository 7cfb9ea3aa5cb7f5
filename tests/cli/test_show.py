"""`envkit show`: names, masked values and provenance; values only where they may be seen."""

import json

import pytest

from support.terminal import run_on_terminal
from support.transcript import transcript


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

TABLE = """\
NAME          VALUE                FROM                         WRITTEN IN               TYPE  DESCRIPTION
PORT          8080                 literal                      profiles/base.toml:2     port  where the app listens
DATABASE_URL  ********             .env.staging:2, env:DB_HOST  profiles/staging.toml:5  url   PostgreSQL
NODE_ENV      staging              literal                      profiles/staging.toml:4
LOG_LEVEL     info                 default                      profiles/staging.toml:6
REGION        ********             fallback                     profiles/staging.toml:7
SENTRY_DSN    (absent)                                          profiles/staging.toml:8
MOTD          two\\nlines \\x1b[31m  literal                      profiles/staging.toml:9
"""  # noqa: E501


def test_a_table_in_a_pipe_is_plain_text_with_a_line_for_each_variable(staging):
    assert transcript(staging.run("show", "--env", "staging", env=ENV)) == TABLE


def test_json_has_everything_but_the_values_of_secrets(staging):
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
        "tags": ["db"],
    }
    assert by_name["PORT"]["value"] == "8080"
    assert by_name["MOTD"]["value"] == "two\nlines \x1b[31m"
    assert by_name["LOG_LEVEL"]["note"] == "default"
    assert by_name["SENTRY_DSN"]["absent"]
    assert "hunter2" not in done.stdout


def test_reveal_is_for_a_terminal_or_for_those_who_insist(staging):
    run = ("show", "--env", "staging", "--only", "DATABASE_URL", "--reveal")
    assert transcript(staging.run(*run, env=ENV)) == (
        "2> envkit: error: --reveal shows secrets, and stdout is not a terminal\n"
        "2> envkit: hint: add --yes if they may go where stdout goes\n"
        "[2]\n"
    )
    assert "app:hunter2@" in staging.run(*run, "--yes", env=ENV).stdout
    [variable] = json.loads(staging.run(*run, "-y", "-fjson", env=ENV).stdout)["variables"]
    assert variable["value"] == "postgresql://app:hunter2@db.internal/app"
    shown, status = run_on_terminal(*run, cwd=staging.root, env=ENV)
    assert status == 0
    assert "app:hunter2@" in shown


def test_on_a_terminal_secrets_are_masked_and_nothing_controls_it(staging):
    shown, status = run_on_terminal("show", "--env", "staging", cwd=staging.root, env=ENV)
    assert status == 0
    assert "hunter2" not in shown
    assert "two\\nlines \\x1b[31m" in shown, "a value's own escape sequence is not sent"
    assert "\x1b[1mDATABASE_URL" in shown, "names stand out"


def test_no_color_takes_all_styles_away(staging):
    plain = {**ENV, "NO_COLOR": "1"}
    shown, _ = run_on_terminal("show", "--env", "staging", cwd=staging.root, env=plain)
    assert "\x1b" not in shown
    assert "DATABASE_URL  ********" in shown


def test_a_narrow_terminal_keeps_names_whole_and_loses_nothing(staging):
    shown, _ = run_on_terminal(
        "show", "--env", "staging", cwd=staging.root, env={**ENV, "NO_COLOR": "1"}, columns=60
    )
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
def test_a_terminal_without_room_is_told_everything_too(staging, command, told, columns):
    staging.profile("local.env", "NODE_ENV=local\n")
    env = {**ENV, "NO_COLOR": "1"}
    shown, _ = run_on_terminal(*command, cwd=staging.root, env=env, columns=columns)
    assert told in shown


def test_several_environments_and_globs(staging):
    staging.profile("local.env", "NODE_ENV=local\n")
    run = ("show", "-e", "staging", "-e", "local", "--only", "NODE_ENV", "--only", "PORT")
    seen = transcript(staging.run(*run))
    expected = """\
NAME      VALUE  FROM     WRITTEN IN            TYPE  DESCRIPTION
PORT      8080   literal  profiles/base.toml:2  port  where the app listens
NODE_ENV  local  literal  profiles/local.env:1
"""
    assert seen == expected


def test_an_environment_without_variables_is_no_table(project):
    project.profile("empty.env", "")
    assert transcript(project.run("show", "--env", "empty")) == ""


def test_text_that_the_locale_cannot_show_is_escaped(staging):
    staging.profile("fr.toml", 'variables = { A = { value = "\xe9t\xe9", secret = false } }\n')
    done = staging.run("show", "--env", "fr", env={"PYTHONIOENCODING": "ascii"})
    assert "\\xe9t\\xe9" in done.stdout


def test_a_required_value_that_is_absent_is_an_error_as_for_exec(staging):
    done = staging.run("show", "--env", "staging")
    assert transcript(done) == (
        "2> envkit: error: cannot resolve 1 variable of staging\n"
        "2>   DATABASE_URL (profiles/staging.toml:5): env:DB_HOST is absent:"
        " not in the environment\n"
        "2> envkit: hint: set it in the store, give it a 'default', or say 'required = false'\n"
        "[4]\n"
    )
