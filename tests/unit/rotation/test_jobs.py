"""Rotations run with their hooks, notices, audit records and concurrency."""

import json
import threading

import pytest

from envkit._internal.clock import Deadline
from envkit.audit.verify import records
from envkit.errors import ReasonMissingError, RotationError
from envkit.rotation.catalog import collect
from envkit.rotation.jobs import open_job, run_all, target_digest
from envkit.rotation.machine import Request
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation.status_reading import read_statuses
from envkit.rotation_state.record import Record
from support.hook_server import HookServer
from support.rotating import DAY, START, Rotating, values

OLD = "canary-8d1f-old-value"


class World(Rotating):
    """One `.env.prod` with a rotated key, and a clock that the test controls."""

    def __init__(self, project, tmp_path):
        self.project = project
        self.log = tmp_path / "log" / "audit.jsonl"
        environ = {"ENVKIT_AUDIT": str(self.log), "XDG_STATE_HOME": str(tmp_path / "state")}
        super().__init__(project.profiles, environ)
        project.dotenv("prod", f"API_KEY={OLD}\nOTHER=x\nHOOK=t0ken\n")

    def write(self, *lines, top="", grace="15m"):
        body = ['secret = "dotenv:API_KEY"', 'rotator = "random"', 'every = "30d"']
        body += [f'grace = "{grace}"', *lines]
        self.project.profile("prod.toml", "\n".join([top, "[rotation.api-key]", *body, ""]))

    def file(self):
        return values(self.project, "prod")

    def audit(self):
        return [(one["names"], one["outcome"], one["reason"]) for one in records(str(self.log))]

    def break_file(self, *, broken=True):
        self.project.dotenv("prod", ("OPEN='\n" if broken else "") + f"API_KEY={OLD}\n")


@pytest.fixture
def world(project, tmp_path):
    return World(project, tmp_path)


@pytest.fixture
def server():
    with HookServer() as started:
        yield started


def events(server):
    return [json.loads(one.body)["event"] for one in server.received]


# -------- one rotation from due to done


def test_a_first_rotation_runs_at_once_and_retires_after_its_grace_period(world):
    world.write()
    first = world.run()
    assert (first.status, first.promoted) == (OutcomeStatus.IN_GRACE, True)
    new = world.file()["API_KEY"]
    assert new != OLD
    assert world.file()["API_KEY_PREVIOUS"] == OLD
    world.now += 899
    assert world.run().status == OutcomeStatus.IN_GRACE
    world.now += 2
    assert world.run().status == OutcomeStatus.ROTATED
    assert world.file() == {
        "API_KEY": new,
        "API_KEY_PREVIOUS": new,
        "OTHER": "x",
        "HOOK": "t0ken",
    }
    world.now += 29 * DAY
    assert world.run().status == OutcomeStatus.NOT_DUE
    world.now += DAY
    assert world.run().status == OutcomeStatus.IN_GRACE


# -------- its target


class TestTargetPlaceholder:
    """A rotator with a placeholder in its target, `{{ ADMIN }}`."""

    @pytest.fixture
    def target(self, world):
        program = world.project.root / "rotate-key"
        program.write_text("#!/bin/sh\ncat > /dev/null\n")
        program.chmod(0o755)
        settings = '{ admin = "{{ dotenv:ADMIN }}" }'
        world.project.profile(
            "prod.toml",
            '[rotation.api-key]\nsecret = "dotenv:API_KEY"\nrotator = "command"\nevery = "30d"\n'
            f'target = {{ command = ["{program}"], settings = {settings}, '
            "verify_current = false, verify_retired = false }\n",
        )
        file = world.project.root / ".env.prod"
        file.write_text(f"{file.read_text()}ADMIN=x\n")
        return file

    NO_ADMIN = (
        "cannot resolve 1 variable of prod: [rotation.api-key] target settings admin "
        "(profiles/prod.toml:5): .env.prod#ADMIN is missing: not in .env.prod"
    )

    def lose_admin(self, file):
        file.write_text(file.read_text().replace("ADMIN=x\n", ""))

    def test_a_rotation_in_its_grace_period_does_not_resolve_its_target(self, world, target):
        assert world.run().status == OutcomeStatus.IN_GRACE
        self.lose_admin(target)
        outcome = world.run()
        assert (outcome.status, outcome.error) == (OutcomeStatus.IN_GRACE, None)
        world.now += 901
        outcome = world.run()
        assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "begin-retire")
        assert outcome.error.message == self.NO_ADMIN

    def test_a_rotation_that_is_not_due_does_not_resolve_its_target(self, world, target):
        world.run()
        world.now += 901
        assert world.run().status == OutcomeStatus.ROTATED
        self.lose_admin(target)
        assert world.run().status == OutcomeStatus.NOT_DUE

    def test_a_missing_target_value_prevents_the_claim_of_a_due_rotation(self, world, target):
        self.lose_admin(target)
        before = world.file()
        outcome = world.run()
        assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "claim")
        assert outcome.error.message == self.NO_ADMIN
        assert (outcome.record.phase, world.file()) == ("idle", before)
        assert outcome.record.error == "claim: resolution-failed"


