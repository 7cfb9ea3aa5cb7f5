"""The decision for every combination of phase, value, request and time."""

from itertools import product

import pytest

from envkit.rotation import machine
from envkit.rotation.machine import (
    Decision,
    Observation,
    OtherValue,
    Request,
    StepKind,
    decide,
    published_value,
)
from envkit.rotation_state.evidence import Evidence, Reader
from envkit.rotation_state.record import PendingValue, Phase, Record
from envkit.rotation_state.retirement import Retirement, RetireWhen
from envkit.secret import Secret

NOW = 1000.0
PENDING = frozenset(tuple(PendingValue))
STEPS = set(StepKind)
QUIET, EXTRA = 60.0, 600.0
UNUSED = Retirement(RetireWhen.UNUSED, QUIET, EXTRA)
LIMIT = Retirement(RetireWhen.LIMIT, QUIET, EXTRA)


def seen_in_use(at, *, looked_at=NOW):
    """Evidence of one session that was last seen at a time."""
    return Evidence(at, looked_at, looked_at, readers=(Reader("app_a", seen_at=at),))


NO_SESSION = Evidence(looked_at=NOW, tried_at=NOW)
NEVER_LOOKED = Evidence()
FAILED_LOOK = NO_SESSION._replace(error="denied")
# how an old credential is retired, who uses it, and whether it is kept when its grace is over
USES = [
    (Retirement(), seen_in_use(NOW), False),
    (UNUSED, NO_SESSION, False),
    (UNUSED, NEVER_LOOKED, True),
    (UNUSED, FAILED_LOOK, True),
    (UNUSED, seen_in_use(NOW), True),
    (LIMIT, seen_in_use(NOW), True),
]


def record(phase, **fields):
    return Record("prod/db", "id", phase, owner="me", **fields)


def step(
    phase, published, *, requested="", now=NOW, due_at=0.0, pending=PENDING, me="me", **fields
):
    seen = Observation(record(phase, **fields), published, now, due_at, pending, me, requested)
    return decide(seen).step


def everything():
    """Yield all that may be seen, as far as a decision can depend on it."""
    for phase, published, requested, due, held, announced, rejections, times, use in product(
        tuple(Phase),
        (*tuple(PendingValue), OtherValue.FOREIGN, OtherValue.MISSING),
        ("", *tuple(Request)),
        (False, True),
        ("me", "other", "other, long ago", "no owner", "no owner, a moment ago"),
        (False, True),
        (0, machine.MAX_REJECTIONS),
        (NOW - 1, NOW + 1),
        USES,
    ):
        retirement, evidence, _ = use
        if phase != Phase.GRACE and use is not USES[0]:
            continue
        owner, _, when = held.partition(", ")
        yield Observation(
            Record(
                "prod/db",
                "id",
                phase,
                attempt=1,
                rejections=rejections,
                then="idle",
                owner="" if owner == "no owner" else owner,
                busy_until=NOW + 60 if when == "a moment ago" or held == "other" else NOW - 60,
                settle_until=times,
                retire_at=times,
                evidence=evidence,
            ),
            published,
            NOW,
            NOW - 1 if due else NOW + 1,
            frozenset(tuple(PendingValue) if announced else (PendingValue.OLD, PendingValue.NEW)),
            "me",
            requested,
            retirement,
        )


EVERYTHING = [(seen, decide(seen)) for seen in everything()]


def test_every_situation_has_a_decision():
    assert len(EVERYTHING) == (10 + len(USES)) * 6 * 7 * 2 * 5 * 2 * 2 * 2
    assert all(isinstance(d, Decision) and d.step in STEPS and d.reason for _, d in EVERYTHING)


def that(*steps):
    found = [(seen, decision) for seen, decision in EVERYTHING if decision.step in steps]
    assert found, f"{steps} is never decided"
    return found


def test_promotion_needs_a_tested_value_or_a_lost_old_one():
    for seen, _ in that(StepKind.PROMOTE):
        assert seen.record.phase in ("tested", "retiring")
        assert seen.published in (PendingValue.OLD, PendingValue.ANNOUNCED)


def test_the_old_credential_is_removed_only_when_decided_and_without_readers():
    for seen, _ in that(StepKind.RETIRE):
        assert seen.record.phase == "retiring"
        assert seen.published not in (PendingValue.OLD, PendingValue.ANNOUNCED)


