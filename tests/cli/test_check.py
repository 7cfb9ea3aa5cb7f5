"""Output, reports and exit statuses of `envkit check`, on a terminal and in a pipeline."""

import json
import os
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from envkit.checks.problem import KINDS
from envkit.cli.interaction.progress import Bar
from support.checking import git
from support.sessions import replay, sessions
from support.transcript import transcript

CANARY = "canary-93b1-Zk3mQ8vT1x"
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "check.schema.json").read_text()
)


@pytest.fixture
def shop(project):
    """Two environments, a program, and something wrong of every kind."""
    project.profile(
        "dev.toml",
        '[variables]\nDATABASE_URL = "postgresql://app:app@localhost/shop"\n'
        'PORT = { value = "80800", type = "port" }\nSTRIPE_KEY = "{{ STRIPE_KEY }}"\n'
        'PAYMENTS = "new"\n',
    )
    project.profile(
        "prod.toml",
        f'[variables]\nDATABASE_URL = "postgresql://app:{CANARY}-db@db.acme-shop.io/shop"\n'
        'PORT = { value = "80", type = "port" }\nSTRIPE_KEY = "{{ STRIPE_KEY }}"\n'
        'SENTRY_DSN = "{{ SENTRY_DSN }}"\n',
    )
    project.dotenv("dev", f"STRIPE_KEY={CANARY}\n")
    project.dotenv("prod", f"STRIPE_KEY={CANARY}\n").chmod(0o644)
    (project.root / "src").mkdir()
    (project.root / "src" / "app.py").write_text(
        "import os\n\nos.environ['PAYMENTS']\nos.environ[name]\n"
        "STRIPE_KEY, PORT, DATABASE_URL = settings()\n"
    )
    return project


@pytest.mark.parametrize("session", sessions("cli/check"))
def test_check_transcripts_match(shop, session):
    assert replay(shop, session) == session


def test_check_reports_an_unreachable_store_as_a_failure(project):
    project.profile(
        "prod.toml",
        '[sources.vault]\naddress = "http://127.0.0.1:9"\nmount = "secret"\n'
        'auth = { method = "token", token = "t" }\n'
        '[variables]\nA = "{{ vault:a#b }}"\nB = "{{ vault:b#b }}"\n',
    )
    done = project.run("check", "--timeout", "0.2")
    assert done.returncode == 5
    assert done.stdout.startswith("profiles/prod.toml:6: error: cannot read A and B: ")
    assert "[store-unavailable, prod]\n" in done.stdout
    assert project.run("check", "--offline").returncode == 0


def accept_reuse(shop):
    (shop.root / ".envkit-ignore").write_text("STRIPE_KEY reused # one sandbox account\n")


def test_check_json_matches_its_schema(shop):
    accept_reuse(shop)
    done = shop.run("check", "--code", "src", "--format", "json")
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    assert done.returncode == 1
    assert document["passed"] is False
    assert document["counts"] == {"error": 5, "warning": 1, "note": 1}
    assert document["problems"][1] == {
        "code": "value-invalid",
        "severity": "error",
        "message": "PORT: is not a port (1 to 65535)",
        "hint": "fix the value, or change its declaration in profiles/dev.toml:3",
        "file": "profiles/dev.toml",
        "line": 3,
        "environments": ["dev"],
        "variables": ["PORT"],
    }
    [ignored] = document["ignored"]
    assert ignored["code"] == "reused"
    assert ignored["reason"] == "one sandbox account"
    assert ignored["location"] == ".envkit-ignore:1"


def test_check_json_schema_lists_every_code():
    problem = SCHEMA["$defs"]["problem"]["properties"]
    assert problem["code"]["enum"] == list(KINDS)


