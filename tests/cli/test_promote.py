"""`envkit promote`: what a person and a program see of it, and what is changed by it."""

import json
import os
import pty
import subprocess
import sys

import pytest

from support.terminal import run_on_terminal
from support.transcript import told

STAGING = """\
[variables]
NODE_ENV = "staging"
LOG_LEVEL = "info"
PORT = { value = 8080, type = "port" }
STRIPE_KEY = { value = "{{ STRIPE_KEY }}", pattern = "^sk_" }
DATABASE_URL = "postgres://app:{{ DB_PASSWORD | urlencode }}@db/app"
DB_PASSWORD = "{{ DB_PASSWORD }}"
REGION = "eu-west-1"
"""
PROD = """\
# production
[variables]
REGION = "us-east-1"  # near them
DB_PASSWORD = "{{ DB_PASSWORD }}"

# where secrets are
[sources.dotenv]
path = ".env.prod"
"""
AS_PLANNED = """\
NAME          CHANGE  VALUE                                                WHERE
LOG_LEVEL     add     info                                                 profiles/prod.toml
PORT          add     8080                                                 profiles/prod.toml
STRIPE_KEY    add     {{ STRIPE_KEY }}                                     profiles/prod.toml
DATABASE_URL  add     postgres://app:{{ DB_PASSWORD | urlencode }}@db/app  profiles/prod.toml

Without a value, which prod should have of its own:
  STRIPE_KEY: absent in .env.prod#STRIPE_KEY, env:STRIPE_KEY
    run envkit set STRIPE_KEY --env prod

Carried over only by name:
  NODE_ENV: speaks of staging: staging
    if that is right, run envkit promote staging prod NODE_ENV

1 secret and 1 other value differ and stay so: see 'envkit diff staging prod'
"""
WITH_THE_LINES = PROD.replace(
    'DB_PASSWORD = "{{ DB_PASSWORD }}"\n',
    """\
DB_PASSWORD = "{{ DB_PASSWORD }}"
LOG_LEVEL = "info"
PORT = { value = 8080, type = "port" }
STRIPE_KEY = { value = "{{ STRIPE_KEY }}", pattern = "^sk_" }
DATABASE_URL = "postgres://app:{{ DB_PASSWORD | urlencode }}@db/app"
""",
)


@pytest.fixture
def shop(project):
    project.profile("staging.toml", STAGING)
    project.profile("prod.toml", PROD)
    project.dotenv("staging", "STRIPE_KEY=sk_staging\nDB_PASSWORD=its-own-1\n")
    project.dotenv("prod", "DB_PASSWORD=its-own-2\n")
    return project


def run(project, *arguments, env=()):
    environ = {"XDG_STATE_HOME": str(project.root / "state"), **dict(env)}
    return project.run("promote", "staging", "prod", *arguments, env=environ)


def state(project):
    names = ("profiles/prod.toml", ".env.prod", "profiles/staging.toml", ".env.staging")
    return [(project.root / name).read_text() for name in names]


# ---------------------------------------------------------------- the plan


def test_a_plan_says_what_would_be_done_and_does_nothing(shop):
    before = state(shop)
    assert told(run(shop, "--plan")) == f"{AS_PLANNED}[1]\n"
    assert state(shop) == before
    assert shop.records() == []


def test_a_plan_with_nothing_to_do(shop):
    shop.profile("prod.toml", STAGING.replace("eu-west", "us-west"))
    shop.dotenv("prod", "STRIPE_KEY=sk_prod\nDB_PASSWORD=its-own-2\n")
    assert told(run(shop, "--plan")) == (
        "nothing to carry over from staging to prod\n\n"
        "2 secrets and 1 other value differ and stay so: see 'envkit diff staging prod'\n"
    )
    assert told(run(shop, "--plan", "--only", "NODE_ENV")) == (
        "nothing to carry over from staging to prod\n"
    )


def test_a_plan_of_what_is_named(shop):
    assert told(run(shop, "--plan", "REGION", "STRIPE_KEY", "DB_PASSWORD")) == (
        "NAME         CHANGE   VALUE                   WHERE\n"
        "STRIPE_KEY   set      ********                .env.prod#STRIPE_KEY\n"
        "DB_PASSWORD  replace  ********                .env.prod#DB_PASSWORD\n"
        "STRIPE_KEY   add      {{ STRIPE_KEY }}        profiles/prod.toml\n"
        "REGION       change   us-east-1 -> eu-west-1  profiles/prod.toml\n"
        "[1]\n"
    )