def test_retiring_is_decided_only_after_the_grace_period_and_with_the_new_value_current():
    for seen, _ in that(StepKind.BEGIN_RETIRE):
        assert seen.record.phase == "grace"
        at_once = seen.requested in (Request.COMPROMISED, Request.RETIRE)
        assert seen.record.retire_at <= seen.now or at_once
        assert seen.published in (PendingValue.NEW, PendingValue.FINAL)


def test_a_credential_in_use_is_retired_only_on_request():
    kept = [(retirement, evidence) for retirement, evidence, keeps in USES if keeps]
    for seen, decision in EVERYTHING:
        if (seen.retirement, seen.record.evidence) in kept and not seen.requested:
            assert decision.step != StepKind.BEGIN_RETIRE
            assert seen.record.phase == "grace"
    for seen, decision in EVERYTHING:
        if decision.block is not None:
            assert (seen.retirement, seen.record.evidence) in kept
            assert (decision.step, decision.until > seen.now) == (StepKind.WAIT, True)


@pytest.mark.parametrize(
    ("retirement", "evidence", "after", "wanted"),
    [
        *((retirement, evidence, 0, keeps) for retirement, evidence, keeps in USES),
        (UNUSED, seen_in_use(NOW - QUIET + 1), 0, True),
        (UNUSED, seen_in_use(NOW - QUIET), 0, False),
        (UNUSED, seen_in_use(NOW - QUIET, looked_at=NOW - QUIET), 0, True),
        (UNUSED, NO_SESSION._replace(looked_at=NOW - QUIET - 1), 0, True),
        (UNUSED, seen_in_use(NOW), EXTRA, "alarm"),
        (UNUSED, NEVER_LOOKED, EXTRA, "alarm"),
        (UNUSED, NO_SESSION, EXTRA, False),
        (LIMIT, seen_in_use(NOW), EXTRA - 1, True),
        (LIMIT, seen_in_use(NOW), EXTRA, False),
        (LIMIT, NEVER_LOOKED, EXTRA, False),
    ],
)
def test_an_old_credential_is_kept_after_its_grace_period_while_it_is_in_use(
    retirement, evidence, after, wanted
):
    graced = record("grace", retire_at=NOW - after, evidence=evidence)
    seen = Observation(graced, PendingValue.NEW, NOW, 0.0, me="me", retirement=retirement)
    decision = decide(seen)
    assert (decision.step == StepKind.WAIT) == bool(wanted)
    assert decision.block is None or decision.block.alarm == (wanted == "alarm")
    at_once = decide(seen._replace(requested=Request.RETIRE))
    assert at_once.step == StepKind.BEGIN_RETIRE


def test_a_target_is_looked_at_repeatedly_in_the_grace_period():
    graced = Observation(record("grace", retire_at=NOW + 100), PendingValue.NEW, NOW, 0.0)
    assert decide(graced).until == NOW + 100
    assert decide(graced._replace(retirement=UNUSED)).until == NOW + UNUSED.look_seconds


@pytest.mark.parametrize("phase", sorted(set(Phase) - {"promoted", "grace", "retiring"}))
def test_there_is_nothing_to_retire_before_the_store_has_the_new_value(phase):
    decision = decide(
        Observation(record(phase), PendingValue.OLD, NOW, 0.0, requested=Request.RETIRE)
    )
    assert decision.step == StepKind.REFUSE
    assert decision.reason.startswith("there is no old credential to retire")


def test_the_new_credential_is_removed_only_when_decided_and_without_readers():
    for seen, _ in that(StepKind.UNDO):
        assert seen.record.phase == "reverted"
        assert seen.published not in (PendingValue.NEW, PendingValue.FINAL, PendingValue.ANNOUNCED)


def test_no_rollback_is_possible_once_the_old_credential_is_being_retired():
    for seen, _ in that(StepKind.BEGIN_REVERT):
        assert seen.record.phase != "retiring"


def test_a_rollback_is_decided_at_once_only_when_no_other_process_can_promote():
    for seen, decision in that(StepKind.BEGIN_REVERT):
        if decision.phase == "reverted" and seen.published not in (
            OtherValue.FOREIGN,
            OtherValue.MISSING,
        ):
            assert seen.record.phase in ("claimed", "staged", "set")
            assert seen.published == PendingValue.OLD
            assert PendingValue.ANNOUNCED not in seen.pending


