"""Checks of rotations: their tables, without a store, and their status."""

import sys
import time
from textwrap import dedent

import pytest

from envkit._internal.clock import Deadline
from envkit.checks.rotations import OF_STORES
from envkit.rotation.jobs import run_rotation
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support import checking
from support.process import run_python
from support.rotating import one_rotation

DAY = 86_400.0
HOUR = 3600.0
TABLE = 'secret = "dotenv:.env#KEY"\nrotator = "random"\nevery = "30d"\n'
VARIABLES = '[variables]\nKEY = "{{ dotenv:.env#KEY }}"\n'
VAULT = (
    '[sources.vault]\naddress = "http://127.0.0.1:9"\nmount = "secret"\n'
    'auth = { method = "approle", role_id = "r", secret_id = "{{ env:NOT_HERE }}" }\n'
)


def profile(project, *lines, name="prod", table="key", top=VARIABLES):
    """Write a profile with a table `[rotation.key]` in line 3, with these additional lines."""
    body = "".join(f"{line}\n" for line in lines)
    project.profile(f"{name}.toml", f"{top}[rotation.{table}]\n{TABLE}{body}")


def found(*codes, **arguments):
    """Return the problems of a check; the ones that these tables share only on request."""
    lines = checking.found(*codes, **arguments)
    common = ("[rotation-without-after", "[no-overlap")
    return [line for line in lines if codes or not any(code in line for code in common)]


def offline(*codes, **arguments):
    return found(*codes, offline=True, **arguments)


# -------- as they are written


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [([], 1), (['after = [["true"]]'], 0), (['cache_age = "5m"'], 0)],
    ids=["no restart", "after hook", "value is read again"],
)
def test_a_rotation_that_restarts_no_program_is_a_warning(project, lines, wanted):
    profile(project, *lines)
    found_lines = offline("rotation-without-after")
    assert len(found_lines) == wanted
    for line in found_lines:
        assert line.startswith(
            "profiles/prod.toml:4: [rotation.key]: programs that read the value only"
        )


SINGLE = 'rotator = "postgres"\nstrategy = "single"\ntarget = { dsn = "postgresql://a@db/x" }'


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('grace = "13s"', "the old value works 13s longer, and 'envkit exec --watch' may need 13s"),
        ('grace = "14s"', None),
        ('grace = "0s"\nafter = [["true"]]', None),
        ('grace = "0s"\ncache_age = "0s"', None),
        (SINGLE, "with the rotator 'postgres' (single) the old value stops working before"),
    ],
)
def test_a_rotation_that_no_running_program_can_follow_is_a_warning(project, table, told):
    lines = TABLE.replace('rotator = "random"\n', "") if "rotator" in table else TABLE
    project.profile("prod.toml", f"{VARIABLES}[rotation.key]\n{lines}{table}\n")
    problems = offline("no-overlap")
    assert len(problems) == bool(told)
    assert all(told in line for line in problems)


@pytest.mark.parametrize(("poll", "seconds"), [("", 72), ('poll = "10s"\n', 22)])
def test_the_poll_of_a_source_decides_how_long_a_grace_period_must_be(project, poll, seconds):
    source = VAULT.replace("[sources.vault]\n", f"[sources.vault]\n{poll}")
    project.profile(
        "prod.toml",
        f'{source}[rotation.key]\n{TABLE}grace = "{seconds}s"\n'.replace(
            "dotenv:.env#KEY", "vault:app#KEY"
        ),
    )
    assert f"may need {seconds}s to restart" in str(offline("no-overlap"))


def test_a_program_that_this_host_lacks_is_a_note(project):
    profile(project, 'after = [["no-such-program"]]')
    [line] = offline("rotation-tools")
    assert "'after' runs 'no-such-program', which is not on the PATH" in line