# -------- hooks


def test_hooks_get_names_and_never_values(world, tmp_path):
    out = tmp_path / "out"
    write = f'["sh", "-c", "env | grep ^ENVKIT_ >> {out}; grep -c {OLD} .env.prod >> {out}"]'
    world.write(f"before = [{write}]", f"after = [{write}]")
    world.run()
    text = out.read_text()
    for line in (
        "ENVKIT_PROFILE=prod",
        "ENVKIT_ROTATION=api-key",
        "ENVKIT_SECRET=dotenv:API_KEY",
        "ENVKIT_HOOK=before",
        "ENVKIT_HOOK=after",
    ):
        assert f"{line}\n" in text
    assert OLD not in text
    assert world.file()["API_KEY"] not in text
    out.write_text("")
    world.now += 901
    world.run()
    assert out.read_text() == "", "retiring is no new value"


def test_a_failed_before_hook_stops_the_rotation(world, tmp_path):
    flag = tmp_path / "flag"
    world.write(f'before = [["test", "-e", "{flag}"], ["rm", "{flag}"]]')
    outcome = world.run()
    assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "create")
    assert "'test' exited with status 1" in outcome.error.message
    assert world.file()["API_KEY"] == OLD
    flag.touch()
    world.now += 3600
    assert world.run().status == OutcomeStatus.IN_GRACE
    assert not flag.exists(), "the second was run after the first"


def test_a_failed_after_hook_is_reported_and_the_new_value_stays(world, tmp_path):
    """The old value stays until readers are notified, because they may still use it."""
    flag = tmp_path / "flag"
    world.write(f'after = [["test", "-e", "{flag}"]]', grace="0s")
    outcome = world.run()
    assert outcome.status == OutcomeStatus.FAILED
    assert outcome.promoted
    new = world.file()["API_KEY"]
    assert new != OLD
    assert world.file()["API_KEY_PREVIOUS"] == OLD
    flag.touch()
    world.now += 3600
    assert world.run().status == OutcomeStatus.ROTATED
    assert world.file()["API_KEY"] == new


# -------- notices


def test_a_success_is_notified_once(world, server):
    world.write(f'notify = {{ webhook = "{server.address}", key = "k" }}')
    world.run()
    assert events(server) == [], "it is not over yet"
    for _ in range(3):
        world.now += 901
        world.run()
    assert events(server) == ["success"]
    (got,) = server.received
    assert OLD.encode() not in got.body
    assert world.file()["API_KEY"].encode() not in got.body


def test_only_requested_events_are_notified(world, server):
    world.write(f'notify = {{ slack = "{server.address}", on = ["failure"] }}', grace="0s")
    assert world.run().status == OutcomeStatus.ROTATED
    assert server.received == []


def test_the_placeholders_of_a_channel_are_read_from_the_sources(world, server):
    where = f"{server.address}/{{{{ HOOK }}}}"
    world.write(f'notify = {{ webhook = "{where}", key = "{{{{ dotenv:OTHER }}}}" }}', grace="0s")
    world.run()
    assert server.received[0].path == "/t0ken"
    assert "envkit-signature" in server.received[0].headers


def test_a_failure_is_notified_once_a_day_by_one_host(world, server):
    world.write(f'notify = {{ webhook = "{server.address}" }}', 'before = [["false"]]')
    for _ in range(5):
        assert world.run().status == OutcomeStatus.FAILED
        world.now += 60
    assert events(server) == ["failure"]
    other_host = {**world.environ, "XDG_STATE_HOME": str(world.project.root / "other")}
    world.environ = other_host
    world.run()
    assert events(server) == ["failure"], "the record says that it was told"
    world.now += DAY
    world.run()
    assert events(server) == ["failure", "failure"]
    body = json.loads(server.received[-1].body)
    assert body["error"]
    assert body["rotation"] == "api-key"


def test_a_notice_that_the_record_cannot_store_is_remembered_in_a_file_of_the_host(world, server):
    world.write(f'notify = {{ webhook = "{server.address}" }}')
    world.break_file()
    for _ in range(5):
        assert world.run().status == OutcomeStatus.FAILED
        world.now += 60
    assert events(server) == ["failure"]
    world.now += DAY
    world.run()
    assert events(server) == ["failure", "failure"]


