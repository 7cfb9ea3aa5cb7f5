"""Output, files and exit statuses of `envkit diff`."""

import json
import re

import pytest

from support.sessions import replay, sessions

SECRET = "canary-7f3a9c"

STAGING = """\
[variables]
MODE = "staging"
LOG_LEVEL = { value = "debug", required = false }
KEY = "{{ KEY }}"
TOKEN = "{{ TOKEN }}"
SAME = "1"
"""
PROD = """\
[variables]
MODE = "prod"
LOG_LEVEL = "info"
KEY = "{{ KEY }}"
TOKEN = "{{ TOKEN }}"
SENTRY_DSN = "https://sentry.example.com/1"
SAME = "1"
"""


STORE = """\
[sources.vault]
address = "http://127.0.0.1:9"
auth = { method = "token", token = "t" }
"""


@pytest.fixture
def team(project):
    """Two environments that share a secret, and two of which one asks a store that is down."""
    project.profile("staging.toml", STAGING)
    project.profile("prod.toml", PROD)
    project.profile("broken.toml", STORE + STAGING + 'STORED = "{{ vault:secret/x#y }}"\n')
    project.profile("reached.toml", PROD + 'STORED = "x"\n')
    for name, other in (("staging", "prod"), ("broken", "reached")):
        project.dotenv(name, f"KEY={SECRET}-shared\nTOKEN={SECRET}-1\n")
        project.dotenv(other, f"KEY={SECRET}-shared\nTOKEN={SECRET}-2\n")
    return project


@pytest.mark.parametrize("session", sessions("cli/diff"))
def test_diff_transcripts_match(team, session):
    assert replay(team, session) == session


@pytest.mark.parametrize("form", ["table", "json", "markdown", "html", "github"])
def test_diff_shows_a_secret_in_no_format(team, form):
    done = team.run("diff", "staging", "prod", "--all", "--format", form, "--exit-code")
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "MODE" in done.stdout


def test_diff_exits_with_0_without_an_option_for_another_status(team):
    assert team.run("diff", "staging", "prod").returncode == 0
    assert team.run("diff", "prod", "prod", "--exit-code").returncode == 0


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--exit-code"], 1),
        (["--fail-on", "reused"], 1),
        (["--fail-on", "unreadable,missing"], 1),
        (["--fail-on", "unreadable"], 0),
        (["--fail-on", "missing", "--except", "SENTRY_DSN"], 0),
        (["--exit-code", "--only", "SAME"], 0),
        (["--fail-on", "reused", "--fail-on", "different", "--only", "MODE"], 1),
    ],
)
def test_diff_exits_with_1_for_the_requested_differences(team, options, status):
    assert team.run("diff", "staging", "prod", *options).returncode == status


@pytest.mark.parametrize("keys", [(), ("--keys",)])
@pytest.mark.parametrize("option", ["--only", "--except"])
def test_diff_refuses_a_name_that_is_empty_or_that_no_side_has(team, option, keys):
    """Otherwise nothing would be compared, and no difference found."""
    done = team.run("diff", "staging", "prod", *keys, "--exit-code", option, "SENTRY_DNS")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "no variable 'SENTRY_DNS' in staging, prod" in done.stderr
    assert "did you mean 'SENTRY_DSN'?" in done.stderr
    done = team.run("diff", "staging", "prod", *keys, "--exit-code", option, "")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "an empty glob matches no variable" in done.stderr


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("exec --env staging", "--only"),
        ("exec --env staging --dry-run", "--only"),
        ("exec --env staging", "--except"),
        ("export --env staging", "--only"),
        ("export --env staging --format json", "--except"),
        ("show --env staging", "--only"),
        ("show --env staging --format json", "--except"),
        ("edit --env staging", "--only"),
        ("edit --env staging", "--except"),
        ("diff staging prod", "--only"),
        ("diff staging prod --keys", "--except"),
        ("promote staging prod --plan", "--only"),
        ("promote staging prod --plan", "--except"),
    ],
)
def test_every_command_refuses_names_that_match_nothing(team, command, option):
    for given in ("SENTRY_DSN,APP_NAME", "SENTRY_DSN APP_NAME", "sentry_dsn", "NO-SUCH"):
        end = ("--", "true") if command.startswith("exec") else ()
        done = team.run(*command.split(), option, given, *end)
        assert (done.returncode, done.stdout) == (2, ""), (given, done.stderr)
        assert f"no variable '{given}' in " in done.stderr


def test_diff_reveals_secrets_on_a_terminal(team):
    text, status = team.on_terminal("diff", "staging", "prod", "--reveal")
    assert status == 0
    assert f"{SECRET}-shared" in text


def test_diff_on_a_terminal_has_colours_and_uses_its_width(team):
    text, _ = team.on_terminal("diff", "staging", "prod", columns=100)
    assert "\x1b[1;31mREUSED (1)" in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert 80 < max(map(len, lines)) <= 100


def test_diff_with_no_color_prints_the_same_to_a_terminal_as_to_a_pipe(team):
    text, _ = team.on_terminal("diff", "prod", "prod", env={"NO_COLOR": "1"}, columns=80)
    assert text == team.run("diff", "prod", "prod").stdout
    assert text == "prod and prod are the same: 6 variables (--all shows them)\n"


def test_diff_json_counts_the_variables_of_each_kind(team):
    found = json.loads(team.run("diff", "staging", "prod", "-f", "json").stdout)
    assert found["counts"] == {
        "reused": 1, "unreadable": 0, "missing": 1, "different": 3, "same": 1,
    }  # fmt: skip
    assert found["entries"][0]["name"] == "KEY"