def test_a_valid_rotation_has_no_problem(project):
    table = TABLE.replace('every = "30d"', 'schedule = "0 3 * * SUN"')
    project.profile("prod.toml", f"{VARIABLES}[rotation.key]\n{table}")
    assert offline() == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('evry = "1d"', "profiles/prod.toml:7: [rotation.key]: unknown key 'evry'"),
        (
            'grace = "soon"',
            "profiles/prod.toml:7: [rotation.key]: 'grace' is not a duration",
        ),
        ('cache_age = "x"', "profiles/prod.toml:7: [rotation.key]: 'cache_age' is not a"),
        ('target = { x = "1" }', "profiles/prod.toml:7: target: unknown key 'x'"),
        ("generate = { length = 1 }", "profiles/prod.toml:7: 'generate' creates values"),
        ('strategy = "single"', "profiles/prod.toml:7: the rotator 'random' has no strategy"),
        (
            'retire_when = "unused"',
            "profiles/prod.toml:7: [rotation.key]: the rotator 'random' (alternate) cannot see who",
        ),
    ],
)
def test_an_invalid_setting_is_reported_with_its_line(project, line, told):
    profile(project, line)
    [shown] = offline()
    assert shown.startswith(told)
    assert shown.endswith("[rotation-invalid, prod]")


def test_an_invalid_table_hides_no_problem_of_another(project):
    project.profile(
        "prod.toml",
        f'{VARIABLES}[rotation.a]\nsecret = "dotenv:.env#A"\nrotator = "rndom"\nevery = "1d"\n'
        f'[rotation.b]\nsecret = "env:B"\nrotator = "random"\nevery = "1d"\n'
        f"[rotation.c]\n{TABLE}x = 1\n",
    )
    lines = offline("rotation-invalid")
    assert [line.partition(": ")[0] for line in lines] == [
        "profiles/prod.toml:5",
        "profiles/prod.toml:8",
        "profiles/prod.toml:15",
    ]
    assert "unknown rotator 'rndom'" in lines[0]
    assert "the source 'env' cannot store rotation records" in lines[1]


def test_a_problem_of_a_base_profile_is_reported_once(project):
    profile(project, "x = 1", name="base")
    for name in ("prod", "staging"):
        project.profile(f"{name}.toml", 'extends = "base"\n')
    assert offline() == [
        "profiles/base.toml:7: [rotation.key]: unknown key 'x' [rotation-invalid, prod and staging]"
    ]


def test_a_secret_name_that_the_store_cannot_have_is_a_problem(project):
    profile(project)
    text = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", text.replace('"dotenv:.env#KEY"', '"dotenv:x/y"'))
    [shown] = offline()
    assert shown.startswith("profiles/prod.toml:4: [rotation.key]: ")
    assert shown.endswith("[reference-invalid, prod]")


def test_settings_are_checked_without_a_login(project):
    table = '[rotation.db]\nsecret = "vault:db#password"\nrotator = "postgres"\nevery = "1d"\n'
    project.profile("prod.toml", VAULT + table)
    [shown] = offline()
    assert shown == (
        "profiles/prod.toml:5: the rotator needs 'target.dsn' [rotation-invalid, prod]"
    )


def test_a_missing_package_is_reported(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "cronsim", None)
    text = TABLE.replace('every = "30d"', 'schedule = "0 3 * * *"')
    project.profile("prod.toml", f"{VARIABLES}[rotation.key]\n{text}[rotation.b]\nx = 1\n")
    assert offline() == [
        "profiles/prod.toml:8: [rotation.b]: unknown key 'x' [rotation-invalid, prod]",
        (
            "profiles/prod.toml:6: [rotation.key]: a 'schedule' needs the package cronsim "
            "[rotation-unchecked, prod]"
        ),
    ]


# -------- one secret, two rotations


def test_two_names_for_one_secret_are_both_shown(project):
    profile(project)
    profile(project, name="staging", table="api-key")
    told = (
        "profiles/staging.toml:4: prod/key (profiles/prod.toml:4) and staging/api-key "
        "(profiles/staging.toml:4) rotate the same secret, .env#KEY, with different settings "
        "[rotation-conflict, prod and staging]"
    )
    assert offline() == [told]
    assert offline(environments=["prod"]) == [told], "whichever is checked"
    assert found("rotation-conflict") == [told]


def test_two_equal_rotations_of_one_secret_are_one(project):
    profile(project)
    profile(project, name="staging")
    assert offline() == []


# -------- the grace


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ('grace = "5m"', 'cache_age = "6m"'),
            "7: [rotation.key]: programs cache the value for 6m, and the old one works only 5m",
        ),
        (
            ('cache_age = "90m"',),
            "3: [rotation.key]: programs cache the value for 90m, and the old one works only 15m",
        ),
        (('grace = "5m"', 'cache_age = "5m"'), ""),
        (('grace = "1s"',), ""),
    ],
    ids=["shorter", "default", "as long", "cache age not set"],
)
def test_a_grace_period_shorter_than_the_cache_age_is_a_problem(project, lines, told):
    profile(project, *lines)
    assert offline() == ([f"profiles/prod.toml:{told} longer [short-grace, prod]"] if told else [])


