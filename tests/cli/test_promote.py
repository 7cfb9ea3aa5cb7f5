"""Output and changes of `envkit promote`, for people and programs."""

import json
import os
import pty
import subprocess
import sys

import pytest

from support.sessions import replay, sessions
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
DB_LINE = 'DB_PASSWORD = "{{ DB_PASSWORD }}"\n'
MISSING_LINES = "".join(STAGING.splitlines(keepends=True)[2:6])
PROMOTE = ("promote", "staging", "prod")


@pytest.fixture
def shop(project):
    project.profile("staging.toml", STAGING)
    project.profile("prod.toml", PROD)
    project.dotenv("staging", "STRIPE_KEY=sk_staging\nDB_PASSWORD=its-own-1\n")
    project.dotenv("prod", "DB_PASSWORD=its-own-2\n")
    return project.logged()


def state(project):
    names = ("profiles/prod.toml", ".env.prod", "profiles/staging.toml", ".env.staging")
    return [(project.root / name).read_text() for name in names]


@pytest.mark.parametrize("session", sessions("cli/promote"))
def test_promote_transcripts_match(shop, session):
    assert replay(shop, session) == session


def test_promote_plan_as_json_lists_the_planned_changes(shop):
    done = shop.run(*PROMOTE, "--plan", "STRIPE_KEY", "REGION", "--format", "json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    planned = {"before": None, "note": "", "done": False, "version": None}
    key, place = {"name": "STRIPE_KEY"}, "profiles/prod.toml"
    region = {"name": "REGION", "value": "eu-west-1", "before": "us-east-1"}
    assert document == {
        "source": "staging",
        "target": "prod",
        "changes": [
            {**planned, **key, "action": "set", "where": ".env.prod#STRIPE_KEY", "value": None},
            {**planned, **key, "action": "add", "where": place, "value": "{{ STRIPE_KEY }}"},
            {**planned, **region, "action": "change", "where": place},
        ],
        "left": [],
        "refusals": [],
    }


def test_promote_as_json_lists_the_changes_made(shop):
    document = json.loads(
        shop.run(*PROMOTE, "LOG_LEVEL", "DB_PASSWORD", "--yes", "-f", "json").stdout
    )
    value, line = document["changes"]
    assert (value["done"], value["where"]) == (True, ".env.prod#DB_PASSWORD")
    assert value["version"]
    assert (line["done"], line["version"]) == (True, None)


# ---------------------------------------------------------------- on a terminal


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_promote_makes_the_changes_when_the_user_confirms(shop, answer):
    shown, status = shop.on_terminal(*PROMOTE, "--secrets", answers=[("[y/N]", answer)])
    assert status == 0
    assert "Make 6 changes to prod, and copy 2 secrets? [y/N]" in shown
    assert "added PORT to profiles/prod.toml" in shown
    assert (shop.profiles / "prod.toml").read_text() == PROD.replace(
        DB_LINE, DB_LINE + MISSING_LINES
    )


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
def test_promote_changes_nothing_when_the_user_declines(shop, answer, status, outcome):
    before = state(shop)
    shown, ended = shop.on_terminal(*PROMOTE, "LOG_LEVEL", answers=[("[y/N]", answer)])
    assert "Make 1 change to prod? [y/N]" in shown
    assert ended == status, shown
    assert state(shop) == before
    assert [record["outcome"] for record in shop.records()] == [outcome]
    assert ("nothing was changed" in shown) == (status == 0)


def test_promote_does_not_ask_when_there_is_nothing_to_do(shop):
    shown, status = shop.on_terminal(*PROMOTE, "--only", "NODE_ENV")
    assert (status, "[y/N]" in shown) == (0, False)


# ---------------------------------------------------------------- protected


@pytest.mark.parametrize("side", ["staging", "prod"])
def test_promote_to_a_protected_profile_requires_a_reason(shop, side):
    path = shop.profiles / f"{side}.toml"
    path.write_text("protected = true\n" + path.read_text())
    before = state(shop)
    assert told(shop.run(*PROMOTE, "--yes")) == (
        f"2> envkit: error: {side} is protected: a reason is required [reason-missing]\n"
        "2> envkit: hint: add --reason TEXT, or set ENVKIT_REASON\n"
        "[6]\n"
    )
    assert state(shop) == before
    assert (
        shop.run(*PROMOTE, "--plan").returncode == 1
    )  # which shows no secret, and changes nothing
    assert shop.records() == []
    assert shop.run(*PROMOTE, "LOG_LEVEL", "--yes", "--reason", "REL-7").returncode == 0
    assert [record["reason"] for record in shop.records()] == ["REL-7"]


def test_promote_asks_for_the_reason_on_a_terminal(shop):
    shop.profile("prod.toml", "protected = true\n" + PROD)
    answers = [("prod is protected. Reason:", "REL-7\n"), ("[y/N]", "y\n")]
    _, status = shop.on_terminal(*PROMOTE, "LOG_LEVEL", answers=answers)
    assert status == 0
    assert shop.records()[0]["reason"] == "REL-7"
    answers = [("prod is protected. Reason:", "\x03")]
    before = state(shop)
    _, status = shop.on_terminal(*PROMOTE, "PORT", answers=answers)
    assert (status, state(shop)) == (130, before)


# ---------------------------------------------------------------- in the middle of it


def test_promote_detects_a_value_that_changes_while_the_user_is_asked(shop):
    """The plan is outdated when the answer arrives."""
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
    assert b"changed after envkit made the plan: DB_PASSWORD in .env.prod#DB_PASSWORD" in shown