def test_a_plan_that_cannot_be_carried_out(shop):
    shop.profile("staging.toml", STAGING + 'OWN = "{{ dotenv:.env.staging#OWN }}"\n')
    assert told(run(shop, "--plan", "OWN", "LOG_LEVEL")) == (
        "NAME       CHANGE  VALUE  WHERE\n"
        "LOG_LEVEL  add     info   profiles/prod.toml\n"
        "2> envkit: error: cannot promote 1 variable to prod, and nothing was changed\n"
        "2>   OWN (profiles/staging.toml:9): reads dotenv:.env.staging#OWN, "
        "by its name a place of staging's own\n"
        "2> envkit: hint: write its line into profiles/prod.toml yourself\n"
        "[3]\n"
    )
    assert "\nNot carried over:\n  OWN: reads dotenv:.env" in run(shop, "--plan").stdout


def test_a_plan_for_programs(shop):
    done = run(shop, "--plan", "STRIPE_KEY", "REGION", "--format", "json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document == {
        "source": "staging",
        "target": "prod",
        "changes": [
            {
                "name": "STRIPE_KEY",
                "action": "set",
                "where": ".env.prod#STRIPE_KEY",
                "value": None,
                "before": None,
                "note": "",
                "done": False,
                "version": None,
            },
            {
                "name": "STRIPE_KEY",
                "action": "add",
                "where": "profiles/prod.toml",
                "value": "{{ STRIPE_KEY }}",
                "before": None,
                "note": "",
                "done": False,
                "version": None,
            },
            {
                "name": "REGION",
                "action": "change",
                "where": "profiles/prod.toml",
                "value": "eu-west-1",
                "before": "us-east-1",
                "note": "",
                "done": False,
                "version": None,
            },
        ],
        "left": [],
        "refusals": [],
    }


# ---------------------------------------------------------------- carrying it out


def test_what_is_missing_is_added_and_nothing_else_is_touched(shop):
    before = state(shop)
    assert told(run(shop, "--yes")) == AS_PLANNED + (
        "added LOG_LEVEL to profiles/prod.toml\n"
        "added PORT to profiles/prod.toml\n"
        "added STRIPE_KEY to profiles/prod.toml\n"
        "added DATABASE_URL to profiles/prod.toml\n"
    )
    assert state(shop) == [WITH_THE_LINES, *before[1:]]
    [record] = shop.records()
    assert (record["command"], record["profiles"]) == ("promote", ["staging", "prod"])
    assert record["names"] == ["LOG_LEVEL", "PORT", "STRIPE_KEY", "DATABASE_URL"]
    assert (record["outcome"], record["versions"]) == ("ok", {})
    # and there is nothing left to do
    assert run(shop, "--plan").returncode == 0
    assert told(run(shop)).startswith("nothing to carry over from staging to prod\n")
    assert shop.records()[-1]["outcome"] == "unchanged"


def test_secrets_are_copied_where_somebody_says_so(shop):
    done = run(shop, "--secrets", "--yes", "--except", "LOG_LEVEL")
    assert told(done).endswith(
        "set STRIPE_KEY in .env.prod#STRIPE_KEY (version V)\n"
        "replaced DB_PASSWORD in .env.prod#DB_PASSWORD (version V)\n"
        "added PORT to profiles/prod.toml\n"
        "added STRIPE_KEY to profiles/prod.toml\n"
        "added DATABASE_URL to profiles/prod.toml\n"
    )
    assert (shop.root / ".env.prod").read_text() == "DB_PASSWORD=its-own-1\nSTRIPE_KEY=sk_staging\n"
    first, second, third = shop.records()
    assert (first["names"], second["names"]) == (["STRIPE_KEY"], ["DB_PASSWORD"])
    assert first["versions"]["STRIPE_KEY"][0] in done.stdout
    assert third["names"] == ["PORT", "STRIPE_KEY", "DATABASE_URL"]


def test_what_was_done_for_programs(shop):
    document = json.loads(run(shop, "LOG_LEVEL", "DB_PASSWORD", "--yes", "-f", "json").stdout)
    value, line = document["changes"]
    assert (value["done"], value["where"]) == (True, ".env.prod#DB_PASSWORD")
    assert value["version"]
    assert (line["done"], line["version"]) == (True, None)


def test_a_refusal_for_programs(shop):
    shop.dotenv("prod", "broken\n")
    done = run(shop, "DB_PASSWORD", "--yes", "-f", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["changes"]) == (3, [])
    assert document["refusals"] == [
        {
            "name": "DB_PASSWORD",
            "place": "profiles/staging.toml:7",
            "code": "dotenv-invalid",
            "reason": ".env.prod:1: the line has no '='",
            "hint": document["refusals"][0]["hint"],
        }
    ]
    assert shop.records()[-1]["outcome"] == "dotenv-invalid"


def test_where_nobody_can_be_asked_nothing_is_done(shop):
    before = state(shop)
    assert told(run(shop, "LOG_LEVEL")) == (
        "NAME       CHANGE  VALUE  WHERE\n"
        "LOG_LEVEL  add     info   profiles/prod.toml\n"
        "2> envkit: error: nobody is there to be asked\n"
        "2> envkit: hint: add --yes if you are sure\n"
        "[2]\n"
    )
    assert state(shop) == before