def test_a_keyring_reports_how_long_its_list_must_be_cached(project):
    profile(project, 'grace = "10m"')
    text = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", text.replace("random", "keyring"))
    [shown] = offline()
    assert "programs cache the value for 15m, and the old one works only 10m longer" in shown


def test_a_rotator_without_overlap_gets_no_advice_about_the_grace_period(project):
    dsn = 'target = { dsn = "postgresql://x@127.0.0.1:1/db", user = "app" }'
    profile(project, 'strategy = "single"', 'cache_age = "5m"', 'grace = "1h"', dsn)
    text = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", text.replace("random", "postgres"))
    assert offline() == [
        (
            "profiles/prod.toml:9: [rotation.key]: programs cache the value for 5m, and with the "
            "rotator 'postgres' (single) the old one stops working at once [short-grace, prod]"
        )
    ]


# -------- whether anybody reads it


@pytest.mark.parametrize(
    ("value", "used"),
    [
        ("{{ dotenv:.env#OTHER }}", False),
        ("{{ KEY }}", False),
        ("{{ dotenv:.env#KEY }}", True),
        ("{{ dotenv:.env#KEY_PREVIOUS }}", True),
    ],
    ids=["another key", "another file", "same value", "previous value"],
)
def test_a_rotation_of_a_secret_that_no_variable_has_is_reported(project, value, used):
    profile(project, top=f'[variables]\nKEY = "{value}"\n')
    unused = (
        "profiles/prod.toml:4: [rotation.key] rotates .env#KEY, and no variable uses it "
        "[rotation-unused, prod]"
    )
    assert offline() == ([] if used else [unused])


def test_a_variable_of_any_profile_uses_a_rotation(project):
    profile(project, name="ops", top="")
    assert len(offline("rotation-unused")) == 1
    project.profile("prod.toml", VARIABLES)
    assert offline("rotation-unused") == []
    assert offline("rotation-unused", environments=["ops"]) == []


def test_an_admin_credential_is_used_by_the_rotation_that_it_serves(project):
    profile(project, top="")
    table = TABLE.replace("#KEY", "#DB").replace("random", "redis")
    url = 'target = { url = "redis://:{{ dotenv:.env#KEY }}@127.0.0.1:1", user = "app" }\n'
    text = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", f"{text}[rotation.db]\n{table}{url}")
    assert [line.partition(", ")[0] for line in offline("rotation-unused")] == [
        "profiles/prod.toml:6: [rotation.db] rotates .env#DB"
    ]


def test_a_profile_that_cannot_be_planned_makes_no_rotation_unused(project):
    profile(project, top="")
    project.profile("staging.toml", '[variables]\nA = "{{ valt:a#b }}"\n')
    assert offline("rotation-unused") == []


# -------- their status


@pytest.fixture
def rotated(project, tmp_path):
    """Write a profile with a rotation, and run that so many seconds ago."""
    environ = {"PATH": "/usr/bin:/bin", "ENVKIT_AUDIT": "off", "XDG_STATE_HOME": str(tmp_path)}

    def run(*lines, ago):
        profile(project, *lines)
        one = one_rotation(project.profiles, environ)
        return run_rotation(one, environ=environ, clock=lambda: time.time() - ago)

    env = project.root / ".env"
    env.write_text("KEY=canary-8d1f-value\n")
    env.chmod(0o600)
    return run


def test_a_rotation_that_was_done_in_time_is_no_problem(project, rotated):
    profile(project)
    assert found() == [], "nor is what was never rotated"
    rotated('grace = "0s"', ago=29 * DAY)
    assert found() == []


def test_an_overdue_rotation_is_reported(rotated):
    rotated('grace = "0s"', ago=32 * DAY)
    [shown] = found()
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 2 * DAY + HOUR))
    assert shown.startswith(f"profiles/prod.toml:4: prod/key has been overdue since {since} ")
    assert shown.endswith("[rotation-overdue, prod]")
    assert found(offline=True) == []