def test_check_sarif_has_the_fields_that_code_scanning_requires(shop):
    accept_reuse(shop)
    done = shop.run("check", "--code", "src", "-f", "sarif", "-o", "check.sarif")
    assert transcript(done) == (
        "2> envkit: note: 5 errors, 1 warning and 1 note in dev and prod; 1 ignored; "
        "see check.sarif\n[1]\n"
    )
    log = json.loads((shop.root / "check.sarif").read_text())
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(KINDS)
    assert run["invocations"] == [{"executionSuccessful": True}]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert not os.path.isabs(place["artifactLocation"]["uri"])
        assert (shop.root / place["artifactLocation"]["uri"]).exists()
    prints = [result["partialFingerprints"]["envkitProblem/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    suppressed = [result for result in run["results"] if "suppressions" in result]
    assert [result["ruleId"] for result in suppressed] == ["reused"]
    assert suppressed[0]["suppressions"][0]["justification"] == "one sandbox account"


def test_check_sarif_has_a_location_for_every_problem(project):
    """GitHub rejects the whole file if one result has no location."""
    git(project.root, "init", "-q")
    project.profile("dev.toml", "")
    project.profile("dev.env", "")
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("prod", "A=1\n")
    (project.root / "src").mkdir()
    log = json.loads(project.run("check", "--all", "--code", "src", "-f", "sarif").stdout)
    [run] = log["runs"]
    assert {
        result["ruleId"]: [
            place["physicalLocation"]["artifactLocation"]["uri"] for place in result["locations"]
        ]
        for result in run["results"]
    } == {
        "profile-invalid": ["profiles/dev.toml"],
        "file-not-ignored": [".gitignore"],
        "unread-code": ["src"],
    }
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["fullDescription"]["text"].endswith(".")
        assert rule["help"]["text"] != rule["fullDescription"]["text"]


def test_check_fingerprint_stays_the_same_when_lines_move(shop):
    def fingerprints():
        log = json.loads(shop.run("check", "--offline", "-f", "sarif").stdout)
        return {
            result["ruleId"]: result["partialFingerprints"] for result in log["runs"][0]["results"]
        }

    before = fingerprints()
    profile = shop.profiles / "prod.toml"
    profile.write_text("# a comment\n\n" + profile.read_text())
    assert fingerprints() == before


@pytest.mark.parametrize("format_", ["text", "json", "github", "sarif"])
def test_check_writes_only_the_report_to_a_pipe(shop, format_):
    done = shop.run("check", "--code", "src", "--format", format_)
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert CANARY not in done.stdout


def test_check_on_a_terminal_has_colours_and_lines_that_fit(shop):
    shown, status = shop.on_terminal("check", "--code", "src", columns=80)
    assert status == 1
    assert "\x1b[1;31merror:" in shown
    env = {"NO_COLOR": "1", "TERM": "dumb"}
    plain, _ = shop.on_terminal("check", "--code", "src", columns=80, env=env)
    assert "src/app.py:3: error: PAYMENTS is needed here" in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_check_shows_progress_when_it_takes_long():
    shown = []
    with Bar() as bar:
        bar.show("reading from stores", 0, 0)
        bar._begin()  # as the timer does after a second, on a terminal
        [task] = bar._progress.tasks
        shown.append((task.description, task.completed, task.total))
        bar.show("reading code", 3, 12)
        shown.append((task.description, task.completed, task.total))
    assert shown == [("reading from stores", 0, None), ("reading code", 3, 12)]
    assert bar._progress.live.is_started is False


def test_check_shows_no_progress_bar_when_it_is_quick(capsys):
    with Bar() as bar:
        bar.show("reading code", 0, 12)
    bar._begin()
    assert bar._progress is None
    assert capsys.readouterr() == ("", "")


def test_check_in_a_git_hook_sees_the_working_tree(shop):
    """In a hook, git sets GIT_DIR and GIT_INDEX_FILE to those of the commit in progress."""
    git(shop.root, "init", "-q")
    git(shop.root, "config", "user.email", "team@example.com")
    git(shop.root, "config", "user.name", "team")
    hook = shop.root / ".git" / "hooks" / "pre-commit"
    python = sys.executable
    hook.write_text(f"#!/bin/sh\nexec {python} -m envkit check --offline >told\n")
    hook.chmod(0o755)
    git(shop.root, "add", "-f", ".env.dev")
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        git(shop.root, "commit", "-m", "x")
    assert "git tracks .env.dev" in (shop.root / "told").read_text()