def test_what_means_nothing(shop):
    assert told(run(shop, "LOG_LEVLE")) == (
        "2> envkit: error: no variable 'LOG_LEVLE' in staging\n"
        "2> envkit: hint: did you mean 'LOG_LEVEL'?\n"
        "[2]\n"
    )
    done = shop.run("promote", "staging")
    assert (done.returncode, "TARGET" in done.stderr) == (2, True)


# ---------------------------------------------------------------- on a terminal


def on_terminal(project, *arguments, answers=()):
    return run_on_terminal(
        *("promote", "staging", "prod", *arguments),
        cwd=project.root,
        env={"XDG_STATE_HOME": str(project.root / "state"), "NO_COLOR": "1"},
        answers=answers,
    )


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_person_agrees(shop, answer):
    shown, status = on_terminal(shop, "--secrets", answers=[("[y/N]", answer)])
    assert status == 0
    assert "Make 6 changes to prod, and copy 2 secrets? [y/N]" in shown
    assert "added PORT to profiles/prod.toml" in shown
    assert (shop.profiles / "prod.toml").read_text() == WITH_THE_LINES


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [
        ("\n", 0, "unchanged"),
        ("n\n", 0, "unchanged"),
        ("yess\n", 0, "unchanged"),
        ("\x04", 0, "unchanged"),
        ("\x03", 130, "interrupted"),
    ],
)
def test_a_person_does_not_agree(shop, answer, status, outcome):
    before = state(shop)
    shown, ended = on_terminal(shop, "LOG_LEVEL", answers=[("[y/N]", answer)])
    assert "Make 1 change to prod? [y/N]" in shown
    assert ended == status, shown
    assert state(shop) == before
    assert [record["outcome"] for record in shop.records()] == [outcome]
    assert ("nothing was changed" in shown) == (status == 0)


def test_nothing_to_do_asks_nothing(shop):
    shown, status = on_terminal(shop, "--only", "NODE_ENV")
    assert (status, "[y/N]" in shown) == (0, False)


# ---------------------------------------------------------------- protected


@pytest.mark.parametrize("side", ["staging", "prod"])
def test_a_protected_profile_asks_for_a_reason(shop, side):
    path = shop.profiles / f"{side}.toml"
    path.write_text("protected = true\n" + path.read_text())
    before = state(shop)
    assert told(run(shop, "--yes")) == (
        f"2> envkit: error: {side} is protected, and no reason is given\n"
        "2> envkit: hint: say why with --reason TEXT, or set ENVKIT_REASON\n"
        "[6]\n"
    )
    assert state(shop) == before
    assert run(shop, "--plan").returncode == 1  # which shows no secret, and changes nothing
    assert shop.records() == []
    assert run(shop, "LOG_LEVEL", "--yes", "--reason", "REL-7").returncode == 0
    assert [record["reason"] for record in shop.records()] == ["REL-7"]


def test_a_person_is_asked_for_the_reason(shop):
    shop.profile("prod.toml", "protected = true\n" + PROD)
    answers = [("prod is protected. Reason:", "REL-7\n"), ("[y/N]", "y\n")]
    _, status = on_terminal(shop, "LOG_LEVEL", answers=answers)
    assert status == 0
    assert shop.records()[0]["reason"] == "REL-7"
    answers = [("prod is protected. Reason:", "\x03")]
    before = state(shop)
    _, status = on_terminal(shop, "PORT", answers=answers)
    assert (status, state(shop)) == (130, before)


def test_without_a_log_nothing_of_a_protected_profile_is_changed(shop):
    shop.profile("prod.toml", "protected = true\n" + PROD)
    (shop.root / "state").write_text("")
    before = state(shop)
    done = run(shop, "--yes", "--reason", "x")
    assert (done.returncode, "cannot write the audit log" in done.stderr) == (6, True)
    assert state(shop) == before


# ---------------------------------------------------------------- in the middle of it


def test_a_value_that_somebody_changes_while_a_person_thinks(shop):
    """Everything waits for the answer, and by then the plan is an old one."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", "promote", "staging", "prod", "--secrets"],
        cwd=shop.root,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    shop.dotenv("prod", "DB_PASSWORD=changed-by-another\n")
    before = state(shop)
    os.write(ours, b"y\n")
    process.stdout.read()
    shown = b""
    while b"hint" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    process.stdout.close()
    assert process.wait() == 7
    assert state(shop) == before
    assert b"note: nothing was written" in shown
    assert b"changed since the plan was made: DB_PASSWORD in .env.prod#DB_PASSWORD" in shown
