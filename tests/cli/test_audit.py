"""Protected profiles require a reason; commands write and read the audit log."""

import json

import pytest

from support.sessions import replay, sessions
from support.transcript import transcript

REASON_MISSING = (
    "2> envkit: error: prod is protected: a reason is required [reason-missing]\n"
    "2> envkit: hint: add --reason TEXT, or set ENVKIT_REASON\n"
    "[6]\n"
)
APP = ("--", "true")
# the effect of each command on the values of `prod`
USES = {
    "exec": ("exec", "-e", "prod", *APP),
    "get": ("get", "PASSWORD", "-e", "prod"),
    "export": ("export", "-e", "prod"),
    "show": ("show", "-e", "prod", "--reveal", "--yes"),
    "diff": ("diff", "dev", "prod", "--reveal", "--yes"),
}


@pytest.fixture
def team(project):
    project.profile("prod.toml", 'protected = true\n[variables]\nPASSWORD = "{{ PASSWORD }}"\n')
    project.profile("dev.env", 'PORT=8080\nPASSWORD={{PASSWORD}}\nURL={{ URL ?? "x" }}\n')
    project.dotenv("prod", "PASSWORD=hunter2-of-prod\n")
    project.dotenv("dev", "PASSWORD=hunter2-of-dev\n")
    return project.logged()


@pytest.mark.parametrize("session", sessions("cli/audit"))
def test_audit_transcripts_match(team, session):
    assert replay(team, session) == session


@pytest.mark.parametrize("command", USES)
def test_a_protected_profile_is_refused_without_a_reason(team, command):
    (team.root / ".env.prod").unlink()  # a store that is asked would say so
    for blank in ("", " \t"):
        done = team.run(*USES[command], env={"ENVKIT_REASON": blank})
        assert transcript(done) == REASON_MISSING
    assert team.records() == []


@pytest.mark.parametrize("command", USES)
def test_a_protected_profile_is_used_with_a_reason_and_the_reason_is_recorded(team, command):
    head, *rest = USES[command]
    assert team.run(head, "--reason", "INC-7: look", *rest).returncode == 0
    assert team.run(*USES[command], env={"ENVKIT_REASON": "nightly"}).returncode == 0
    seen = team.records()
    assert [one["reason"] for one in seen] == ["INC-7: look", "nightly"]
    for one in seen:
        assert (one["command"], one["outcome"]) == (command, "ok")
        assert one["profiles"] == (["dev", "prod"] if command == "diff" else ["prod"])
        assert "PASSWORD" in one["names"]
        assert len(one["versions"]["PASSWORD"]) == len(one["profiles"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "-e", "prod", "--dry-run"),
        ("show", "-e", "prod"),
        ("diff", "dev", "prod"),
        ("diff", "dev", "prod", "--keys"),
        ("doctor", "-e", "prod"),
    ],
)
def test_a_command_that_shows_no_secret_needs_no_reason_and_is_not_recorded(team, arguments):
    assert team.run(*arguments).returncode == 0
    assert team.records() == []


@pytest.mark.parametrize(
    ("answer", "status", "shown", "reasons"),
    [
        ("INC-8\n", 0, "INC-8\nhunter2-of-prod\n", ["INC-8"]),
        ("\n", 6, "\n" + REASON_MISSING.replace("2> ", "").removesuffix("[6]\n"), []),
        ("\x03", 130, "^C\n", []),
    ],
    ids=["given", "empty", "Ctrl-C"],
)
def test_audited_command_asks_for_the_reason_on_a_terminal(team, answer, status, shown, reasons):
    answers = [("Reason:", answer)]
    env = {"NO_COLOR": "1"}
    got = team.on_terminal("get", "PASSWORD", "-e", "prod", answers=answers, env=env)
    assert got == (f"prod is protected. Reason: {shown}", status)
    assert [one["reason"] for one in team.records()] == reasons


# ---------------------------------------------------------------- envkit audit show


@pytest.fixture
def used(team):
    team.run("get", "PORT", "-e", "dev")
    team.run("exec", "-e", "prod", "--reason", "INC-7:\x1b[31m look", *APP)
    (team.root / ".env.dev").unlink()
    team.run("exec", "-e", "dev", *APP)
    return team


def test_audit_table_has_one_line_for_each_record(used):
    places = {one["time"]: "TIME" for one in used.records()}
    places[f"  {used.records()[0]['user']:<4}  "] = "  USER  "
    assert transcript(used.run("audit", "show"), places) == (
        f"{'TIME':<24}  USER  COMMAND  PROFILE  {'NAMES':<19}  OUTCOME       REASON\n"
        "TIME  USER  get      dev      PORT                 ok\n"
        "TIME  USER  exec     prod     PASSWORD             ok            INC-7:\\x1b[31m look\n"
        "TIME  USER  exec     dev      PORT, PASSWORD, URL  value-absent\n"
    )


def test_audit_selects_records_and_prints_them_as_they_were_written(used):
    def selected(*arguments):
        done = used.run("audit", "show", "--format", "json", *arguments)
        document = json.loads(done.stdout)
        assert list(document) == ["records"]
        return document["records"]

    first, second, third = used.records()
    assert selected() == [first, second, third]
    assert selected("--profile", "dev") == [first, third]
    assert selected("--name", "PASSWORD") == [second, third]
    assert selected("--name", "PASSWORD", "--profile", "prod") == [second]
    assert selected("--since", second["time"]) == [second, third]
    assert selected("--since", "1h") == [first, second, third]
    assert selected("--since", "2126-01-01") == []
