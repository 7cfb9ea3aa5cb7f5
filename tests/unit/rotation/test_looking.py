"""One run looks who uses the old credential: what it saves, and how the run ends."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import DeniedError, RotationError
from envkit.rotation import looking
from envkit.rotation.engine import Job, advance
from envkit.rotation.machine import Request
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.protocols import Reader
from envkit.rotation_state.evidence import Sightings
from envkit.rotation_state.retirement import Retirement, RetireWhen, last_block
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from support.fake_targets import Additive

CANARY = "canary-5d20"
OLD = f"{CANARY}-é"
GRACE, QUIET, EXTRA = 900.0, 300.0, 5000.0
GUNICORN = Reader("app_a", "10.0.0.5", "gunicorn", sessions=3)


class Scene:
    """A rotation in its grace period, whose old credential gunicorn uses."""

    def __init__(self, when=RetireWhen.UNUSED):
        self.target = Additive(OLD, f"{CANARY}-")
        self.shelf = MemoryShelf({"password": OLD})
        self.retirement = Retirement(when, QUIET, EXTRA)
        self.sightings = None
        self.now = 500_000.0
        self.target.sessions.append(GUNICORN)
        self.run()

    def store(self):
        return MemoryRotationStore(self.shelf, ("password",))

    def run(self, requested=None, *, after=0.0, grace=GRACE):
        self.now += after
        job = Job(
            "prod/db",
            self.store(),
            self.target.open,
            lambda record, now: record.due_from + 100_000 if record else 0.0,
            grace_seconds=grace,
            retirement=self.retirement,
            sightings=self.sightings,
        )
        outcome = advance(
            job, deadline=Deadline(60), requested=requested, clock=lambda: self.now, me="host:1"
        )
        assert CANARY not in repr(outcome)
        return outcome

    @property
    def evidence(self):
        return self.store().read().record.evidence


@pytest.fixture
def scene():
    return Scene()


def test_the_first_look_is_at_the_beginning_of_the_grace_period(scene):
    assert scene.evidence.readers[0]._replace(seen_at=0.0) == GUNICORN
    assert scene.evidence.looked_at == scene.now


def test_an_old_credential_in_use_is_kept_and_named(scene):
    outcome = scene.run(after=GRACE)
    assert (outcome.status, outcome.ok) == (OutcomeStatus.IN_USE, True)
    assert outcome.reason.endswith("still works: 3 sessions of app_a from 10.0.0.5 'gunicorn'")
    assert scene.target.passwords == {OLD, f"{CANARY}-1"}
    assert scene.now < outcome.until <= scene.now + scene.retirement.look_seconds


def test_an_old_credential_is_retired_once_no_session_was_seen_for_some_minutes(scene):
    scene.run(after=GRACE)
    scene.target.sessions.clear()
    outcome = scene.run(after=QUIET - 1)
    assert outcome.status == OutcomeStatus.IN_USE
    assert "was in use minutes ago" in outcome.reason
    assert scene.run(after=1).status == OutcomeStatus.ROTATED
    assert scene.target.passwords == {f"{CANARY}-1"}


def test_a_session_of_the_grace_period_does_not_delay_the_retirement_after_it(scene):
    scene.target.sessions.clear()
    assert scene.run(after=GRACE).status == OutcomeStatus.ROTATED


def test_with_a_short_grace_period_a_run_knows_what_the_run_before_it_saw():
    scene = Scene()
    scene.retirement = scene.retirement._replace(quiet_seconds=5.0)
    scene.run(after=GRACE)
    scene.run(after=4.0)
    scene.target.sessions.clear()
    assert scene.run(after=2.0).status == OutcomeStatus.IN_USE
    assert scene.run(after=3.0).status == OutcomeStatus.ROTATED


@pytest.mark.parametrize(
    ("when", "status"),
    [(RetireWhen.UNUSED, OutcomeStatus.BLOCKED), (RetireWhen.LIMIT, OutcomeStatus.ROTATED)],
)
def test_the_limit_raises_an_alarm_or_retires_the_old_credential(when, status):
    scene = Scene(when)
    assert scene.run(after=GRACE + EXTRA - 1).status == OutcomeStatus.IN_USE
    outcome = scene.run(after=1)
    assert outcome.status == status
    if status == OutcomeStatus.BLOCKED:
        assert not outcome.ok
        assert "run 'envkit rotate --retire prod/db'" in outcome.error.hint


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeniedError("permission denied"), "(permission denied)"),
        (RotationError(f"bad {OLD}"), "((hidden))"),
        (RotationError(f"bad {CANARY}-\\xc3\\xa9"), "((hidden))"),
        (RotationError(f"bad {CANARY}-??"), "((hidden))"),
        (ValueError(CANARY), "(the look failed: ValueError)"),
    ],
)
def test_a_look_that_fails_does_not_prove_that_a_credential_is_unused(scene, error, reason):
    scene.target.sessions.clear()
    scene.target.fails["in_use"] = error
    outcome = scene.run(after=GRACE)
    assert outcome.status == OutcomeStatus.IN_USE
    assert outcome.reason.startswith(f"cannot see whether the old credential is in use {reason}")
    assert CANARY not in repr(scene.evidence)
    blocked = scene.run(after=EXTRA)
    assert blocked.status == OutcomeStatus.BLOCKED
    assert blocked.error.hint.startswith("fix the reason, or retire it")
    scene.target.fails.clear()
    assert scene.run().status == OutcomeStatus.ROTATED


def test_a_look_of_a_clock_that_was_ahead_proves_nothing(scene):
    scene.target.sessions.clear()
    day = scene.now + 86_400
    record = scene.store().read()
    ahead = record.record.evidence._replace(looked_at=day, tried_at=day)
    scene.store().save(record, record.record._replace(evidence=ahead), record.pending)
    scene.target.fails["in_use"] = DeniedError("permission denied")
    assert scene.run(after=GRACE).status == OutcomeStatus.IN_USE
    assert scene.evidence.tried_at == scene.now, "status shows what this host has seen"


def test_a_later_step_that_fails_is_not_reported_as_a_use(scene):
    scene.target.sessions.clear()
    scene.target.fails["probe"] = DeniedError("permission denied")
    assert scene.run(after=GRACE).status == OutcomeStatus.FAILED
    assert last_block(scene.store().read().record, scene.retirement) is None


def test_a_target_that_does_not_answer_delays_a_run_no_longer_than_a_look_may_take(
    scene, monkeypatch
):
    from threading import Event

    monkeypatch.setattr(looking, "LOOK_TIMEOUT_SECONDS", 0.05)
    never = Event()
    scene.target.fails["in_use"] = lambda: never.wait(30) or None
    outcome = scene.run(after=GRACE)
    never.set()
    assert (outcome.status, "did not answer in time" in outcome.reason) == ("in-use", True)


@pytest.mark.parametrize(
    ("requested", "status"),
    [
        (Request.RETIRE, OutcomeStatus.ROTATED),
        (Request.COMPROMISED, OutcomeStatus.ROTATED),
        (Request.ROLLBACK, OutcomeStatus.ROLLED_BACK),
        (Request.ROTATE, OutcomeStatus.IN_USE),
        (Request.RESUME, OutcomeStatus.IN_USE),
    ],
)
def test_a_person_may_retire_a_credential_that_is_in_use(scene, requested, status):
    scene.run(after=GRACE)
    assert scene.run(requested).status == status


def test_retire_is_refused_where_there_is_nothing_to_retire(scene):
    assert scene.run(Request.RETIRE).status == OutcomeStatus.ROTATED
    outcome = scene.run(Request.RETIRE)
    assert outcome.status == OutcomeStatus.REFUSED
    assert "there is no old credential to retire" in outcome.error.message


def test_a_request_to_retire_does_not_count_for_a_rotation_that_began_meanwhile(scene):
    def others_are_faster():
        scene.target.fails.clear()
        scene.run(Request.RETIRE)
        scene.run(Request.ROTATE)

    scene.target.fails["probe"] = others_are_faster
    assert scene.run(Request.RETIRE).status == OutcomeStatus.IN_GRACE
    assert scene.target.passwords == {f"{CANARY}-1", f"{CANARY}-2"}


def test_looks_do_not_write_more_than_once_a_minute(scene):
    before = scene.shelf.envelope_version
    for _ in range(100):
        scene.run(after=5)
    assert int(scene.shelf.envelope_version) - int(before) <= 500 / looking.SAVE_PACE_SECONDS


def test_a_rotation_without_a_session_costs_no_write_more():
    scene = Scene()
    scene.run(Request.RETIRE)
    scene.target.sessions.clear()
    versions = []
    for when in (RetireWhen.GRACE, RetireWhen.UNUSED):
        scene.retirement = Retirement(when, QUIET, EXTRA)
        before = int(scene.shelf.envelope_version)
        scene.run(Request.ROTATE)
        assert scene.run(after=GRACE).status == OutcomeStatus.ROTATED
        versions.append(int(scene.shelf.envelope_version) - before)
    assert versions[0] == versions[1]


@pytest.mark.parametrize(
    ("sightings", "status"),
    [(Sightings(), OutcomeStatus.IN_USE), (None, OutcomeStatus.ROTATED)],
)
def test_a_scheduler_remembers_a_sighting_that_no_record_has(scene, sightings, status):
    """A session is seen again 30 s after the last write, and at no other look."""
    scene.sightings = sightings
    scene.run(after=GRACE)
    scene.run(after=30)
    scene.target.sessions.clear()
    assert scene.run(after=QUIET - 30).status == status
    assert scene.run(after=30).status == (
        OutcomeStatus.ROTATED if sightings else OutcomeStatus.NOT_DUE
    )


def test_sightings_of_another_rotation_do_not_count(scene):
    sightings = scene.sightings = Sightings()
    scene.run(after=10)
    record = scene.store().read().record
    assert sightings.of(record.id, record.evidence).seen_at == scene.now
    assert sightings.of("another", record.evidence) == record.evidence


def test_a_look_is_no_change_of_the_rotation(scene):
    outcome = scene.run(after=100)
    assert (outcome.status, outcome.changed, outcome.step) == (OutcomeStatus.IN_GRACE, False, "")


def test_an_old_credential_without_a_grace_period_is_kept_while_it_is_in_use():
    scene = Scene()
    scene.run(Request.RETIRE)
    scene.retirement = Retirement(RetireWhen.UNUSED)
    assert scene.run(Request.ROTATE, grace=0.0).status == OutcomeStatus.BLOCKED
    scene.target.sessions.clear()
    assert scene.run(after=1, grace=0.0).status == OutcomeStatus.ROTATED


def test_a_changed_target_is_reported_by_the_step_that_retires(scene):
    scene.target.description = "elsewhere:2"
    outcome = scene.run(after=GRACE)
    assert outcome.status == OutcomeStatus.FAILED
    assert "but the profile now names elsewhere:2" in outcome.error.message