def test_overdue_is_notified_daily_until_the_rotation_is_done(world, server):
    world.write(f'notify = {{ webhook = "{server.address}", on = ["overdue"] }}', grace="0s")
    assert world.run().status == OutcomeStatus.ROTATED
    world.write(
        f'notify = {{ webhook = "{server.address}", on = ["overdue"] }}',
        'before = [["false"]]',
        grace="0s",
    )
    world.now += 30 * DAY + 3599
    world.run()
    assert events(server) == []
    for _ in range(3):
        world.now += 60
        world.run()
    assert events(server) == ["overdue"]
    world.write(f'notify = {{ webhook = "{server.address}", on = ["overdue"] }}', grace="0s")
    world.now += 2 * DAY
    assert world.run().status == OutcomeStatus.ROTATED
    assert events(server) == ["overdue"]


def test_a_quarantine_is_notified(world, server, monkeypatch):
    world.write(f'notify = {{ webhook = "{server.address}", on = ["quarantine"] }}')
    store = open_job(world.rotation(), environ=world.environ, deadline=Deadline(5)).store
    given_up = Record("prod/api-key", id="1", phase="quarantined", error="refused 3 times")
    store.save(store.read(), given_up, {})
    for _ in range(3):
        assert world.run().status == OutcomeStatus.QUARANTINED
    assert events(server) == ["quarantine"]
    assert world.file()["API_KEY"] == OLD


def test_a_notice_that_fails_does_not_fail_the_rotation(world, server):
    server.status = 500
    world.write(
        f'notify = [{{ webhook = "{server.address}" }}, {{ command = ["false"] }}]', grace="0s"
    )
    assert world.run().status == OutcomeStatus.ROTATED
    assert len(world.warnings) == 2
    world.write('notify = { webhook = "https://{{ dotenv:NOT_THERE }}" }', grace="0s")
    assert world.run("rotate").status == OutcomeStatus.ROTATED
    assert "cannot resolve" in world.warnings[-1].message


# -------- the audit log, and protected profiles


def test_audit_log_records_rotations_and_no_idle_runs(world):
    world.write(grace="0s")
    world.run()
    assert world.audit() == [(["api-key"], "ok", None)]
    world.run()
    assert len(world.audit()) == 1
    world.write('before = [["false"]]', grace="0s")
    world.run("rotate", reason="ticket 12")
    assert world.audit()[1] == (["api-key"], "hook-failed", "ticket 12")
    assert OLD not in world.log.read_text()


def test_a_protected_profile_needs_a_reason(world):
    world.write(top="protected = true", grace="0s")
    with pytest.raises(ReasonMissingError):
        world.run()
    assert world.file()["API_KEY"] == OLD
    world.environ["ENVKIT_REASON"] = "by the schedule"
    assert world.run().status == OutcomeStatus.ROTATED
    assert world.audit()[-1] == (["api-key"], "ok", "by the schedule")


def test_an_unwritable_audit_log_does_not_hide_a_finished_rotation(world, server):
    world.log.parent.mkdir(parents=True)
    world.write(
        f'after = [["sh", "-c", "rm -r {world.log.parent} && touch {world.log.parent}"]]',
        f'notify = {{ webhook = "{server.address}" }}',
        top="protected = true",
        grace="0s",
    )
    outcome = world.run(reason="ticket 12")
    assert (outcome.status, events(server)) == (OutcomeStatus.ROTATED, ["success"])
    assert [type(one).__name__ for one in world.warnings] == ["AuditError"]


# -------- many


def several(project, number):
    project.profile(
        "many.toml",
        "".join(
            f'[rotation.r{index}]\nsecret = "dotenv:K{index}"\nrotator = "random"\nevery = "1d"\n'
            'timeout = "30s"\n'
            for index in range(number)
        ),
    )
    return collect(str(project.profiles), environ={}, deadline=Deadline(5)).rotations


def test_a_failed_rotation_does_not_affect_the_others(project):
    rotations = several(project, 4)

    def run_one(rotation):
        if rotation.policy.name == "r1":
            raise RotationError("no")
        if rotation.policy.name == "r2":
            raise ZeroDivisionError("canary-8d1f")
        return Outcome(rotation.full_name, OutcomeStatus.ROTATED)

    outcomes = run_all(rotations, run_one)
    assert [one.status for one in outcomes] == [
        OutcomeStatus.ROTATED,
        OutcomeStatus.FAILED,
        OutcomeStatus.FAILED,
        OutcomeStatus.ROTATED,
    ]
    assert outcomes[1].error.message == "no"
    assert "canary" not in f"{outcomes[2]}"
    assert [one.rotation for one in outcomes] == [one.full_name for one in rotations]


