"""`envkit doctor` reports sources and problems, and never a value."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

from envkit import __version__
from envkit.checks.doctor import SET_BY_ENVKIT, VARIABLES
from envkit.cli import help_table
from support import dotenvx
from support.sessions import replay, sessions

VERSIONS = {
    f"envkit {__version__}, Python {platform.python_version()}": "envkit V, Python V",
    f"python-dotenv {version('python-dotenv')}": "python-dotenv V",
}


@pytest.fixture
def team(project):
    project.profile("base.toml", "variables = { NODE_ENV = {}, PASSWORD = {} }\n")
    project.profile(
        "dev.toml",
        'extends = "base"\naliases = ["development"]\n'
        'variables = { NODE_ENV = "development", PASSWORD = "none" }\n',
    )
    project.profile(
        "staging.toml",
        'extends = "base"\nlookup = ["dotenv"]\nvariables = { NODE_ENV = "staging" }\n',
    )
    project.dotenv("staging", "PASSWORD=hunter2\n")
    return project


@pytest.mark.parametrize("session", sessions("cli/doctor"))
def test_doctor_transcripts_match(team, session):
    assert replay(team, session, VERSIONS) == session


def checks(done):
    return json.loads(done.stdout)["checks"]


def test_doctor_json_has_the_checks_and_their_status(team):
    done = team.run("doctor", "--env", "development", "--format", "json")
    document = json.loads(done.stdout)
    assert {key: document[key] for key in ("envkit", "healthy")} == {
        "envkit": __version__,
        "healthy": True,
    }
    assert document["checks"][-1] == {
        "status": "ok",
        "profile": "staging",
        "source": "",
        "message": "profiles/staging.toml, 2 variables",
        "hint": "",
    }


def test_doctor_knows_every_variable_that_envkit_reads_or_sets(team):
    assert set(VARIABLES) == {name for name in help_table.VARIABLES if name.startswith("ENVKIT_")}
    names = (*VARIABLES, *SET_BY_ENVKIT)
    valid = {"ENVKIT_AUDIT": "off", "ENVKIT_AGENT": "off", "ENVKIT_ENV": "dev"}
    values = {name: valid.get(name, "1") for name in names if name != "ENVKIT_PROFILES"}
    assert "does not use it" not in team.run("doctor", env=values).stdout


def test_doctor_asks_only_the_stores_of_the_chosen_environments(team):
    def asked(*arguments, **options):
        found = checks(team.run("doctor", "-fjson", *arguments, **options))
        return [(check["profile"], check["source"]) for check in found if check["source"]]

    assert asked("--env", "dev") == []
    assert asked("--env", "dev", "--env", "staging") == [("staging", "dotenv")]
    assert asked(env={"ENVKIT_ENV": "dev"}) == []
    assert asked() == [("staging", "dotenv")]


def test_doctor_reports_an_unusable_store_and_settings_without_a_value(team):
    team.profile(
        "prod.toml",
        """\
        [sources.vault]
        address = "http://127.0.0.1:1"
        mount = "secret"
        ca_cert = "no-such.pem"

        [sources.eu]
        type = "vault"
        address = "{{ env:EU_VAULT }}"

        [variables]
        A = "{{ vault:a#a }}"
        B = "{{ vault:a#b ?? \\"hunter2\\" }}"
        C = "{{ eu:secret/a#b }}"
        """,
    )
    env = {"VAULT_TOKEN": "token-hunter2"}
    done = team.run("doctor", "-e", "prod", "--format", "json", env=env)
    assert done.returncode == 1
    errors = {check["source"]: check for check in checks(done) if check["status"] == "error"}
    assert "no-such.pem" in errors["vault"]["message"]
    assert errors["vault"]["hint"]
    assert "env:EU_VAULT is missing" in errors["eu"]["message"]
    assert "hunter2" not in done.stdout + done.stderr


DIGITS = dotenvx.private_key().text.reveal()
OTHER = "ab" * 32
AT_HAND = [
    ("", f"{OTHER},{DIGITS}", [("ok", "its private key is in $DOTENV_PRIVATE_KEY_STAGING")]),
    (DIGITS, "", [("ok", "its private key is in .env.keys")]),
    (
        "",
        "",
        [("error", "there is no private key for .env.staging: looked in $DOTENV")],
    ),
    (OTHER, "", [("error", "the private key in .env.keys is not that of .env.staging")]),
    ("x", "", [("error", ".env.keys:1: DOTENV_PRIVATE_KEY_STAGING is not a private key")]),
]


@pytest.mark.parametrize(("in_file", "in_environment", "expected"), AT_HAND)
@pytest.mark.parametrize("needed", [True, False])
def test_doctor_says_where_the_private_key_of_an_encrypted_file_is(
    team, in_file, in_environment, expected, needed
):
    values = {"PASSWORD" if needed else "OTHER": "hunter2"}
    text = dotenvx.encrypted_text(values, "DOTENV_PUBLIC_KEY_STAGING")
    team.dotenv("staging", text + ("" if needed else "PASSWORD=\n"))
    if in_file:
        dotenvx.write_keys(team.root, f"DOTENV_PRIVATE_KEY_STAGING={in_file}\n")
    env = {"DOTENV_PRIVATE_KEY_STAGING": in_environment} if in_environment else {}
    done = team.run("doctor", "-e", "staging", "-f", "json", env=env)
    found = [(one["status"], one["message"]) for one in checks(done) if "key" in one["message"]]
    [(status, words)] = expected
    [(shown, message)] = found
    assert shown == (status if needed or status == "ok" else "warning")
    assert words in message
    assert OTHER not in done.stdout
    assert DIGITS not in done.stdout


def test_doctor_lists_running_watchers_without_values(project):
    project.logged()
    project.profile("prod.toml", '[variables]\nKEY = "{{ dotenv:KEY }}"\n')
    project.dotenv("prod", "KEY=canary-90ee\n")
    assert "no process of yours watches" in project.run("doctor", "--watchers").stdout
    watcher = (
        "import sys, time\n"
        "from envkit.resident.watcher import Watcher, WatchRequest\n"
        "watcher = Watcher(WatchRequest(['prod']))\n"
        "watcher.prepare(); watcher.first(); watcher.step(time.monotonic())\n"
        "print('watching', flush=True); sys.stdin.read(); watcher.close()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    env = {**os.environ, **project.environ}
    command = [sys.executable, "-c", watcher]
    with subprocess.Popen(command, cwd=project.root, env=env, **pipes) as process:
        assert process.stdout.readline() == b"watching\n"
        table = project.run("doctor", "--watchers").stdout
        found = json.loads(project.run("doctor", "--watchers", "-fjson").stdout)
        process.stdin.close()
    assert f"process {process.pid}, prod, started now" in table
    rows = [line.split() for line in table.splitlines()]
    assert ["prod/dotenv", "every", "1", "s", "ok"] in rows
    assert ["KEY", "now"] in rows
    [one] = found["watchers"]
    assert len(one["variables"]["KEY"]["versions"]) == 1
    assert one["sources"]["prod/dotenv"]["next_look"] is None
    assert "canary" not in table + json.dumps(found)
    assert json.loads(project.run("doctor", "--watchers", "-fjson").stdout) == {"watchers": []}