def test_an_overdue_rotation_is_reported_with_its_last_failure(rotated):
    rotated('grace = "0s"', ago=32 * DAY)
    rotated('before = [["false"]]', ago=HOUR)
    [shown] = found()
    assert "prod/key has been overdue since " in shown
    assert "UTC: create: hook-failed [rotation-overdue, prod]" in shown


def test_a_failed_rotation_is_reported(rotated):
    rotated('before = [["false"]]', ago=10.0)
    assert found() == [
        (
            "profiles/prod.toml:4: prod/key failed and will be retried: create: hook-failed "
            "[rotation-failing, prod]"
        )
    ]


def test_a_rotation_that_waits_for_a_decision_is_reported(project, rotated):
    rotated('after = [["false"]]', ago=HOUR)
    (project.root / ".env").write_text("KEY=canary-8d1f-theirs\n")
    [shown] = found()
    assert shown == (
        "profiles/prod.toml:4: prod/key has stopped and needs your decision: the secret was "
        "changed outside envkit; all three values were kept [rotation-stopped, prod]"
    )


def test_a_quarantined_rotation_is_reported(project, rotated):
    program = project.root / "rotator"
    program.write_text(
        dedent("""\
        #!/bin/sh
        case "$(cat)" in
          *'"step": "create"'*) echo '{"value": "canary-8d1f-'$$'"}' ;;
          *'"step": "set"'*) exit 65 ;;
          *) echo '{}' ;;
        esac
        """)
    )
    program.chmod(0o755)
    text = TABLE.replace('"random"', '"command"')
    unproven = "verify_current = false, verify_retired = false"
    target = f'target = {{ command = ["{program}"], {unproven} }}\n'
    profile(project)
    original = f"{VARIABLES}[rotation.key]\n{text}{target}"
    project.profile("prod.toml", original)
    environ = {"PATH": "/usr/bin:/bin", "ENVKIT_AUDIT": "off"}
    one = one_rotation(project.profiles, environ)
    assert run_rotation(one, environ=environ).status == "quarantined"
    [shown] = found()
    assert shown.startswith("profiles/prod.toml:4: prod/key is quarantined: the target refused")
    assert shown.endswith("[rotation-quarantined, prod]")
    assert "canary" not in shown


def test_an_unreadable_record_is_reported(project, rotated):
    rotated(ago=DAY)
    (record,) = project.root.glob(".env.*.envkit-rotation")
    record.write_text('{"version": 99}')
    [shown] = found()
    assert shown.startswith("profiles/prod.toml:4: cannot read the state of prod/key: ")
    assert shown.endswith("[rotation-unreadable, prod]")


def test_a_missing_rotated_secret_is_reported(project, rotated):
    profile(project, top="")
    (project.root / ".env").write_text("OTHER=x\n")
    assert found("value-absent") == [
        (
            "profiles/prod.toml:2: cannot read the state of prod/key: the secret is missing "
            "[value-absent, prod]"
        )
    ]


def test_a_store_that_refuses_the_login_is_reported(project):
    tables = "".join(
        f'[rotation.{name}]\nsecret = "vault:db#{name}"\nrotator = "random"\nevery = "1d"\n'
        for name in ("a", "b")
    )
    project.profile("prod.toml", VAULT + tables)
    assert found() == [
        (
            "profiles/prod.toml:4: cannot read the state of prod/a and prod/b: [sources.vault]: "
            "'auth': env:NOT_HERE is missing [not-logged-in, prod]"
        )
    ]


def test_checks_of_rotation_records_can_be_skipped(rotated):
    rotated('grace = "0s"', ago=32 * DAY)
    assert found(skip=OF_STORES) == []


def test_a_source_that_a_program_replaces_is_not_asked_for_records(project, rotated):
    rotated('grace = "0s"', ago=32 * DAY)
    other = MemorySource(SourceContext("dotenv", deadline=Deadline(5)))
    other.put(".env", {"KEY": "canary-8d1f-other"})
    assert found(sources={"dotenv": other}) == []


# -------- those who have none


def test_a_project_without_rotations_imports_nothing_of_them(project):
    project.profile("prod.toml", '[variables]\nA = "x"\n')
    code = (
        "import sys; from envkit.checks.run import check; check(environ={});"
        "print([name for name in sys.modules if name.startswith('envkit.rotation')])"
    )
    done = run_python(code, cwd=project.root)
    assert done.stdout == "[]\n"
