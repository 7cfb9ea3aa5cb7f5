"""`envkit doctor`: what is there, what is wrong, and no value."""

import json
import sys
from importlib.metadata import version

import pytest

from envkit import __version__
from support.process import run_envkit
from support.transcript import transcript

HEAD = f"envkit {__version__}, Python {'.'.join(map(str, sys.version_info[:3]))}\n\n"
VARIABLES = (
    "ENVKIT_ENV, ENVKIT_PROFILES, ENVKIT_AUDIT, ENVKIT_REASON, ENVKIT_QUEUE, ENVKIT_TRUST, "
    "ENVKIT_DEBUG"
)
DOTENV = f"python-dotenv {version('python-dotenv')}"


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


def test_all_is_well(team):
    assert transcript(team.run("doctor"), {team.root: "ROOT"}) == HEAD + (
        "STATUS  PROFILE  SOURCE  WHAT\n"
        f"note                     not set: {VARIABLES}\n"
        "ok                       3 profiles in ROOT/profiles\n"
        "ok      base             profiles/base.toml, 2 variables\n"
        "ok      dev              profiles/dev.toml, 2 variables, also called development\n"
        "ok      staging          profiles/staging.toml, 2 variables\n"
        f"ok      staging  dotenv  {DOTENV}; 1 of 1 values are there\n"
    )


def test_profiles_that_are_not_valid_do_not_hide_each_other(team):
    team.profile("prod.toml", 'extends = "base"\n[variables]\nNODE_ENV = { vaule = "x" }\n')
    team.profile("qa.toml", 'variables = { A = "{{ nostore:a }}", B = "{{ nostore:b }}" }\n')
    done = team.run("doctor", "--env", "dev")
    assert transcript(done, {team.root: "ROOT"}) == HEAD + (
        "STATUS  PROFILE  WHAT\n"
        f"note             not set: {VARIABLES}\n"
        "ok               5 profiles in ROOT/profiles\n"
        "ok      base     profiles/base.toml, 2 variables\n"
        "ok      dev      profiles/dev.toml, 2 variables, also called development\n"
        "error   prod     profiles/prod.toml:3: NODE_ENV: unknown key 'vaule'\n"
        "                 did you mean 'value'?\n"
        "error   qa       A (profiles/qa.toml:1): unknown source 'nostore' in nostore:a\n"
        "                 add a table [sources.nostore] with its type\n"
        "error   qa       B (profiles/qa.toml:1): unknown source 'nostore' in nostore:b\n"
        "                 add a table [sources.nostore] with its type\n"
        "ok      staging  profiles/staging.toml, 2 variables\n"
        "[1]\n"
    )


def checks(done):
    return json.loads(done.stdout)["checks"]


def test_json_is_for_programs(team):
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


def test_only_the_chosen_environments_have_their_stores_asked(team):
    def asked(*arguments, **options):
        found = checks(team.run("doctor", "-fjson", *arguments, **options))
        return [(check["profile"], check["source"]) for check in found if check["source"]]

    assert asked("--env", "dev") == []
    assert asked("--env", "dev", "--env", "staging") == [("staging", "dotenv")]
    assert asked(env={"ENVKIT_ENV": "dev"}) == []
    assert asked() == [("staging", "dotenv")]


def test_an_environment_that_is_not_there(team):
    done = team.run("doctor", "--env", "stagin", "-fjson")
    assert done.returncode == 1
    assert checks(done)[-1] == {
        "status": "error",
        "profile": "stagin",
        "source": "",
        "message": "no profile 'stagin' in profiles (known: base, dev, staging)",
        "hint": "did you mean 'staging'?",
    }


def test_without_profiles(tmp_path):
    done = run_envkit("doctor", cwd=tmp_path)
    assert transcript(done) == HEAD + (
        "STATUS  WHAT\n"
        f"note    not set: {VARIABLES}\n"
        "error   no profiles/ folder in . or above it\n"
        "        run 'envkit init' to make one, or name one with --profiles\n"
        "[1]\n"
    )


def test_a_dotenv_file_that_others_can_read_is_a_warning(team):
    (team.root / ".env.staging").chmod(0o644)
    done = team.run("doctor", "--env", "staging", "-fjson")
    assert done.returncode == 0
    assert checks(done)[-1] == {
        "status": "warning",
        "profile": "staging",
        "source": "dotenv",
        "message": ".env.staging can be read by other users: run 'chmod 600 .env.staging'",
        "hint": "",
    }


def test_a_dotenv_file_that_is_broken_or_missing(team):
    team.dotenv("staging", "PASSWORD=ok\nhunter2 is no line\n")
    done = team.run("doctor", "--env", "staging", "-fjson")
    assert done.returncode == 1
    errors = [check for check in checks(done) if check["status"] == "error"]
    assert [check["message"].partition(": ")[0] for check in errors] == [".env.staging:2"]
    assert "hunter2" not in done.stdout
    (team.root / ".env.staging").unlink()
    last = checks(team.run("doctor", "--env", "staging", "-fjson"))[-1]
    assert last["message"] == f"{DOTENV}; 0 of 1 values are there: no file .env.staging"


def test_a_store_that_cannot_be_used_and_settings_without_a_value(team):
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
    assert "env:EU_VAULT is absent" in errors["eu"]["message"]
    assert "hunter2" not in done.stdout + done.stderr


def test_variables_of_ours_and_those_that_only_look_like_it(team):
    env = {"ENVKIT_PROFILE": "hunter2", "ENVKIT_DEBUG": "1"}
    found = checks(team.run("doctor", "-e", "dev", "-fjson", env=env))
    assert [(check["status"], check["message"], check["hint"]) for check in found[:3]] == [
        ("note", "set: ENVKIT_DEBUG", ""),
        ("note", f"not set: {VARIABLES.removesuffix(', ENVKIT_DEBUG')}", ""),
        (
            "warning",
            "ENVKIT_PROFILE is set, and means nothing to envkit",
            "did you mean 'ENVKIT_PROFILES'?",
        ),
    ]


def test_an_audit_log_that_cannot_be_written_is_a_warning(team, tmp_path):
    (tmp_path / "state").write_text("")  # where a folder should be
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    done = team.run("doctor", "-e", "staging", "-fjson", env=state)
    assert done.returncode == 0
    [warning] = [check for check in checks(done) if check["status"] == "warning"]
    assert warning["message"].startswith("cannot write the audit log ")
    assert warning["hint"]


def test_one_is_counted_as_one(project):
    project.profile("dev.toml", '[variables]\nA = "1"\n')
    done = project.run("doctor", "--env", "dev")
    assert "1 profile in " in done.stdout
    assert "profiles/dev.toml, 1 variable\n" in done.stdout
