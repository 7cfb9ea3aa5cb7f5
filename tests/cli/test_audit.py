"""Protected profiles and their reasons; the audit log as commands write and read it."""

import json
import os

import pytest

from support.terminal import run_on_terminal
from support.transcript import transcript

REASON_MISSING = (
    "2> envkit: error: prod is protected, and no reason is given\n"
    "2> envkit: hint: say why with --reason TEXT, or set ENVKIT_REASON\n"
    "[6]\n"
)
APP = ("--", "true")
# what each command does with the values of `prod`
USES = {
    "exec": ("exec", "-e", "prod", *APP),
    "get": ("get", "PASSWORD", "-e", "prod"),
    "export": ("export", "-e", "prod"),
    "show": ("show", "-e", "prod", "--reveal", "--yes"),
    "diff": ("diff", "dev", "prod", "--reveal", "--yes"),
}


@pytest.fixture
def team(project, tmp_path):
    project.profile("prod.toml", 'protected = true\n[variables]\nPASSWORD = "{{ PASSWORD }}"\n')
    project.profile("dev.env", 'PORT=8080\nPASSWORD={{PASSWORD}}\nURL={{ URL ?? "x" }}\n')
    project.dotenv("prod", "PASSWORD=hunter2-of-prod\n")
    project.dotenv("dev", "PASSWORD=hunter2-of-dev\n")
    project.state = tmp_path / "state"
    return project


def run(team, *arguments, **env):
    return team.run(*arguments, env={"XDG_STATE_HOME": str(team.state), **env})


def records(team):
    log = team.state / "envkit" / "audit.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


# ---------------------------------------------------------------- reasons


@pytest.mark.parametrize("command", USES)
def test_a_protected_profile_is_not_used_without_a_reason(team, command):
    (team.root / ".env.prod").unlink()  # a store that is asked would say so
    assert transcript(run(team, *USES[command])) == REASON_MISSING
    assert transcript(run(team, *USES[command], ENVKIT_REASON=" \t")) == REASON_MISSING
    assert records(team) == []


@pytest.mark.parametrize("command", USES)
def test_with_a_reason_it_is_used_and_recorded(team, command):
    head, *rest = USES[command]
    assert run(team, head, "--reason", "INC-7: look", *rest).returncode == 0
    assert run(team, *USES[command], ENVKIT_REASON="nightly").returncode == 0
    seen = records(team)
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
def test_what_shows_no_secret_needs_none_and_is_not_recorded(team, arguments):
    assert run(team, *arguments).returncode == 0
    assert records(team) == []


def test_a_base_that_is_protected_protects_what_extends_it(team):
    team.profile("eu.toml", 'extends = "prod"\naliases = ["europe"]\n')
    done = run(team, "exec", "-e", "europe", *APP)
    assert done.returncode == 6
    assert "eu is protected" in done.stderr
    team.profile("eu.toml", 'extends = "prod"\nprotected = false\n')
    team.dotenv("eu", "PASSWORD=x\n")
    assert run(team, "exec", "-e", "eu", *APP).returncode == 0


def test_one_protected_profile_of_several_is_enough(team):
    assert transcript(run(team, "exec", "-e", "dev", "-e", "prod", *APP)) == REASON_MISSING


def on_terminal(team, *arguments, answers):
    env = {"XDG_STATE_HOME": str(team.state)}
    return run_on_terminal(*arguments, cwd=team.root, env=env, answers=answers)


def test_on_a_terminal_the_reason_is_asked_for(team):
    shown, status = on_terminal(
        team, "get", "PASSWORD", "-e", "prod", answers=[("Reason:", "INC-8\n")]
    )
    assert shown == "prod is protected. Reason: INC-8\nhunter2-of-prod\n"
    assert status == 0
    assert records(team)[0]["reason"] == "INC-8"


def test_a_question_that_is_not_answered_is_no_reason(team):
    shown, status = on_terminal(team, "get", "PASSWORD", "-e", "prod", answers=[("Reason:", "\n")])
    assert "no reason is given" in shown
    assert status == 6


def test_ctrl_c_at_the_question_ends_it(team):
    shown, status = on_terminal(team, "exec", "-e", "prod", *APP, answers=[("Reason:", "\x03")])
    assert shown == "prod is protected. Reason: ^C\n"
    assert status == 130
    assert records(team) == []