def test_a_hanging_rotation_does_not_delay_the_others(project):
    rotations = several(project, 5)
    hang, others = threading.Event(), threading.Semaphore(0)

    def run_one(rotation):
        if rotation.policy.name == "r0":
            for _ in range(4):
                others.acquire()
            hang.set()
        else:
            others.release()
        return Outcome(rotation.full_name, OutcomeStatus.ROTATED)

    assert len(run_all(rotations, run_one, concurrency=2)) == 5
    assert hang.is_set(), "it was over only once the others were"


def test_concurrency_limits_the_running_rotations(project):
    rotations = several(project, 12)
    lock, now, most = threading.Lock(), 0, 0
    gate = threading.Barrier(3)

    def run_one(rotation):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(10)
        with lock:
            now -= 1
        return Outcome(rotation.full_name, OutcomeStatus.ROTATED)

    assert all(one.ok for one in run_all(rotations, run_one, concurrency=3))
    assert most == 3


# -------- looking


def test_a_plan_changes_nothing_and_reports_the_state(world):
    world.write()

    def state():
        (one,) = read_statuses(
            [world.rotation()], environ=world.environ, now=world.now, deadline=Deadline(5)
        )
        return one

    assert state().state == "due"
    assert sorted(p.name for p in world.project.root.iterdir()) == [".env.prod", "profiles"]
    world.run()
    found = state()
    assert (found.state, found.promoted_at, found.retire_at) == ("grace", START, START + 900)
    assert found.due_at == START + 30 * DAY
    world.now += 901
    world.run()
    assert (state().state, state().last_rotated_at) == ("waiting", START)
    world.now += 31 * DAY
    assert state().state == "overdue"
    world.write('before = [["false"]]')
    world.run()
    assert state().state == "overdue"
    world.break_file()
    assert state().state == "unreadable"
    assert OLD not in f"{state()}"


def test_a_foreign_value_that_blocks_a_rotation_is_reported(world):
    world.write()
    world.run()
    world.project.dotenv("prod", "API_KEY=theirs\n")
    (one,) = read_statuses(
        [world.rotation()], environ=world.environ, now=world.now, deadline=Deadline(5)
    )
    assert (one.state, one.phase, one.needs_attention) == ("failing", "grace", True)
    assert one.error.startswith("the secret was changed outside envkit")
    assert one.hint == "run: envkit rotate --abort prod/api-key"


def test_a_missing_secret_is_reported_before_the_due_time(world):
    world.write()
    world.project.dotenv("prod", "OTHER=x\n")
    (one,) = read_statuses(
        [world.rotation()], environ=world.environ, now=world.now, deadline=Deadline(5)
    )
    assert (one.state, one.error) == ("unreadable", "the secret is missing")


# -------- which target it is


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('{ url = "redis://h" }', '{ url = "redis://h" }', True),
        ('{ url = "redis://h" }', '{ url = "redis://other" }', False),
        ('{ url = "redis://h" }', '{ url = "redis://h", user = "app" }', False),
        ('{ url = "redis://h" }', '{ url = "redis://h", terminate = true }', True),
        ('{ url = "redis://h" }', '{ url = "{{ dotenv:OTHER }}" }', False),
    ],
)
def test_a_target_is_identified_by_its_text_and_not_by_its_options(world, before, after, same):
    digests = []
    for target in (before, after):
        world.write(f"target = {target}")
        text = world.project.profiles / "prod.toml"
        text.write_text(text.read_text().replace('"random"', '"redis"'))
        digests.append(target_digest(world.rotation().policy))
    assert (digests[0] == digests[1]) == same


@pytest.mark.parametrize("rotator", ['"no-such"', '"postgres"', '"command"'])
def test_an_abort_does_not_need_a_valid_rotator_table(world, rotator):
    """It was claimed as `random`; the profile now names a rotator that cannot be opened."""
    world.write('before = [["false"]]')
    assert world.run().step == "create"
    text = world.project.profiles / "prod.toml"
    text.write_text(text.read_text().replace('"random"', rotator))
    assert world.run(Request.RESUME).status == OutcomeStatus.FAILED
    assert world.run(Request.ABORT).status == OutcomeStatus.ABORTED
    assert world.file()["API_KEY"] == OLD
    record = json.loads((world.project.root / ".env.prod.API_KEY.envkit-rotation").read_text())
    assert record["record"]["phase"] == "idle"
    assert "values" not in record