def test_a_decided_rollback_is_finished_whatever_is_requested():
    for seen, decision in EVERYTHING:
        if seen.record.phase in ("reverting", "reverted") and seen.record.owner == "me":
            if seen.requested == Request.RETIRE:
                assert decision.step == StepKind.REFUSE
                continue
            assert decision.step in (
                StepKind.RESTORE,
                StepKind.NOTE_REVERTED,
                StepKind.UNDO,
            )


def test_a_foreign_value_is_not_overwritten():
    for seen, decision in EVERYTHING:
        if seen.published in (OtherValue.FOREIGN, OtherValue.MISSING):
            assert decision.step not in (
                StepKind.PROMOTE,
                StepKind.ANNOUNCE,
                StepKind.PUBLISH_FINAL,
                StepKind.RESTORE,
            )


def test_a_foreign_value_stops_the_rotation_until_an_abort():
    for seen, decision in EVERYTHING:
        before = seen.record.phase in ("claimed", "staged", "set", "tested", "promoted", "grace")
        if (
            seen.published == OtherValue.FOREIGN
            and before
            and seen.requested
            not in (
                Request.ABORT,
                Request.RETIRE,
            )
        ):
            assert decision.step == StepKind.REFUSE
            assert decision.advice == "abort"


def test_only_the_owner_of_a_rotation_acts_on_it():
    for seen, decision in EVERYTHING:
        if seen.record.in_progress and seen.record.owner != "me":
            assert decision.step in (
                *machine.PASSIVE,
                StepKind.TAKE_OVER,
                StepKind.BEGIN_RETIRE,
                StepKind.BEGIN_REVERT,
            )


def test_a_rotation_of_another_process_is_left_alone_without_a_request():
    for seen, decision in EVERYTHING:
        busy = seen.record.owner == "other" and seen.record.busy_until > seen.now
        if seen.record.in_progress and busy and seen.requested in ("", "rotate"):
            assert decision.step in machine.PASSIVE
    for seen, decision in that(StepKind.BUSY):
        assert seen.record.owner == "other"
        assert decision.until == seen.record.busy_until


def test_a_recent_failure_is_paused_without_a_request():
    for seen, decision in that(StepKind.PAUSE):
        assert not seen.requested
        assert not seen.record.owner
        assert decision.until == seen.record.busy_until


def test_an_unfinished_rotation_is_not_claimed_again():
    for seen, _ in that(StepKind.CLAIM):
        assert seen.record.phase in ("idle", "quarantined")
        assert seen.published != OtherValue.MISSING


def test_a_quarantined_rotation_waits_for_a_request():
    for seen, decision in EVERYTHING:
        if seen.record.phase == "quarantined" and not seen.requested:
            assert decision.step == StepKind.NOTHING
            assert decision.until == 0


class TestIdle:
    def decide(self, now=NOW, requested="", found=None, published=OtherValue.FOREIGN):
        return decide(Observation(found, published, now, NOW, requested=requested))

    def test_an_idle_rotation_is_claimed_when_it_is_due(self):
        assert self.decide().step == StepKind.CLAIM

    def test_an_idle_rotation_reports_its_due_time(self):
        assert self.decide(NOW - 1) == Decision(StepKind.NOTHING, "not due", NOW)

    def test_an_idle_rotation_is_claimed_on_request(self):
        assert self.decide(NOW - 1, requested="rotate").step == StepKind.CLAIM
        quarantined = Record("prod/db", phase="quarantined")
        assert self.decide(NOW - 1, "rotate", quarantined).step == StepKind.CLAIM

    @pytest.mark.parametrize("requested", ["rollback", "abort", "resume"])
    def test_rollback_abort_and_resume_are_refused_without_an_unfinished_rotation(self, requested):
        decision = self.decide(requested=requested)
        assert decision.step == StepKind.REFUSE
        assert decision.reason.startswith("there is no unfinished rotation")

    def test_a_missing_secret_is_refused(self):
        assert self.decide(published=OtherValue.MISSING).step == StepKind.REFUSE


