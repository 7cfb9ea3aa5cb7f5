"""Output of `envkit rotate` for people and programs, and its effect on the stores."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from envkit._internal.installation import install_hint
from envkit.cli.app import run_app
from support.permissions import as_nobody, folder_of_nobody
from support.process import run_here
from support.rotating import (
    DAY,
    record_file,
    reporting_rotator,
    stands,
    table,
    told,
    values,
)
from support.terminal import run_on_terminal
from support.vectors import vectors

VECTORS = vectors("cli/rotate")

pytestmark = pytest.mark.usefixtures("trusted")

GRACE = "the store has the new value; the old one works until TIME"
DONE = "the store has the new value, and the old one no longer works"
NO_GRACE = ('grace = "0s"', 'target = { previous_field = "" }')
API_KEY = table("api-key", "API_KEY")
SESSION = table("session", "SESSION", *NO_GRACE)


@pytest.fixture
def shop(project, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(project.root / "state"))
    project.profile("prod.toml", API_KEY + SESSION)
    project.profile("staging.toml", table("api-key", "API_KEY"))
    project.dotenv("prod", "API_KEY=old-1\nSESSION=old-2\n")
    project.dotenv("staging", "API_KEY=old-3\n")
    return project


def run(project, *arguments, env=None):
    environ = {"XDG_STATE_HOME": str(project.root / "state"), **(env or {})}
    return run_here("rotate", *arguments, env=environ)


def hidden(project, environ, *arguments):
    """Run it as a separate process, which imports everything anew."""
    return project.run("rotate", *arguments, env=environ)


def hour_of_day(offset):
    """Return the hour of the day, UTC, that many hours from now: never the present one."""
    return (datetime.now(UTC).hour + offset) % 24


# ---------------------------------------------------------------- due rotations


def test_rotate_rotates_what_is_due_in_every_profile(shop):
    assert told(run(shop)) == (
        "ROTATION         OUTCOME   WHAT\n"
        f"prod/api-key     in-grace  {GRACE}\n"
        f"prod/session     rotated   {DONE}\n"
        f"staging/api-key  in-grace  {GRACE}\n"
    )
    after = values(shop, "prod")
    assert {"old-1", "old-2"}.isdisjoint({after["API_KEY"], after["SESSION"]})
    assert after["API_KEY_PREVIOUS"] == "old-1"
    assert values(shop, "staging")["API_KEY_PREVIOUS"] == "old-3"
    assert [(one["command"], one["outcome"]) for one in shop.records()] == [("rotate", "ok")] * 3
    for path in shop.root.glob(".env.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"others can read {path.name}"

    assert told(run(shop)) == "", "cron sends a mail for each line"
    assert values(shop, "prod") == after


def test_rotate_rotates_a_named_rotation_at_once(shop):
    assert told(run(shop, "prod/session")) == (
        f"ROTATION      OUTCOME  WHAT\nprod/session  rotated  {DONE}\n"
    )
    first = values(shop, "prod")
    assert first["API_KEY"] == "old-1", "only what is named"
    assert told(run(shop, "session", "prod/session", "--env", "prod")).count("rotated") == 1
    assert values(shop, "prod")["SESSION"] != first["SESSION"], "it need not be due"
    assert told(run(shop, "staging/api-key")) == (
        f"ROTATION         OUTCOME   WHAT\nstaging/api-key  in-grace  {GRACE}\n"
    )


def test_rotate_with_env_rotates_only_that_environment(shop):
    assert "prod" not in told(run(shop, "--env", "staging"))
    assert values(shop, "prod") == {"API_KEY": "old-1", "SESSION": "old-2"}
    assert told(run(shop, "--env", "staging", "--env", "prod")).count("\n") == 3
    assert told(run(shop, "--env", "prd")) == (
        "2> envkit: error: no profile 'prd' in profiles (known: prod, staging) "
        "[profile-not-found]\n"
        "2> envkit: hint: did you mean 'prod'? run: envkit rotate --env prod\n"
        "[3]\n"
    )


def test_rotate_with_all_rotates_everything(shop):
    run(shop)
    before = values(shop, "prod")
    assert told(run(shop, "--all")) == (
        "ROTATION         OUTCOME   WHAT\n"
        f"prod/api-key     in-grace  {GRACE}\n"
        f"prod/session     rotated   {DONE}\n"
        f"staging/api-key  in-grace  {GRACE}\n"
    ), "what is asked for is told, also where nothing could be done"
    assert values(shop, "prod")["SESSION"] != before["SESSION"]
    assert values(shop, "prod")["API_KEY"] == before["API_KEY"], "one at a time"


def test_rotate_can_run_in_several_processes_at_once(shop):
    command = [sys.executable, "-m", "envkit", "rotate"]
    many = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [one.communicate() for one in many]
    assert [one.returncode for one in many] == [0] * 4, outputs
    shown = "".join(stdout for stdout, _ in outputs)
    assert len(re.findall(r"prod/session +rotated", shown)) == 1
    lines = sorted(one["names"] for one in shop.records())
    assert lines == [["api-key"], ["api-key"], ["session"]], "who lost the race did nothing"
    assert values(shop, "prod")["API_KEY_PREVIOUS"] == "old-1"


# ---------------------------------------------------------------- the plan


@pytest.fixture
def standing(project):
    """Rotations in every state."""
    closed = f'schedule = "0 {hour_of_day(12)} * * *"\nwindow = "1h"'
    tables = [
        table("due", "DUE"),
        table("waiting", "WAITING"),
        table("grace", "GRACE"),
        table("over", "OVER"),
        table("failing", "FAILING"),
        table("at-work", "AT_WORK"),
        table("overdue", "OVERDUE"),
        table("missed", "MISSED", when=closed),
        table("quarantined", "QUARANTINED"),
        table("absent", "ABSENT"),
    ]
    project.profile("prod.toml", "".join(tables))
    names = "DUE WAITING GRACE OVER FAILING AT_WORK OVERDUE MISSED QUARANTINED"
    project.dotenv("prod", "".join(f"{name}=x\n" for name in names.split()))
    plan = "random (alternate) of {0} and {0}_PREVIOUS"
    under_way = {"started_at": -7200, "last_rotated_at": -20 * DAY}
    for name, fields in {
        "waiting": {"last_rotated_at": -3 * DAY},
        "grace": {"phase": "grace", "promoted_at": -7000, "retire_at": 3000, **under_way},
        "over": {"phase": "grace", "promoted_at": -7000, "retire_at": -3000, **under_way},
        "failing": {"phase": "claimed", "tries": 2, "error": "create: hook-failed", **under_way},
        "at-work": {
            "phase": "staged",
            "owner": "other:1",
            "busy_until": 300,
            **under_way,
        },
        "overdue": {"last_rotated_at": -40 * DAY},
        "missed": {"last_rotated_at": -3 * DAY},
        "quarantined": {
            "phase": "quarantined",
            "error": "the target has refused the new value 3 times",
        },
    }.items():
        variable = name.upper().replace("-", "_")
        if "started_at" in fields:  # the new value is current in the grace period
            read, other = {variable: "x"}, {variable: "y"}
            old, new = (other, read) if fields["phase"] == "grace" else (read, other)
            fields["values"] = {"old": old, "new": new}
        stands(project, "prod", name, variable, plan=plan.format(variable), **fields)
    return project


def test_rotate_plan_lists_the_steps_and_does_nothing(standing):
    before = {path: path.read_bytes() for path in standing.root.rglob(".env*")}
    seen = told(run(standing, "--plan"))
    rows = [line.split("  ") for line in seen.splitlines()[1:11]]
    assert {(row[0].removeprefix("prod/"), row[-1].strip()) for row in rows} == {
        ("due", "rotate it"),
        ("waiting", "nothing yet"),
        ("grace", "retire the old value once the grace period is over"),
        ("over", "retire the old value"),
        ("failing", "retry the failed step"),
        ("at-work", "resume it"),
        ("overdue", "rotate it"),
        ("missed", "rotate it when its window opens"),
        ("quarantined", "nothing, unless you name it"),
        ("absent", "nothing: it cannot be read"),
    }
    assert seen.endswith(
        "prod/absent: the secret is missing\n"
        "  store a first value: envkit set --ref 'dotenv:ABSENT' --env prod\n"
        "prod/failing: create: hook-failed\n"
        "  run: envkit rotate prod/failing\n"
        "prod/missed: overdue\n"
        "  run: envkit rotate prod/missed\n"
        "prod/overdue: overdue\n"
        "  run: envkit rotate prod/overdue\n"
        "prod/quarantined: the target has refused the new value 3 times\n"
        "  find out why, and run 'envkit rotate prod/quarantined'\n"
        "[1]\n"
    )
    assert {path: path.read_bytes() for path in standing.root.rglob(".env*")} == before


def test_rotate_plan_shows_a_rotation_that_waits_for_a_decision(standing):
    standing.dotenv("prod", "AT_WORK=of somebody else\n")
    seen = told(run(standing, "--plan", "at-work"))
    assert "failing" in seen
    assert "  nothing: it needs your decision\n" in seen
    assert seen.endswith("  run: envkit rotate --abort prod/at-work\n[1]\n")


def test_rotate_plan_shows_only_the_named_rotation(standing):
    done = run(standing, "--plan", "waiting", "quarantined", "missed")
    rows = told(done).splitlines()[1:4]
    assert [row.split("  ")[-1].strip() for row in rows] == ["rotate it"] * 3


def test_rotate_plan_as_json_has_the_status_of_every_rotation(standing):
    plan, status = (
        json.loads(run(standing, *arguments, "--format", "json").stdout)
        for arguments in (("--plan",), ("status",))
    )
    moving = ("due_at", "closes_at")  # of a rotation that was never done, which is due at once
    for document in (plan, status):
        for one in document["rotations"]:
            one.update(dict.fromkeys(moving))
    assert plan == status
    states = {one["rotation"].removeprefix("prod/"): one["state"] for one in plan["rotations"]}
    assert states == {
        **{name: name for name in ("due", "waiting", "grace", "failing", "quarantined")},
        "over": "grace",
        "at-work": "in-progress",
        "overdue": "overdue",
        "missed": "overdue",
        "absent": "unreadable",
    }


# ---------------------------------------------------------------- back, and on


def test_rollback_in_the_grace_period_restores_the_old_value(shop):
    run(shop, "prod/api-key")
    assert told(run(shop, "--rollback", "prod/api-key")) == (
        "ROTATION      OUTCOME      WHAT\n"
        "prod/api-key  rolled-back  the new value no longer works\n"
    )
    assert values(shop, "prod") == {"API_KEY": "old-1", "SESSION": "old-2"}
    assert told(run(shop, "--rollback", "prod/api-key")) == (
        "ROTATION      OUTCOME  WHAT\n"
        "prod/api-key  refused  there is no unfinished rotation to roll back\n"
        "2> envkit: error: prod/api-key: .env.prod#API_KEY: "
        "there is no unfinished rotation to roll back [rotation-failed]\n"
        "2> envkit: hint: run 'envkit rotate status' to see its state\n"
        "[1]\n"
    )
    assert "api-key" not in told(run(shop, "--env", "prod")), "it is not done again at once"


def test_rollback_is_refused_once_the_old_value_is_retired(shop):
    run(shop, "session")
    after = values(shop, "prod")
    assert told(run(shop, "--rollback", "session")).endswith(
        "2> envkit: error: prod/session: .env.prod#SESSION: "
        "there is no unfinished rotation to roll back: the old value no longer works "
        "[rotation-failed]\n"
        "2> envkit: hint: run: envkit rotate prod/session\n"
        "[1]\n"
    )
    assert values(shop, "prod") == after


def test_abort_drops_a_new_value_that_the_store_does_not_have(shop):
    shop.profile("prod.toml", table("api-key", "API_KEY", 'before = [["false"]]'))
    assert told(run(shop, "--env", "prod")) == (
        "ROTATION      OUTCOME  WHAT\n"
        "prod/api-key  failed   'false' exited with status 1\n"
        "2> envkit: error: prod/api-key: 'false' exited with status 1 [hook-failed]\n"
        "2> envkit: hint: run it by hand: false\n"
        "[1]\n"
    )
    assert told(run(shop, "--env", "prod")) == (
        "ROTATION      OUTCOME  WHAT\n"
        "prod/api-key  failed   retry backoff in effect: create: hook-failed; again in a moment\n"
        "2> envkit: error: prod/api-key: retry backoff in effect: create: hook-failed "
        "[rotation-failed]\n"
        "2> envkit: hint: run 'envkit rotate prod/api-key' to retry now\n"
        "[1]\n"
    ), "it is not tried every second"
    assert "'false' exited" in told(run(shop, "prod/api-key")), "unless a person asks"
    assert told(run(shop, "--abort", "prod/api-key")) == (
        "ROTATION      OUTCOME  WHAT\nprod/api-key  aborted  the new value was discarded\n"
    )
    assert told(run(shop, "--abort", "prod/api-key")).endswith("[1]\n")
    assert values(shop, "prod")["API_KEY"] == "old-1"


def test_abort_is_refused_once_the_store_has_the_new_value(shop):
    run(shop, "prod/api-key")
    assert told(run(shop, "--abort", "prod/api-key")).endswith(
        "2> envkit: error: prod/api-key: .env.prod#API_KEY: the store already has the new value "
        "[rotation-failed]\n"
        "2> envkit: hint: run: envkit rotate --rollback prod/api-key\n"
        "[1]\n"
    )


def test_resume_continues_only_unfinished_rotations(shop):
    assert told(run(shop, "--resume")) == "", "nothing is begun"
    broken = table("api-key", "API_KEY", 'before = [["false"]]')
    shop.profile("prod.toml", broken + SESSION)
    run(shop, "prod/api-key")
    shop.profile("prod.toml", API_KEY + SESSION)
    assert told(run(shop, "--resume")).splitlines()[1:] == [f"prod/api-key  in-grace  {GRACE}"]
    assert values(shop, "prod")["SESSION"] == "old-2"
    assert told(run(shop, "--resume", "session")).endswith(
        "there is no unfinished rotation to resume [rotation-failed]\n"
        "2> envkit: hint: run 'envkit rotate status' to see its state\n"
        "[1]\n"
    )


# ---------------------------------------------------------------- protected profiles


def test_rotate_requires_a_reason_for_a_protected_profile(shop):
    shop.profile("prod.toml", "protected = true\n" + API_KEY + SESSION)
    missing = (
        "2> envkit: error: {}prod is protected: a reason is required [reason-missing]\n"
        "2> envkit: hint: add --reason TEXT, or set ENVKIT_REASON\n"
        "[{}]\n"
    )
    assert told(run(shop, "--env", "prod")) == missing.format("", 6)
    assert told(run(shop, "session", env={"ENVKIT_REASON": " "})) == missing.format("", 6)
    assert told(run(shop)) == (
        f"ROTATION         OUTCOME   WHAT\nstaging/api-key  in-grace  {GRACE}\n"
        + missing.format("prod: ", 1)
    ), "told once, and no matter of the others"
    assert told(run(shop, "--plan")).count("rotate it") == 2, "looking needs none"
    assert run(shop, "session", "--reason", "INC-7").returncode == 0
    assert run(shop, "--env", "prod", env={"ENVKIT_REASON": "by cron"}).returncode == 0
    assert [one["reason"] for one in shop.records()] == [None, "INC-7", "by cron"]


def test_rotate_asks_once_on_a_terminal(shop):
    for name in ("prod", "staging"):
        shop.profile(f"{name}.toml", "protected = true\n" + table("session", "SESSION", *NO_GRACE))
    shop.dotenv("staging", "SESSION=old-4\n")
    shown, status = run_on_terminal(
        "rotate",
        cwd=shop.root,
        env={"XDG_STATE_HOME": str(shop.root / "state"), "NO_COLOR": "1"},
        answers=[
            ("protected profiles: prod/session and staging/session. Continue? [y/N]", "y\n"),
            ("prod and staging are protected. Reason:", "weekly\n"),
        ],
    )
    assert status == 0, shown
    assert shown.count("Reason:") == 1
    assert [one["reason"] for one in shop.records()] == ["weekly", "weekly"]
    shown, status = run_on_terminal(
        *("rotate", "--reason", "again"),
        cwd=shop.root,
        env={"NO_COLOR": "1"},
    )
    assert status == 0
    assert "nothing is due; next is " in shown


def test_rotate_does_nothing_when_the_user_declines(shop):
    shop.profile("prod.toml", "protected = true\n" + SESSION)
    before = values(shop, "prod"), values(shop, "staging")
    shown, status = run_on_terminal(
        "rotate",
        cwd=shop.root,
        env={"XDG_STATE_HOME": str(shop.root / "state"), "NO_COLOR": "1"},
        answers=[
            ("This rotates secrets of protected profiles: prod/session. Continue? [y/N]", "n\n")
        ],
    )
    assert (status, "nothing was rotated" in shown) == (2, True), shown
    assert (values(shop, "prod"), values(shop, "staging")) == before


def test_rotate_with_yes_does_not_ask(shop):
    shop.profile("prod.toml", "protected = true\n" + SESSION)
    shown, status = run_on_terminal(
        *("rotate", "--yes", "--reason", "weekly"),
        cwd=shop.root,
        env={"XDG_STATE_HOME": str(shop.root / "state"), "NO_COLOR": "1"},
    )
    assert (status, "[y/N]" in shown) == (0, False), shown


# ---------------------------------------------------------------- a credential that others know


@pytest.mark.parametrize(
    ("arguments", "told", "hint"),
    [
        (("--reason", "leak"), "--compromised needs exactly one name", "run: envkit rotate"),
        (
            ("session", "api-key", "--reason", "x"),
            "--compromised needs exactly one name",
            "run: envkit",
        ),
        (("session",), "--compromised needs a reason", "run: envkit rotate --compromised"),
        (("session", "--reason", " "), "--compromised needs a reason", "run: envkit rotate"),
        (
            ("session", "--reason", "leak"),
            "cannot ask for confirmation: not a terminal",
            "add --yes to confirm",
        ),
        (("sesion", "--reason", "leak", "--yes"), "no rotation 'sesion'", "did you mean 'session'"),
        (("session", "--rollback"), "cannot combine --rollback and --compromised", ""),
    ],
)
def test_compromised_requires_one_name_a_reason_and_a_confirmation(shop, arguments, told, hint):
    before = values(shop, "prod")
    done = run(shop, "--compromised", *arguments)
    assert done.returncode == 2
    assert f"envkit: error: {told}" in done.stderr
    assert hint in done.stderr
    assert values(shop, "prod") == before


# ---------------------------------------------------------------- orphaned records


def test_a_rotation_removed_from_its_profile_in_the_grace_period_can_be_finished(shop):
    run(shop, "prod/api-key")
    shop.profile("prod.toml", "protected = true\n" + SESSION)
    shown = told(run(shop, "status", "--env", "prod"))
    assert shown.endswith(
        "prod/api-key: this rotation is unfinished (grace), and no profile names it\n"
        "  restore its table, or run 'envkit rotate --resume prod/api-key'\n"
        "[1]\n"
    )
    assert "prod/api-key" not in told(run(shop, "status", "--env", "staging"))
    assert "nothing: it needs your decision" in told(run(shop, "--plan"))
    refused = told(run(shop, "--abort", "prod/api-key", "--reason", "tidy up"))
    assert ".env.prod#API_KEY already has the new value" in refused
    assert told(run(shop, "--resume", "prod/api-key")).endswith("[6]\n"), "it takes a reason"
    assert told(run(shop, "--resume", "prod/api-key", "--reason", "tidy up")) == (
        "ROTATION      OUTCOME  WHAT\n"
        "prod/api-key  aborted  the store has the new value; the old credential was not retired "
        "and may still work: remove it there\n"
    )
    assert [one["reason"] for one in shop.records()][-1] == "tidy up"
    assert "api-key" not in told(run(shop, "status", "--env", "prod"))


def test_orphaned_records_are_shown_when_no_profile_has_a_rotation(shop):
    run(shop, "prod/api-key")
    for name in ("prod", "staging"):
        shop.profile(f"{name}.toml", '[variables]\nA = "1"\n')
    assert "orphaned" in told(run(shop, "status"))
    assert "orphaned" in told(run(shop, "status", "--env", "prod"))
    assert told(run(shop, "--resume", "api-key")).count("aborted") == 1
    assert "no rotation in any profile" in told(run(shop, "status"))


def test_a_name_in_a_profile_never_selects_an_orphaned_record(shop):
    run(shop, "prod/api-key", "prod/session")
    left = (shop.root / ".env.prod.API_KEY.envkit-rotation").read_bytes()
    shop.profile("prod.toml", table("api-key", "SESSION"))
    assert "run 'envkit rotate --resume .env.prod#API_KEY'" in told(run(shop, "status"))
    run(shop, "--resume", "prod/api-key")
    run(shop, "--abort", "api-key", "--env", "prod")
    assert (shop.root / ".env.prod.API_KEY.envkit-rotation").read_bytes() == left
    assert "may still work" in told(run(shop, "--resume", ".env.prod#API_KEY"))
    assert "orphaned" not in told(run(shop, "status"))


def test_a_name_that_several_orphaned_records_share_is_refused(shop):
    run(shop, "prod/api-key")
    shop.profile("prod.toml", table("api-key", "SESSION"))
    run(shop, "prod/api-key")
    for name in ("prod", "staging"):
        shop.profile(f"{name}.toml", '[variables]\nA = "1"\n')
    assert told(run(shop, "--resume", "api-key")) == (
        "2> envkit: error: no profile has 'api-key', and several unfinished rotations have that "
        "name: those of .env.prod#API_KEY and .env.prod#SESSION [usage]\n"
        "2> envkit: hint: name one of them: .env.prod#API_KEY\n"
        "[2]\n"
    )


# ---------------------------------------------------------------- failures


def test_rotate_continues_after_a_failed_rotation(shop):
    shop.profile(
        "prod.toml",
        table("a-hook", "API_KEY", 'before = [["no-such-program"]]')
        + table("b-absent", "ABSENT")
        + table("c-typo", "TYPO", rotator="randon")
        + table("d-key", "KEY", 'target = { prevoius_field = "" }')
        + SESSION,
    )
    shop.profile("worse.toml", "= no TOML")
    assert told(run(shop)) == (
        "ROTATION         OUTCOME   WHAT\n"
        "prod/a-hook      failed    'before' runs 'no-such-program', which is not on the PATH\n"
        "prod/b-absent    refused   the secret is missing\n"
        "prod/c-typo      failed    profiles/prod.toml:12: unknown rotator 'randon'\n"
        "prod/d-key       failed    profiles/prod.toml:18: target: unknown key 'prevoius_field'\n"
        f"prod/session     rotated   {DONE}\n"
        f"staging/api-key  in-grace  {GRACE}\n"
        "2> envkit: error: prod/a-hook: 'before' runs 'no-such-program', "
        "which is not on the PATH [hook-failed]\n"
        "2> envkit: hint: install it on the host that rotates: "
        "'command -v no-such-program' must find it\n"
        "2> envkit: error: prod/b-absent: .env.prod#ABSENT: the secret is missing "
        "[rotation-failed]\n"
        "2> envkit: hint: store a first value: envkit set --ref 'dotenv:ABSENT' --env prod\n"
        "2> envkit: error: prod/c-typo: profiles/prod.toml:12: unknown rotator 'randon' "
        "[profile-invalid]\n"
        "2> envkit: hint: did you mean 'random'?\n"
        "2> envkit: error: prod/d-key: profiles/prod.toml:18: target: "
        "unknown key 'prevoius_field' [profile-invalid]\n"
        "2> envkit: hint: did you mean 'previous_field'?\n"
        "2> envkit: error: worse: profiles/worse.toml:1:1: not valid TOML: invalid statement "
        "[profile-invalid]\n"
        "[1]\n"
    )


def test_rotate_json_lists_outcomes_and_broken_rotations(shop):
    shop.profile("worse.toml", table("x", "X", "nonsense = 1"))
    shop.profile("prod.toml", table("api-key", "API_KEY", 'before = [["false"]]') + SESSION)
    done = run(shop, "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert (document["schema"], document["ok"]) == ("envkit.rotate/1", False)
    failed, rotated, waiting = document["rotations"]
    assert failed == {
        "rotation": "prod/api-key",
        "outcome": "failed",
        "overdue": False,
        "reason": "'false' exited with status 1",
        "until": None,
        "step": "create",
        "phase": "claimed",
        "last_rotated_at": None,
        "changed": True,
        "error": "'false' exited with status 1",
        "code": "hook-failed",
        "hint": "run it by hand: false",
    }
    assert (rotated["outcome"], rotated["phase"], rotated["code"]) == ("rotated", "idle", None)
    assert abs(_seconds(rotated["last_rotated_at"]) - time.time()) < 60
    assert (waiting["outcome"], waiting["phase"]) == ("in-grace", "grace")
    assert 800 < _seconds(waiting["until"]) - time.time() <= 900
    (broken,) = document["broken"]
    assert (broken["name"], broken["code"]) == ("worse/x", "profile-invalid")
    quiet = run(shop, "staging/api-key", "--format", "json")
    assert (quiet.returncode, json.loads(quiet.stdout)["ok"]) == (0, True)


def _seconds(moment):
    return datetime.fromisoformat(moment).timestamp()


def test_rotate_reports_an_overdue_rotation_and_exits_with_1(standing):
    assert told(run(standing, "--env", "prod", "--format", "json")).endswith("[1]\n")
    seen = told(run(standing))
    assert "prod/missed       overdue" in seen
    assert "2> envkit: error: prod/missed is overdue [rotation-overdue]\n" in seen
    assert "2> envkit: hint: run: envkit rotate prod/missed\n" in seen
    assert "prod/overdue" not in seen, "it has been rotated"
    assert seen.endswith("[1]\n")
    assert told(run(standing, "missed")).endswith(f"in-grace  {GRACE}\n")


def test_a_quarantined_rotation_runs_only_by_name(standing):
    reason = "quarantined: the target has refused the new value 3 times"
    assert f"prod/quarantined  quarantined  {reason}" in told(run(standing))
    assert told(run(standing, "quarantined")) == (
        f"ROTATION          OUTCOME   WHAT\nprod/quarantined  in-grace  {GRACE}\n"
    )


def test_rotate_refuses_a_record_of_another_version(shop):
    run(shop, "session")
    path = record_file(shop, "prod", "SESSION")
    path.write_text(path.read_text().replace('"version": 3', '"version": 9'))
    before = path.read_text(), values(shop, "prod")
    problem = f"the rotation record {path.name} has version 9; this version of envkit reads 1 to 3"
    for option in ((), ("--abort",)):
        assert told(run(shop, *option, "session")) == (
            "ROTATION      OUTCOME  WHAT\n"
            f"prod/session  failed   {problem}\n"
            f"2> envkit: error: prod/session: {problem} [rotation-failed]\n"
            "2> envkit: hint: use the version of envkit that wrote it, or a newer one\n"
            "[1]\n"
        )
    assert (path.read_text(), values(shop, "prod")) == before


@pytest.fixture
def without(tmp_path):
    """Return an environment in which packages are not installed."""

    def hide(*packages):
        folder = tmp_path / "hidden"
        folder.mkdir()
        for package in packages:
            (folder / f"{package}.py").write_text("raise ImportError\n")
        return {"PYTHONPATH": str(folder)}

    return hide


def test_rotate_names_the_extra_of_a_missing_driver(shop, without):
    target = (
        'target = { dsn = "postgresql://admin@127.0.0.1:1/x", users = ["a", "b"], owner = "o", '
        'user_field = "USER" }'
    )
    cache = 'target = { url = "redis://127.0.0.1:1" }'
    shop.profile(
        "prod.toml",
        table("cache", "API_KEY", cache, rotator="redis")
        + table("db", "SESSION", target, rotator="postgres"),
    )
    shop.dotenv("prod", "API_KEY=x\nSESSION=x\nUSER=a\n")
    seen = told(hidden(shop, without("psycopg", "redis"), "--env", "prod"))
    assert seen.endswith(
        "2> envkit: error: prod/cache: the rotator 'redis' needs a driver that is not installed "
        "[extra-missing]\n"
        f"2> envkit: hint: {install_hint('redis')}\n"
        "2> envkit: error: prod/db: the rotator 'postgres' needs a driver that is not installed "
        "[extra-missing]\n"
        f"2> envkit: hint: {install_hint('postgres')}\n"
        "[1]\n"
    )
    for variable in ("API_KEY", "SESSION"):
        saved = json.loads(record_file(shop, "prod", variable).read_text())
        assert saved.keys() == {"record"}, "nothing was begun"
        assert saved["record"]["error"] == "claim: extra-missing"


def test_a_schedule_without_its_package_does_not_stop_other_profiles(shop, without):
    shop.profile("prod.toml", table("session", "SESSION", when='schedule = "0 3 * * *"'))
    assert told(hidden(shop, without("cronsim"))) == (
        f"ROTATION         OUTCOME   WHAT\nstaging/api-key  in-grace  {GRACE}\n"
        "2> envkit: error: prod/session: a 'schedule' needs the package cronsim [extra-missing]\n"
        f"2> envkit: hint: {install_hint('rotate')}\n"
        "[1]\n"
    )


def test_rotate_refuses_a_source_that_stores_no_rotations(shop):
    shop.profile("prod.toml", table("home", "env:HOME") + SESSION)
    assert told(run(shop, "--env", "prod")) == (
        "ROTATION      OUTCOME  WHAT\n"
        "prod/home     failed   the source 'env' cannot store rotation records\n"
        f"prod/session  rotated  {DONE}\n"
        "2> envkit: error: prod/home: the source 'env' cannot store rotation records "
        "[profile-invalid]\n"
        "2> envkit: hint: rotate a secret in Vault, AWS Secrets Manager or a .env file\n"
        "[1]\n"
    )


def test_an_unwritable_store_is_reported_before_the_first_step(monkeypatch, capfd):
    with folder_of_nobody() as root:
        (root / "profiles").mkdir()
        ran = root / "profiles" / "ran"
        target = f'target = {{ command = ["touch", "{ran}"] }}'
        (root / "profiles" / "prod.toml").write_text(table("key", "KEY", target, rotator="command"))
        (root / ".env.prod").write_text("KEY=old\n")
        monkeypatch.chdir(root)
        monkeypatch.setenv("XDG_STATE_HOME", str(root / "state"))
        run_app(["rotate", "status"])  # whatever is imported later
        capfd.readouterr()
        (root / "profiles").chmod(0o777)
        os.chown(root, 0, 0) if os.geteuid() == 0 else root.chmod(0o555)
        root.chmod(0o555)
        with as_nobody():
            assert run_app(["rotate"]) == 1
            rotated = capfd.readouterr()
            assert run_app(["rotate", "--plan"]) == 1
            planned = capfd.readouterr()
        root.chmod(0o700)
        refused = "cannot write .env.prod: permission denied"
        assert f"envkit: error: prod/key: {refused} [access-denied]\n" in rotated.err
        assert f"prod/key: {refused}\n" in planned.out
        assert not ran.exists(), "the rotator was asked"
        assert (root / ".env.prod").read_text() == "KEY=old\n"


def test_two_profiles_that_describe_one_secret_differently_are_reported(shop):
    for profile, name in (("prod", "api-key"), ("staging", "other")):
        source = '[sources.dotenv]\npath = ".env.prod"\n'
        shop.profile(f"{profile}.toml", source + table(name, "API_KEY"))
    for command in ((), ("status",), ("simulate",), ("serve",), ("--env", "prod", "api-key")):
        assert told(run(shop, *command)) == (
            "2> envkit: error: prod/api-key (profiles/prod.toml:4) and staging/other "
            "(profiles/staging.toml:4) rotate the same secret, .env.prod#API_KEY, with different "
            "settings [profile-invalid]\n"
            "2> envkit: hint: declare it once, in a profile that both extend, or give both the "
            "same name and keys\n"
            "[3]\n"
        ), command
    assert values(shop, "prod")["API_KEY"] == "old-1"


# ---------------------------------------------------------------- an old value in use

IN_USE = "the old credential is in use, so it still works: 3 sessions of app_a from 10.0.0.5 'web'"
ADVICE = (
    "restart the programs that use it, or retire it although they fail then: run "
    "'envkit rotate --retire prod/session'"
)


@pytest.fixture
def in_use(shop, tmp_path):
    """A rotation that has given readers a new value, while a program uses the old one."""
    target, users = reporting_rotator(tmp_path)

    def declare(limit, when="unused", timeout="5m"):
        lines = (
            *('grace = "0s"', f'retire_when = "{when}"\ngrace_limit = "{limit}"'),
            f'timeout = "{timeout}"',
            target,
        )
        shop.profile("prod.toml", table("session", "SESSION", *lines, rotator="command"))

    declare("1d")
    shop.users, shop.declare = users, declare
    return shop


def test_an_old_value_in_use_is_kept_and_its_user_is_named(in_use):
    line = f"prod/session  in-use   {IN_USE}, last seen TIME\n"
    assert told(run(in_use, "session")) == "ROTATION      OUTCOME  WHAT\n" + line
    shown = run(in_use, "status")
    assert (shown.returncode, IN_USE in shown.stdout) == (0, True)
    page = run(in_use, "status", "--format", "html").stdout
    assert "3 sessions of app_a from 10.0.0.5" in page
    one = json.loads(run(in_use, "status", "--format", "json").stdout)["rotations"][0]
    assert (one["state"], one["blocked"], one["retire_when"]) == ("grace", True, "unused")
    assert one["in_use"]["readers"][0]["application"] == "web"
    in_use.users.write_text("[]")
    assert told(run(in_use, "--env", "prod")).endswith(f"rotated  {DONE}\n")


def test_an_old_value_in_use_beyond_the_limit_is_an_alarm(in_use):
    in_use.declare("0s")
    done = run(in_use, "session")
    assert done.returncode == 1
    assert f"envkit: error: prod/session: {IN_USE} [rotation-failed]\n" in done.stderr
    assert f"envkit: hint: {ADVICE}\n" in done.stderr
    shown = run(in_use, "status")
    assert (shown.returncode, "blocked" in shown.stdout) == (1, True)
    assert f"prod/session: {IN_USE}\n  {ADVICE}\n" in shown.stdout
    assert f"prod/session cannot retire its old value: {IN_USE}" in run_here("check").stdout


def test_an_old_value_that_the_next_run_retires_at_its_limit_is_no_alarm(in_use):
    run(in_use, "session")
    in_use.declare("0s", "limit")
    assert run(in_use, "status").returncode == 0
    assert "  retire the old value\n" in run(in_use, "--plan").stdout
    assert told(run(in_use, "--env", "prod")).endswith(f"rotated  {DONE}\n")


def test_a_program_that_does_not_say_who_uses_the_old_value_is_ended(in_use, tmp_path):
    run(in_use, "session")
    started = tmp_path / "started"
    (tmp_path / "rotator").write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 1000\n")
    in_use.declare("1d", timeout="1s")
    kept = run(in_use, "--env", "prod", "session").stdout
    assert "cannot see whether the old credential is in use" in kept
    assert not Path(f"/proc/{int(started.read_text())}").exists()


@pytest.mark.parametrize(("answer", "retired"), [("y", True), ("n", False)])
def test_retire_asks_on_a_terminal(in_use, answer, retired):
    run(in_use, "session")
    asked, _ = run_on_terminal(
        *("rotate", "--retire", "session"),
        cwd=in_use.root,
        env={"XDG_STATE_HOME": str(in_use.root / "state"), "ENVKIT_TRUST": "1"},
        answers=[("Retire it now? [y/N]", f"{answer}\n")],
    )
    assert "Last seen in use: 3 sessions of app_a from 10.0.0.5 'web'." in asked
    phase = json.loads(record_file(in_use, "prod", "SESSION").read_text())["record"]["phase"]
    assert phase == ("idle" if retired else "grace")


def test_an_answer_to_retire_does_not_count_for_the_next_rotation(in_use):
    run(in_use, "session")

    def rotate_again_meanwhile():
        run(in_use, "--retire", "--yes", "session")
        run(in_use, "session")
        return "y\n"

    asked, status = run_on_terminal(
        *("rotate", "--retire", "session"),
        cwd=in_use.root,
        env={"XDG_STATE_HOME": str(in_use.root / "state"), "ENVKIT_TRUST": "1"},
        answers=[("Retire it now? [y/N]", rotate_again_meanwhile)],
    )
    assert (status, "prod/session has changed meanwhile; nothing was retired" in asked) == (2, True)
    record = json.loads(record_file(in_use, "prod", "SESSION").read_text())["record"]
    assert record["phase"] == "grace"


def test_retire_needs_yes_without_a_terminal(in_use):
    run(in_use, "session")
    refused = told(run(in_use, "--retire", "session"))
    assert "cannot ask for confirmation: not a terminal" in refused
    assert told(run(in_use, "--retire", "--yes", "session")).endswith(f"rotated  {DONE}\n")
    again = told(run(in_use, "--retire", "--yes", "session"))
    assert "there is no old credential to retire: no rotation is in progress" in again
    audit = run_here("audit", "show", env={"XDG_STATE_HOME": str(in_use.root / "state")})
    assert audit.stdout.count("rotate") >= 2


# ---------------------------------------------------------------- names and usage


def test_a_rotation_named_like_a_subcommand_can_be_rotated(shop):
    shop.profile("prod.toml", table("status", "SESSION", *NO_GRACE))
    for arguments in (("prod/status",), ("--env", "prod", "status"), ("--", "status")):
        before = values(shop, "prod")["SESSION"]
        assert told(run(shop, *arguments)).endswith(f"prod/status  rotated  {DONE}\n")
        assert values(shop, "prod")["SESSION"] != before
    assert told(run(shop, "status")).startswith("ROTATION         STATE")


def spoken(capfd, *arguments):
    """Return the exit status and stderr, and check that stdout is empty."""
    status = run_app(["rotate", *arguments])
    streams = capfd.readouterr()
    assert streams.out == ""
    return status, streams.err.replace("envkit: ", "")


@pytest.mark.parametrize(("command", "error", "hint"), VECTORS["usage"])
def test_rotate_refuses_bad_usage_and_changes_nothing(shop, capfd, command, error, hint):
    assert spoken(capfd, *command.split()) == (
        2,
        f"error: {error} [usage]\n" + (f"hint: {hint}\n" if hint else ""),
    )
    assert values(shop, "prod") == {"API_KEY": "old-1", "SESSION": "old-2"}


def test_an_unwritable_report_ends_with_the_status_of_the_write_error(shop, capfd):
    status, error = spoken(capfd, "status", "-o", "/dev/null/x")
    assert status == 6
    assert error.startswith("error: cannot write /dev/null/x: not a directory")
    assert values(shop, "prod") == {"API_KEY": "old-1", "SESSION": "old-2"}


def test_rotate_reports_that_no_profile_has_a_rotation(project, capfd):
    project.profile("dev.env", "A=1\n")
    hint = "hint: add a table [rotation.NAME] to a profile\n"
    assert spoken(capfd) == (2, f"error: no rotation in any profile [usage]\n{hint}")
    assert spoken(capfd, "status", "--env", "dev") == (
        2,
        f"error: no rotation in dev [usage]\n{hint}",
    )
    assert spoken(capfd, "serve")[0] == 2


@pytest.mark.parametrize("name", ["prod/db", "db"])
def test_rotate_by_name_reports_a_broken_rotation(shop, capfd, name):
    shop.profile("prod.toml", API_KEY + table("db", "~/x#KEY"))
    status, said = spoken(capfd, name)
    assert status == 3
    assert "'~' is not expanded" in said
    shop.profile("prod.toml", API_KEY + table("db", "SESSION", "nonsense = 1"))
    status, said = spoken(capfd, "prod/db")
    assert (status, "unknown key 'nonsense'" in said) == (3, True)


# ---------------------------------------------------------------- status and simulate


def test_rotate_status_prints_a_table(standing):
    seen = told(run(standing, "status"))
    first, *rows = seen.splitlines()[:11]
    assert first.split() == ["ROTATION", "STATE", "LAST", "ROTATED", "NEXT", "SECRET", "WHAT"]
    said = {row.split("  ")[0].removeprefix("prod/"): row for row in rows}
    assert "3 days ago" in said["waiting"]
    assert "TIME (in 26 days)" in said["waiting"]
    assert "old value works until TIME" in said["grace"]
    assert "claimed, started 2 hours ago" in said["failing"]
    assert "staged, started 2 hours ago" in said["at-work"]
    assert "since TIME" in said["overdue"]
    assert "never" in said["due"]
    assert ".env.prod#DUE" in said["due"]
    assert seen.endswith("[1]\n")


def test_rotate_status_writes_to_a_file(standing):
    made = {}
    for format_ in ("table", "json", "html"):
        path = standing.root / f"status.{format_}"
        done = run(standing, "status", "--format", format_, "--output", path.name)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "as every file that envkit makes"
        made[format_] = path.read_text()
    assert made["table"].startswith("ROTATION          STATE")
    assert json.loads(made["json"])["ok"] is False
    assert made["html"].startswith("<!doctype html>")
    assert "prod/quarantined" in made["html"]
    assert "<script" not in made["html"]
    standing.root.joinpath("status.html").chmod(0o644)
    run(standing, "status", "-f", "html", "-o", "status.html")
    assert stat.S_IMODE((standing.root / "status.html").stat().st_mode) == 0o644, "it keeps its own"
    assert run(standing, "status", "-f", "html", "-o", "-").stdout.startswith("<!doctype html>")


def test_rotate_status_exits_with_0_when_all_is_well(shop):
    run(shop)
    assert told(run(shop, "status", "--env", "prod")) == (
        "ROTATION      STATE    LAST ROTATED  NEXT                               "
        "SECRET             WHAT\n"
        "prod/api-key  grace    now           TIME (in 29 days)  .env.prod#API_KEY  "
        "old value works until TIME\n"
        "prod/session  waiting  now           TIME (in 29 days)  .env.prod#SESSION\n"
    )


def test_simulate_prints_the_rotations_of_a_year(shop):
    shop.profile("worse.toml", table("x", "X", "nonsense = 1"))
    seen = re.sub(r"\d\d:00 #", "HOUR #", told(run(shop, "simulate", "--days", "365")))
    assert seen == (
        "39 rotations in 365 days, from TIME\n"
        "\n"
        "ROTATION         TIMES  FIRST                 LAST\n"
        "prod/api-key     13     TIME  TIME\n"
        "prod/session     13     TIME  TIME\n"
        "staging/api-key  13     TIME  TIME\n"
        "\n"
        "Starts by hour of the day, UTC\n"
        f"  HOUR {'#' * 40} 39\n"
        "  the busiest hour is TIME, with 3\n"
        "\n"
        "Every rotation starts within its window, even if each takes its full 'timeout'.\n"
        "2> envkit: warning: skipped worse/x: profiles/worse.toml:5: [rotation.x]: "
        "unknown key 'nonsense'\n"
    )
    assert values(shop, "prod")["API_KEY"] == "old-1"
    assert not list(shop.root.glob("*envkit-rotation"))


def test_simulate_prints_a_single_rotation_or_none(shop):
    later = datetime.now(UTC) + timedelta(days=10)
    when = f'schedule = "0 3 {later.day} {later.month} *"'
    shop.profile("prod.toml", table("session", "SESSION", when=when))
    day = ("simulate", "--days", "1")
    assert told(run(shop, *day, "--env", "prod")) == "0 rotations in 1 day, from TIME\n"
    assert told(run(shop, *day, "--env", "staging")).startswith("1 rotation in 1 day, from TIME\n")


def test_simulate_json_has_the_times_of_every_rotation(shop):
    document = json.loads(run(shop, "simulate", "--days", "90", "--format", "json").stdout)
    assert document["schema"] == "envkit.simulation/1"
    start = _seconds(document["from"])
    assert _seconds(document["until"]) - start == 90 * DAY
    mine = [one for one in document["rotations"] if one["rotation"] == "prod/session"]
    assert [(_seconds(one["begins_at"]) - start) / DAY for one in mine] == [0, 30, 60]
    assert sum(document["by_hour"]) == len(document["rotations"]) == 9
    assert (document["clashes"], document["costs"]) == ([], []), ".env files ask for nothing"