# ---------------------------------------------------------------- what is recorded


def test_names_and_versions_are_of_what_goes_out(team):
    run(team, "get", "PORT", "-e", "dev")
    run(team, "exec", "-e", "dev", "--except", "URL", *APP)
    first, second = records(team)
    assert (first["names"], first["versions"]) == (["PORT"], {})
    assert second["names"] == ["PORT", "PASSWORD"]
    assert list(second["versions"]) == ["PASSWORD"]
    assert "hunter2" not in json.dumps([first, second])


def test_exec_is_recorded_before_the_app_is_there(team):
    script = 'cat "$XDG_STATE_HOME/envkit/audit.jsonl"; echo "$$"'
    done = run(team, "exec", "-e", "dev", "--", "sh", "-c", script)
    line, pid = done.stdout.splitlines()
    assert json.loads(line)["command"] == "exec"
    assert json.loads(line)["pid"] == int(pid)


def test_what_failed_is_recorded_with_its_code(team):
    (team.root / ".env.dev").unlink()
    assert run(team, "exec", "-e", "dev", *APP).returncode == 4
    assert run(team, "get", "PASSWORD", "-e", "dev").returncode == 4
    team.profile("gone.toml", 'variables = { A = "{{ vault:secret/a#b }}" }')
    gone = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"}
    assert run(team, "export", "-e", "gone", "--timeout", "0.1", **gone).returncode == 5
    seen = [(one["command"], one["outcome"], one["names"]) for one in records(team)]
    assert seen == [
        ("exec", "value-absent", ["PORT", "PASSWORD", "URL"]),
        ("get", "value-absent", ["PASSWORD"]),
        ("export", "store-unavailable", ["A"]),
    ]


def test_what_never_got_as_far_as_a_store_is_not_recorded(team):
    for arguments in (("get", "NOPE", "-e", "dev"), ("exec", "-e", "nope", *APP), ("exec",)):
        assert run(team, *arguments).returncode in (2, 3)
    assert records(team) == []


# ---------------------------------------------------------------- a log that cannot be written


def test_without_a_log_a_protected_profile_is_not_used_and_others_are(team):
    team.state.write_text("")  # where a folder should be
    done = run(team, "exec", "-e", "prod", "--reason", "x", "--", "echo", "started")
    log = team.state / "envkit" / "audit.jsonl"
    assert transcript(done, {log: "LOG"}) == (
        "2> envkit: error: cannot write the audit log LOG: not a directory\n"
        "2> envkit: hint: name another file with ENVKIT_AUDIT=/PATH/audit.jsonl,"
        " or mend this one\n"
        "[6]\n"
    )
    assert transcript(run(team, "exec", "-e", "dev", "--", "echo", "started")) == "started\n"


def test_switched_off_a_reason_is_still_asked_for(team):
    off = {"ENVKIT_AUDIT": "off"}
    assert transcript(run(team, *USES["exec"], **off)) == REASON_MISSING
    assert run(team, "exec", "--reason", "x", *USES["exec"][1:], **off).returncode == 0
    assert not team.state.exists()


def test_a_word_that_is_no_log_stops_before_any_store(team):
    assert transcript(run(team, "get", "PORT", "-e", "dev", ENVKIT_AUDIT="no")) == (
        "2> envkit: error: ENVKIT_AUDIT is 'no', which is no log\n"
        "2> envkit: hint: set ENVKIT_AUDIT to 'off', 'syslog' or the absolute path of a file\n"
        "[2]\n"
    )


# ---------------------------------------------------------------- envkit audit


@pytest.fixture
def used(team):
    run(team, "get", "PORT", "-e", "dev")
    run(team, "exec", "-e", "prod", "--reason", "INC-7:\x1b[31m look", *APP)
    (team.root / ".env.dev").unlink()
    run(team, "exec", "-e", "dev", *APP)
    return team


def shown(team, *arguments):
    done = run(team, "audit", "show", *arguments)
    user = records(team)[0]["user"]
    times = {one["time"]: "TIME" for one in records(team)}
    return transcript(done, {**times, f"  {user:<4}  ": "  USER  "})