def test_each_phase_of_a_rotation_has_its_next_step():
    plain = frozenset((PendingValue.OLD, PendingValue.NEW))
    assert step("claimed", PendingValue.OLD) == StepKind.CREATE
    assert step("staged", PendingValue.OLD, pending=plain) == StepKind.SET
    assert step("set", PendingValue.OLD, pending=plain) == StepKind.TEST
    assert step("tested", PendingValue.OLD, pending=plain) == StepKind.PROMOTE
    assert step("tested", PendingValue.NEW) == StepKind.NOTE_PROMOTED
    assert step("promoted", PendingValue.NEW) == StepKind.FINISH
    assert step("grace", PendingValue.NEW, retire_at=NOW + 1) == StepKind.WAIT
    assert step("grace", PendingValue.NEW, retire_at=NOW) == StepKind.BEGIN_RETIRE
    assert step("retiring", PendingValue.NEW, pending=plain) == StepKind.RETIRE


def test_each_phase_of_a_rotation_in_place_has_its_next_step():
    assert step("staged", PendingValue.OLD) == StepKind.ANNOUNCE
    assert step("staged", PendingValue.ANNOUNCED) == StepKind.SET
    assert step("set", PendingValue.ANNOUNCED, settle_until=NOW + 1) == StepKind.WAIT
    assert step("set", PendingValue.ANNOUNCED, settle_until=NOW) == StepKind.TEST
    assert step("tested", PendingValue.ANNOUNCED) == StepKind.PROMOTE
    assert step("retiring", PendingValue.NEW) == StepKind.PUBLISH_FINAL
    assert step("retiring", PendingValue.FINAL) == StepKind.RETIRE


def test_a_withdrawn_announcement_is_not_promoted():
    assert step("set", PendingValue.OLD) == StepKind.REFUSE
    assert step("tested", PendingValue.OLD) == StepKind.REFUSE


def test_each_phase_of_a_rollback_has_its_next_step():
    assert step("grace", PendingValue.NEW, requested="rollback") == StepKind.BEGIN_REVERT
    assert step("reverting", PendingValue.NEW) == StepKind.RESTORE
    assert step("reverting", PendingValue.OLD) == StepKind.RESTORE
    assert step("reverted", PendingValue.OLD) == StepKind.UNDO
    assert step("reverted", PendingValue.NEW) == StepKind.RESTORE


def test_a_promoted_value_is_rolled_back_and_not_aborted():
    assert step("grace", PendingValue.NEW, requested="abort") == StepKind.REFUSE
    assert step("tested", PendingValue.OLD, requested="abort") == StepKind.BEGIN_REVERT
    assert step("retiring", PendingValue.NEW, requested="rollback") == StepKind.REFUSE


def test_an_old_value_that_was_restored_by_hand_is_not_retired():
    assert step("grace", PendingValue.OLD, retire_at=NOW - 1) == StepKind.REFUSE
    assert step("promoted", PendingValue.OLD) == StepKind.REFUSE
    assert step("retiring", PendingValue.OLD) == StepKind.PROMOTE


def test_a_rejected_value_is_replaced_until_the_rotation_is_quarantined():
    def then(phase, attempt):
        rejected = record(phase, attempt=attempt, rejections=machine.MAX_REJECTIONS)
        return decide(Observation(rejected, PendingValue.OLD, NOW, 0.0, me="me")).then

    assert then("set", 1) == "claimed"
    assert then("staged", machine.MAX_ATTEMPTS) == "quarantined"
    assert then("claimed", 0) == "quarantined"


def test_a_claim_that_is_no_longer_due_is_released():
    assert step("claimed", PendingValue.OLD, due_at=NOW + 1) == StepKind.BEGIN_REVERT
    assert step("claimed", PendingValue.OLD, due_at=NOW + 1, asked=True) == StepKind.CREATE
    assert step("claimed", PendingValue.OLD, due_at=NOW + 1, attempt=1) == StepKind.CREATE
    assert step("set", PendingValue.ANNOUNCED, due_at=NOW + 1) == StepKind.TEST


def test_published_value_names_the_value_in_the_secret():
    pending = {name: {"password": Secret(name)} for name in tuple(PendingValue)}
    for name in tuple(PendingValue):
        assert published_value({"password": Secret(name)}, pending) == name
    assert published_value({"password": Secret("other")}, pending) == OtherValue.FOREIGN
    assert (
        published_value({"password": Secret(PendingValue.OLD), "more": Secret("")}, pending)
        == OtherValue.FOREIGN
    )
    assert published_value({}, pending) == OtherValue.MISSING
    assert published_value(None, pending) == OtherValue.MISSING