def test_the_table_has_a_line_for_each_record(used):
    assert shown(used) == (
        f"{'TIME':<24}  USER  COMMAND  PROFILE  {'NAMES':<19}  OUTCOME       REASON\n"
        "TIME  USER  get      dev      PORT                 ok\n"
        "TIME  USER  exec     prod     PASSWORD             ok            INC-7:\\x1b[31m look\n"
        "TIME  USER  exec     dev      PORT, PASSWORD, URL  value-absent\n"
    )


def count(team, *arguments):
    return len(json.loads(run(team, "audit", "show", "-f", "json", *arguments).stdout)["records"])


def test_records_are_chosen(used):
    times = [one["time"] for one in records(used)]
    assert count(used) == 3
    assert count(used, "--profile", "dev") == 2
    assert count(used, "--name", "PASSWORD") == 2
    assert count(used, "--name", "PASSWORD", "--profile", "prod") == 1
    assert count(used, "--since", times[1]) == 2
    assert count(used, "--since", "1h") == 3
    assert count(used, "--since", "2126-01-01") == 0


def test_as_json_they_are_as_they_were_written(used):
    done = run(used, "audit", "show", "--format", "json")
    assert json.loads(done.stdout) == {"records": records(used)}


def test_a_moment_that_is_none(used):
    assert transcript(run(used, "audit", "show", "--since", "soon")) == (
        "2> envkit: error: --since does not know 'soon'\n"
        "2> envkit: hint: write --since 2h, or --since 2026-11-01\n"
        "[2]\n"
    )


def test_without_a_log_there_is_nothing_to_show(team):
    assert transcript(run(team, "audit", "show")) == ""
    where = team.state / "envkit" / "audit.jsonl"
    assert transcript(run(team, "audit", "verify"), {where: "LOG"}) == (
        "0 records in LOG: a whole chain\n"
    )
    assert transcript(run(team, "audit", "show", ENVKIT_AUDIT="off")) == (
        "2> envkit: error: ENVKIT_AUDIT is 'off': there is no file to read\n"
        "2> envkit: hint: set ENVKIT_AUDIT to the absolute path of a log, or unset it\n"
        "[2]\n"
    )


def verified(team, *arguments):
    log = team.state / "envkit" / "audit.jsonl"
    return transcript(run(team, "audit", "verify", *arguments), {log: "LOG"})


def test_a_log_is_verified_and_a_cut_tail_is_found_by_its_anchor(used):
    anchor = run(used, "audit", "anchor").stdout
    assert anchor.startswith("3:")
    kept = used.root / "kept"
    kept.write_text(anchor)
    whole = "3 records in LOG: a whole chain\n"
    for arguments in ((), ("--anchor", anchor.strip()), ("--anchor", str(kept))):
        assert verified(used, *arguments) == whole

    log = used.state / "envkit" / "audit.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]))
    assert verified(used) == "2 records in LOG: a whole chain\n"
    assert verified(used, "--anchor", str(kept)) == (
        "problem: the log ends at record 2, and the anchor is of record 3: the end was cut off\n"
        "2 records in LOG: not as they were written\n"
        "[1]\n"
    )
    log.write_text("".join([lines[0], lines[2]]))
    assert verified(used) == (
        "problem: LOG:2: record 2 is missing\n2 records in LOG: not as they were written\n[1]\n"
    )
    assert run(used, "audit", "anchor").returncode == 6


def test_an_anchor_that_is_none(used):
    assert verified(used, "--anchor", "nowhere.txt") == (
        "2> envkit: error: an anchor is the number and the hash of a record, and this is none\n"
        "2> envkit: hint: keep what 'envkit audit anchor' prints\n"
        "[2]\n"
    )


def test_an_interrupted_write_is_told(used):
    log = used.state / "envkit" / "audit.jsonl"
    os.truncate(log, log.stat().st_size - 20)
    assert verified(used) == (
        "note: LOG:3: the last write was interrupted\n2 records in LOG: a whole chain\n"
    )
    run(used, "get", "PORT", "-e", "dev")
    assert verified(used) == (
        "note: LOG:3: a write was interrupted here\n3 records in LOG: a whole chain\n"
    )
