"""One run of a rotation: its outcome, and the state after a failure."""

import threading

import pytest

from envkit._internal.clock import FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, Deadline
from envkit.errors import (
    ConflictError,
    RejectedError,
    RotationError,
    UnavailableError,
    WriteRefusedError,
)
from envkit.rotation.engine import Job, advance, new_owner
from envkit.rotation.machine import MAX_ATTEMPTS, Request
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation_state.record import Record
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from support.fake_targets import Additive

CANARY = "canary-5d20"
EVERY = 1000.0
GRACE = 100.0


class Scene:
    def __init__(self):
        self.target = Additive(f"{CANARY}-0", f"{CANARY}-")
        self.shelf = MemoryShelf({"password": f"{CANARY}-0", "host": "db"})
        self.now = 50_000.0
        self.told = []
        self.options = {}

    def store(self):
        return MemoryRotationStore(self.shelf, ("password",))

    def job(self, **options):
        return Job(
            "prod/db",
            self.store(),
            self.target.open,
            lambda record, now: record.due_from + EVERY if record else 0.0,
            **{"grace_seconds": GRACE, "plan": "passwords", **options},
        )

    def run(self, requested="", *, seconds=60.0, stopping=lambda: False, **options):
        outcome = advance(
            self.job(**options),
            deadline=Deadline(seconds),
            requested=requested,
            clock=lambda: self.now,
            progress=lambda step, reason: self.told.append(step),
            stopping=stopping,
            me="host:1",
        )
        assert CANARY not in repr(outcome)
        if outcome.error is not None:
            assert CANARY not in f"{outcome.error!r} {outcome.error.hint}"
        return outcome

    def rotate(self):
        """Rotate from the beginning to the end."""
        assert self.run().status == OutcomeStatus.IN_GRACE
        self.now += GRACE
        return self.run()

    @property
    def snapshot(self):
        return self.store().read()

    @property
    def record(self):
        return self.snapshot.record

    @property
    def password(self):
        return self.shelf.fields["password"]

    def change(self, **fields):
        """Change the record as envkit never does."""
        store = self.store()
        seen = store.read()
        store.save(seen, seen.record._replace(**fields), seen.pending)


@pytest.fixture
def scene():
    return Scene()


class TestRotation:
    def test_a_rotation_runs_up_to_its_grace_period(self, scene):
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.IN_GRACE
        assert outcome.until == scene.now + GRACE
        assert outcome.promoted
        assert outcome.ok
        assert scene.shelf.fields == {"password": f"{CANARY}-1", "host": "db"}
        assert scene.target.passwords == {f"{CANARY}-0", f"{CANARY}-1"}
        assert outcome.record == scene.record

    def test_a_run_in_the_grace_period_writes_nothing(self, scene):
        scene.run()
        before = scene.shelf.envelope_version
        scene.now += GRACE - 1
        outcome = scene.run()
        assert (outcome.status, outcome.changed) == (OutcomeStatus.IN_GRACE, False)
        assert scene.shelf.envelope_version == before

    def test_a_finished_rotation_leaves_only_the_new_value(self, scene):
        begun = scene.now
        outcome = scene.rotate()
        assert outcome.status == OutcomeStatus.ROTATED
        assert scene.target.passwords == {f"{CANARY}-1"}
        assert scene.snapshot.pending == {}
        assert CANARY not in scene.shelf.envelope
        assert outcome.record == scene.record
        assert scene.record.last_rotated_at == begun
        assert scene.record.facts == {}
        assert (scene.record.owner, scene.record.busy_until) == ("", 0.0)

    def test_the_next_due_time_counts_from_the_promotion(self, scene):
        begun = scene.now
        scene.rotate()
        outcome = scene.run()
        assert (outcome.status, outcome.until, outcome.changed) == (
            OutcomeStatus.NOT_DUE,
            begun + EVERY,
            False,
        )
        scene.now = begun + EVERY
        assert scene.run().promoted

    def test_rotate_by_request_starts_before_the_due_time(self, scene):
        scene.rotate()
        outcome = scene.run(Request.ROTATE)
        assert outcome.promoted
        assert scene.record.asked

    def test_each_step_is_reported(self, scene):
        scene.rotate()
        assert scene.told == [
            *("claim", "create", "set", "test", "promote", "note-promoted", "finish"),
            *("begin-retire", "retire"),
        ]

    def test_the_rotator_is_opened_only_for_steps_that_need_its_target(self, scene):
        opened = []

        def open_rotator(**options):
            opened.append(scene.told[-1])
            return scene.target.open(**options)

        job = scene.job()._replace(open_rotator=open_rotator)
        for pause in (0.0, 1.0, GRACE, 0.0):
            scene.now += pause
            advance(
                job,
                deadline=Deadline(60),
                clock=lambda: scene.now,
                progress=lambda step, _: scene.told.append(step),
            )
        assert opened == [
            *("claim", "create", "set", "test", "finish"),
            *("begin-retire", "retire"),
        ]

    def test_facts_of_the_rotator_are_stored_until_the_end(self, scene):
        scene.run()
        assert scene.record.facts == {"seen": "yes", "number": "1"}

    def test_the_rotator_gets_the_id_of_the_rotation(self, scene):
        scene.run()
        assert scene.target.id == scene.record.id != ""

    def test_hooks_run_before_and_after_the_rotation(self, scene):
        before = lambda: scene.target.calls.append("before")  # noqa: E731
        after = lambda: scene.target.calls.append("after")  # noqa: E731
        scene.run(before=before, after=after)
        assert scene.target.calls == [
            *("prepare", "before", "create", "set", "test", "finish", "after")
        ]


class TestConcurrentRead:
    def test_a_read_that_spans_a_step_of_another_process_is_no_reason_to_refuse(self, scene):
        scene.run(stopping=lambda: scene.record is not None and scene.record.phase == "tested")
        assert scene.record.phase == "tested"
        overtaken = []

        def overtake(moment):
            if moment == "read secret" and not overtaken:
                overtaken.append(scene.run().status)

        store = MemoryRotationStore(scene.shelf, ("password",), overtake)
        outcome = advance(
            scene.job()._replace(store=store),
            deadline=Deadline(60),
            clock=lambda: scene.now,
            me="host:2",
        )
        assert overtaken == [OutcomeStatus.IN_GRACE], "the first one has not promoted meanwhile"
        assert (outcome.status, outcome.error) == (OutcomeStatus.IN_GRACE, None)


class TestFailures:
    @pytest.mark.parametrize("method", ["create", "set", "test", "finish"])
    def test_a_failed_step_is_reported_and_resumed_later(self, scene, method):
        scene.target.fails[method] = UnavailableError("the target is down")
        outcome = scene.run()
        assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, method)
        assert outcome.error.message == "the target is down"
        assert scene.record.error == f"{method}: store-unavailable"
        del scene.target.fails[method]
        assert scene.run().status == OutcomeStatus.FAILED  # not at once
        scene.now += FIRST_PAUSE_SECONDS
        assert scene.run().status == OutcomeStatus.IN_GRACE
        assert scene.record.error == ""

    def test_the_pause_between_retries_grows(self, scene):
        scene.target.fails["set"] = RotationError("no")
        pauses = []
        for _ in range(9):
            scene.run()
            pauses.append(scene.record.busy_until - scene.now)
            scene.now = scene.record.busy_until
        assert pauses[:3] == [15.0, 30.0, 60.0]
        assert pauses[-1] == LAST_PAUSE_SECONDS

    def test_a_run_during_the_pause_reports_the_failure(self, scene):
        scene.target.fails["set"] = RotationError("no")
        scene.run()
        outcome = scene.run()
        assert (outcome.status, outcome.changed) == (OutcomeStatus.FAILED, False)
        assert outcome.until == scene.record.busy_until
        assert "set: rotation-failed" in outcome.reason
        # without the name it would wait for the pause again
        assert f"'envkit rotate {outcome.rotation}'" in outcome.error.hint

    def test_rotate_by_request_ignores_the_pause(self, scene):
        scene.target.fails["set"] = RotationError("no")
        scene.run()
        scene.target.fails.clear()
        assert scene.run(Request.ROTATE).status == OutcomeStatus.IN_GRACE

    def test_a_rotation_whose_preparation_fails_is_not_claimed(self, scene):
        scene.target.fails["prepare"] = RotationError("a grant is missing")
        assert scene.run().status == OutcomeStatus.FAILED
        assert (scene.record.phase, scene.snapshot.pending) == ("idle", {})

    def test_a_rotation_whose_store_refuses_writes_is_not_claimed(self, scene, monkeypatch):
        def denied(_self):
            raise RotationError("it is rotated by AWS")

        monkeypatch.setattr(MemoryRotationStore, "check", denied)
        assert scene.run().error.message == "it is rotated by AWS"
        assert scene.target.calls == []
        assert scene.shelf.envelope is None, "a record of another owner is not written"

    def test_a_failed_before_hook_prevents_any_change(self, scene):
        def before():
            raise RotationError("not now")

        assert scene.run(before=before).status == OutcomeStatus.FAILED
        assert "create" not in scene.target.calls
        assert scene.password == f"{CANARY}-0"

    def test_a_failed_after_hook_keeps_the_old_credential_alive(self, scene):
        def after():
            raise RotationError("the app does not reload")

        assert scene.run(after=after).status == OutcomeStatus.FAILED
        assert scene.record.phase == "promoted"
        scene.now += GRACE * 100
        assert scene.run(after=after).status == OutcomeStatus.FAILED
        assert scene.target.passwords == {f"{CANARY}-0", f"{CANARY}-1"}
        scene.now += LAST_PAUSE_SECONDS
        assert scene.run().until == scene.now + GRACE

    def test_the_text_of_a_bug_in_a_rotator_is_not_shown(self, scene):
        scene.target.fails["set"] = ValueError(f"bad {CANARY}")
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.FAILED
        assert outcome.error.message == "set failed: ValueError"

    def test_the_text_of_a_bug_in_a_store_is_not_shown(self, scene, monkeypatch):
        def read(_self):
            raise KeyError(CANARY)

        monkeypatch.setattr(MemoryRotationStore, "read", read)
        assert scene.run().error.message == "the rotation failed: KeyError"

    def test_a_hanging_target_times_out(self, scene):
        hangs = threading.Event()
        scene.target.fails["set"] = lambda: hangs.wait() and None
        try:
            outcome = scene.run(seconds=0.2)
            assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "set")
            assert "did not finish in time" in outcome.error.message
            # it may still be running: others wait as long as it may run
            assert scene.record.owner == "host:1"
            assert scene.record.error == "set: store-unavailable"
        finally:
            hangs.set()

    def test_the_old_credential_is_not_retired_when_the_new_one_no_longer_logs_in(self, scene):
        scene.run()
        scene.target.passwords.discard(f"{CANARY}-1")
        scene.now += GRACE
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.FAILED
        assert "the old one was not retired" in outcome.error.message
        assert f"{CANARY}-0" in scene.target.passwords

    def test_a_rotator_that_returns_the_current_value_is_refused(self, scene):
        scene.target.made = -1
        assert "that the secret already has" in scene.run().error.message

    def test_a_secret_without_the_rotated_field_is_refused(self, scene):
        scene.shelf.put({"host": "db"})
        assert scene.run().status == OutcomeStatus.REFUSED


class TestRejectedValue:
    def test_a_rejected_value_is_replaced_by_another(self, scene):
        rejected = []

        def policy():
            if scene.target.made == 1:
                rejected.append(1)
                return RejectedError("it is in a list of bad passwords")
            return None

        scene.target.fails["set"] = policy
        assert scene.run().status == OutcomeStatus.IN_GRACE
        assert len(rejected) == 3
        assert scene.password == f"{CANARY}-2"
        assert scene.record.attempt == 2
        scene.now += GRACE
        assert scene.run().status == OutcomeStatus.ROTATED
        assert scene.target.passwords == {f"{CANARY}-2"}

    @pytest.mark.parametrize("method", ["create", "set", "test"])
    def test_repeated_rejections_quarantine_the_rotation_and_leave_the_current_value(
        self, scene, method
    ):
        scene.target.fails[method] = RejectedError("never")
        outcome = scene.run()
        assert (outcome.status, outcome.changed, outcome.ok) == (
            OutcomeStatus.QUARANTINED,
            True,
            False,
        )
        assert scene.target.made == (0 if method == "create" else MAX_ATTEMPTS)
        assert scene.password == f"{CANARY}-0"
        assert scene.target.passwords == {f"{CANARY}-0"}
        assert scene.snapshot.pending == {}

    def test_a_quarantine_lasts_until_a_rotate_by_request(self, scene):
        scene.target.fails["set"] = RejectedError("never")
        scene.run()
        scene.target.fails.clear()
        scene.now += 100 * EVERY
        outcome = scene.run()
        assert (outcome.status, outcome.changed) == (OutcomeStatus.QUARANTINED, False)
        assert "refused the new value 3 times" in outcome.reason
        assert scene.run(Request.ROTATE).status == OutcomeStatus.IN_GRACE

    def test_a_rejection_in_other_steps_is_a_failure(self, scene):
        scene.target.fails["finish"] = RejectedError("no")
        assert scene.run().status == OutcomeStatus.FAILED
        scene.target.fails = {"prepare": RejectedError("no")}
        assert Scene.run(Scene()).status == OutcomeStatus.IN_GRACE


class TestRollback:
    def test_abort_before_the_promotion_drops_the_new_value(self, scene):
        scene.target.fails["test"] = UnavailableError("down")
        scene.run()
        outcome = scene.run(Request.ABORT)
        assert outcome.status == OutcomeStatus.ABORTED
        assert scene.target.passwords == {f"{CANARY}-0"}
        assert scene.shelf.version == 2  # from the rehearsal: no other process wrote
        assert scene.snapshot.pending == {}

    def test_rollback_in_the_grace_period_restores_the_old_value(self, scene):
        scene.run()
        outcome = scene.run(Request.ROLLBACK)
        assert outcome.status == OutcomeStatus.ROLLED_BACK
        assert scene.password == f"{CANARY}-0"
        assert scene.target.passwords == {f"{CANARY}-0"}
        assert scene.snapshot.pending == {}

    def test_a_rolled_back_rotation_is_not_due_at_once(self, scene):
        scene.run()
        scene.run(Request.ROLLBACK)
        assert scene.run().status == OutcomeStatus.NOT_DUE
        assert scene.record.last_rotated_at == 0.0
        scene.now += EVERY
        assert scene.run().promoted

    def test_rollback_to_a_value_that_no_longer_works_fails(self, scene):
        scene.run()
        scene.target.passwords.discard(f"{CANARY}-0")
        outcome = scene.run(Request.ROLLBACK)
        assert outcome.status == OutcomeStatus.FAILED
        assert "no longer logs in" in outcome.error.message
        assert scene.password == f"{CANARY}-1"

    def test_rollback_without_overlap_does_not_test_the_old_value_first(self, scene):
        scene.run(overlap=False)
        scene.target.passwords.discard(f"{CANARY}-0")
        assert scene.run(Request.ROLLBACK, overlap=False).status == OutcomeStatus.ROLLED_BACK

    def test_rollback_while_the_old_value_is_being_retired_is_refused(self, scene):
        scene.run()
        scene.target.fails["retire"] = UnavailableError("down")
        scene.now += GRACE
        scene.run()
        outcome = scene.run(Request.ROLLBACK)
        assert outcome.status == OutcomeStatus.REFUSED
        assert outcome.error.hint == "run: envkit rotate prod/db"

    def test_an_unfinished_rollback_is_finished_by_any_later_run(self, scene):
        scene.run()
        scene.target.fails["retire"] = UnavailableError("down")
        assert scene.run(Request.ROLLBACK).status == OutcomeStatus.FAILED
        scene.target.fails.clear()
        scene.now += EVERY
        assert scene.run().status == OutcomeStatus.ROLLED_BACK


class TestForeignWrites:
    def put(self, scene, password):
        scene.shelf.put({**scene.shelf.fields, "password": password})

    def test_a_foreign_change_before_the_promotion_is_preserved_and_reported(self, scene):
        scene.target.fails["test"] = UnavailableError("down")
        scene.run()
        self.put(scene, "theirs")
        scene.target.fails.clear()
        scene.now += EVERY
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.REFUSED
        assert "the secret was changed outside envkit" in outcome.error.message
        assert outcome.error.hint == "run: envkit rotate --abort prod/db"
        assert scene.password == "theirs"
        assert set(scene.snapshot.pending) == {"old", "new"}

    def test_a_foreign_change_at_the_moment_of_the_promotion_is_preserved(self, scene, monkeypatch):
        publish = MemoryRotationStore.publish

        def overtaken(store, seen, fields):
            monkeypatch.undo()
            self.put(scene, "theirs")
            return publish(store, seen, fields)

        monkeypatch.setattr(MemoryRotationStore, "publish", overtaken)
        assert scene.run().status == OutcomeStatus.REFUSED
        assert scene.password == "theirs"

    def test_abort_after_a_foreign_change_drops_our_value_and_preserves_the_foreign_one(
        self, scene
    ):
        scene.target.fails["test"] = UnavailableError("down")
        scene.run()
        self.put(scene, "theirs")
        assert scene.run(Request.ABORT).status == OutcomeStatus.ABORTED
        assert scene.password == "theirs"
        assert scene.target.passwords == {f"{CANARY}-0"}

    def test_abort_after_a_foreign_change_in_the_grace_period_drops_both_of_our_values(self, scene):
        scene.run()
        self.put(scene, "theirs")
        assert scene.run().status == OutcomeStatus.REFUSED
        assert scene.run(Request.ROLLBACK).status == OutcomeStatus.REFUSED
        scene.target.passwords.add("theirs")
        outcome = scene.run(Request.ABORT)
        assert (outcome.status, outcome.reason) == (
            OutcomeStatus.ABORTED,
            "the secret was changed outside envkit; the old and the new value no longer work",
        )
        assert scene.password == "theirs"
        assert scene.target.passwords == {"theirs"}

    def test_abort_preserves_our_values_when_the_foreign_one_does_not_log_in(self, scene):
        scene.run()
        both = set(scene.target.passwords)
        self.put(scene, "a typo")
        outcome = scene.run(Request.ABORT)
        assert outcome.status == OutcomeStatus.FAILED
        assert "does not log in; all three values" in outcome.error.message
        assert scene.target.passwords == both
        self.put(scene, f"{CANARY}-1")
        scene.now += GRACE
        assert scene.run().status == OutcomeStatus.ROTATED
        assert scene.target.passwords == {f"{CANARY}-1"}

    def test_abort_preserves_our_values_when_the_foreign_one_changes_meanwhile(
        self, scene, monkeypatch
    ):
        scene.run()
        both = set(scene.target.passwords)
        scene.target.passwords.add("theirs")
        self.put(scene, "theirs")
        save = MemoryRotationStore.save

        def overtaken(store, seen, record, pending):
            saved = save(store, seen, record, pending)
            if record.phase == "reverted":
                monkeypatch.undo()
                self.put(scene, "a typo")
                return store.read()
            return saved

        monkeypatch.setattr(MemoryRotationStore, "save", overtaken)
        assert scene.run(Request.ABORT).status == OutcomeStatus.FAILED
        assert scene.target.passwords == {*both, "theirs"}

    def test_an_old_value_that_was_restored_by_hand_is_not_retired(self, scene):
        scene.run()
        self.put(scene, f"{CANARY}-0")
        scene.now += GRACE * 2
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.REFUSED
        assert outcome.error.hint == "run: envkit rotate --rollback prod/db"
        assert scene.run(Request.ROLLBACK).status == OutcomeStatus.ROLLED_BACK
        assert scene.target.passwords == {f"{CANARY}-0"}

    def test_a_foreign_change_of_another_field_is_accepted(self, scene, monkeypatch):
        publish = MemoryRotationStore.publish

        def overtaken(store, seen, fields):
            monkeypatch.undo()
            scene.shelf.put({**scene.shelf.fields, "host": "db2"})
            publish(store, seen, fields)

        monkeypatch.setattr(MemoryRotationStore, "publish", overtaken)
        assert scene.run().status == OutcomeStatus.IN_GRACE
        assert scene.shelf.fields == {"password": f"{CANARY}-1", "host": "db2"}

    def test_a_deleted_secret_refuses_the_rotation_and_can_be_aborted(self, scene):
        scene.run()
        scene.shelf.put(None)
        assert scene.run().status == OutcomeStatus.REFUSED
        scene.run(Request.ABORT)
        assert scene.snapshot.pending == {}

    def test_a_failed_claim_starts_again_after_a_foreign_change(self, scene):
        def check():
            if scene.password != "theirs":
                self.put(scene, "theirs")
                scene.target.passwords = {"theirs"}
                raise UnavailableError("refused")

        outcome = scene.run(check=check)
        assert outcome.status == OutcomeStatus.IN_GRACE
        assert scene.snapshot.old["password"].reveal() == "theirs"

    def test_one_secret_under_two_rotation_names_is_refused(self, scene):
        scene.rotate()
        outcome = advance(
            scene.job()._replace(name="staging/db"), deadline=Deadline(60), clock=lambda: scene.now
        )
        assert outcome.status == OutcomeStatus.FAILED
        assert "prod/db" in outcome.error.message
        assert "staging/db" in outcome.error.message

    def test_a_changed_name_is_accepted_by_request(self, scene):
        def renamed(requested=""):
            job = scene.job()._replace(name="prod/database")
            return advance(job, deadline=Deadline(60), requested=requested, clock=lambda: scene.now)

        scene.run()
        assert renamed(Request.ROTATE).status == OutcomeStatus.FAILED, (
            "not while one is in progress"
        )
        scene.now += GRACE
        scene.run()
        refused = renamed()
        assert refused.status == OutcomeStatus.FAILED
        assert "'envkit rotate prod/database'" in refused.error.hint
        assert renamed(Request.ROTATE).status == OutcomeStatus.IN_GRACE
        assert scene.record.rotation == "prod/database"
        assert scene.run().status == OutcomeStatus.FAILED, "the old name is none any more"

    @pytest.mark.parametrize(
        ("broken", "requested", "status", "offered"),
        [
            ("test", Request.ABORT, OutcomeStatus.ABORTED, "abort"),
            ("test", Request.RESUME, OutcomeStatus.IN_GRACE, "abort"),
            (None, Request.ABORT, OutcomeStatus.REFUSED, "rollback"),
            (None, Request.ROLLBACK, OutcomeStatus.ROLLED_BACK, "rollback"),
            (None, Request.RESUME, OutcomeStatus.IN_GRACE, "rollback"),
        ],
    )
    def test_a_rotation_renamed_while_in_progress_is_ended_under_its_new_name(
        self, scene, broken, requested, status, offered
    ):
        def renamed(requested=None, **changed):
            job = scene.job()._replace(name="prod/database", **changed)
            return advance(job, deadline=Deadline(60), requested=requested, clock=lambda: scene.now)

        if broken:
            scene.target.fails[broken] = UnavailableError("down")
        scene.run()
        scene.target.fails.clear()
        refused = renamed()
        assert refused.status == OutcomeStatus.FAILED
        assert "'envkit rotate --resume prod/database'" in refused.error.hint
        assert f"'envkit rotate --{offered} prod/database'" in refused.error.hint
        if requested != Request.ABORT:
            other = renamed(requested, plan="another (alternate) of password")
            assert other.status == OutcomeStatus.FAILED
            assert scene.record.rotation == "prod/db", "another one may only be aborted"
        assert renamed(requested).status == status
        assert scene.record.rotation == "prod/database"
        scene.now += GRACE
        assert renamed().status in (OutcomeStatus.ROTATED, OutcomeStatus.NOT_DUE)

    def test_a_refused_rotation_has_no_owner(self, scene):
        """Otherwise the refusal would not be reported until our ownership expires."""

        def change():
            scene.shelf.put({**scene.shelf.fields, "password": "theirs"})

        scene.target.fails["test"] = change
        assert scene.run().status == OutcomeStatus.REFUSED
        assert (scene.record.owner, scene.record.busy_until) == ("", 0.0)

    def test_a_plan_that_changed_in_the_middle_fails_until_it_is_restored(self, scene):
        scene.run()
        outcome = scene.run(plan="something else")
        assert outcome.status == OutcomeStatus.FAILED
        assert "'passwords'" in outcome.error.message
        scene.now += GRACE
        assert scene.run().status == OutcomeStatus.ROTATED
        assert scene.run(plan="something else").status == OutcomeStatus.NOT_DUE


class TestConcurrency:
    def held(self, scene):
        scene.target.fails["set"] = UnavailableError("down")
        scene.run()
        scene.target.fails.clear()
        scene.change(owner="other:2", busy_until=scene.now + 60)

    @pytest.mark.parametrize("requested", ["", Request.ROTATE])
    def test_a_rotation_of_another_process_is_left_alone(self, scene, requested):
        self.held(scene)
        outcome = scene.run(requested)
        assert (outcome.status, outcome.until, outcome.ok) == (
            OutcomeStatus.BUSY,
            scene.now + 60,
            True,
        )
        assert "other:2" in outcome.reason

    def test_a_rotation_of_another_process_is_taken_over_when_its_time_is_over(self, scene):
        self.held(scene)
        scene.now += 60
        assert scene.run().status == OutcomeStatus.IN_GRACE
        assert "take-over" in scene.told

    def test_a_rotation_of_another_process_is_taken_over_by_resume(self, scene):
        self.held(scene)
        assert scene.run(Request.RESUME).status == OutcomeStatus.IN_GRACE

    def test_concurrent_requests_rotate_once(self, scene):
        """Eight concurrent requests cause one rotation."""
        scene.rotate()

        class Overtaken(MemoryRotationStore):
            def save(store, seen, record, pending):  # noqa: N805
                if not store.overtaken:
                    store.overtaken = True
                    scene.run(Request.ROTATE, grace_seconds=0.0)
                super().save(seen, record, pending)

            overtaken = False

        job = scene.job()._replace(store=Overtaken(scene.shelf, ("password",)))
        outcome = advance(
            job,
            deadline=Deadline(60),
            requested=Request.ROTATE,
            clock=lambda: scene.now,
            me="host:2",
        )
        assert outcome.status == OutcomeStatus.NOT_DUE
        assert scene.password == f"{CANARY}-2"

    def test_a_late_step_notices_that_another_process_owns_the_rotation(self, scene):
        scene.target.fails["set"] = lambda: scene.change(owner="other:2", busy_until=scene.now + 9)
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.BUSY
        assert scene.target.passwords == {f"{CANARY}-0"}

    def test_a_secret_that_keeps_changing_ends_the_run_with_a_conflict(self, scene, monkeypatch):
        def publish(store, seen, fields):
            raise ConflictError("it has changed")

        monkeypatch.setattr(MemoryRotationStore, "publish", publish)
        outcome = scene.run()
        assert outcome.status == OutcomeStatus.FAILED
        assert outcome.error.code == "conflict"

    def test_a_stopped_run_releases_the_rotation_between_two_steps(self, scene):
        outcome = scene.run(stopping=lambda: "set" in scene.told)
        assert (outcome.status, outcome.ok) == (OutcomeStatus.STOPPED, True)
        assert scene.record.phase == "set"
        assert scene.record.owner == ""
        assert scene.run().status == OutcomeStatus.IN_GRACE


def test_owner_names_are_unique():
    assert new_owner() != new_owner()


def test_a_clock_that_jumps_back_retires_nothing_early(scene):
    scene.run()
    scene.now -= 10 * EVERY
    assert scene.run().status == OutcomeStatus.IN_GRACE
    assert f"{CANARY}-0" in scene.target.passwords
    assert isinstance(scene.record, Record)


class TestProofs:
    """A rotation verifies its assumptions before, during and after a change."""

    def test_a_store_is_tested_with_a_write_before_the_target_is_touched(self, scene, monkeypatch):
        def refused(_self, _seen):
            raise WriteRefusedError("the file system is read-only")

        monkeypatch.setattr(MemoryRotationStore, "rehearse", refused)
        outcome = scene.run()
        assert outcome.error.message == "the file system is read-only"
        assert scene.target.calls == ["prepare"]
        assert scene.run(Request.ABORT).status == OutcomeStatus.ABORTED

    def test_abort_after_a_failed_promotion_needs_no_write_to_the_secret(self, scene, monkeypatch):
        def refused(_self, _seen, _fields):
            raise WriteRefusedError("the file system is read-only")

        monkeypatch.setattr(MemoryRotationStore, "publish", refused)
        assert scene.run().step == "promote"
        assert scene.run(Request.ABORT).status == OutcomeStatus.ABORTED
        assert scene.target.passwords == {f"{CANARY}-0"}

    @pytest.mark.parametrize("step", ["prepare", "create"])
    def test_a_claim_starts_again_from_a_value_that_was_changed_meanwhile(self, scene, step):
        def changed():
            scene.target.fails.clear()
            scene.target.passwords.add("theirs")
            scene.shelf.put({**scene.shelf.fields, "password": "theirs"})

        scene.target.fails[step] = changed
        if step == "create":  # the claim is saved, and its process was killed
            scene.target.fails["create"] = UnavailableError("down")
            scene.run()
            changed()
        assert scene.run(Request.RESUME if step == "create" else "").promoted
        assert scene.snapshot.old["password"].reveal() == "theirs"

    def test_a_retired_credential_that_still_works_fails_the_rotation(self, scene):
        scene.run()
        scene.now += GRACE
        kept = scene.target.retire
        scene.target.retire = lambda *_: None
        outcome = scene.run()
        assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "retire")
        assert outcome.error.message == "the credential that was retired still works"
        assert scene.record.phase == "retiring"
        scene.target.retire = kept
        assert scene.run(Request.ROTATE).status == OutcomeStatus.ROTATED
        assert scene.record.retired_at == scene.now

    def test_a_rotation_that_cannot_begin_is_recorded_and_retried_after_a_pause(self, scene):
        scene.target.fails["prepare"] = RotationError("a grant is missing")
        scene.run()
        assert (scene.record.tries, scene.record.error) == (1, "claim: rotation-failed")
        outcome = scene.run()
        assert (outcome.status, outcome.changed) == (OutcomeStatus.FAILED, False)
        scene.now = outcome.until
        scene.run()
        assert scene.record.tries == 2
        scene.target.fails.clear()
        assert scene.run(Request.ROTATE).promoted
        assert (scene.record.tries, scene.record.error) == (0, "")

    def test_no_record_is_saved_for_a_secret_without_a_value(self, scene):
        scene.shelf.put({"host": "db"})
        assert not scene.run().ok
        assert scene.shelf.envelope is None

    def test_a_rotator_gets_the_neighbouring_fields_that_it_names(self, scene):
        seen = []
        scene.target.looks_beside = ("host", "user")
        scene.target.prepare = lambda _confirm, current: seen.append(dict(current)) or {}
        scene.run()
        assert set(seen[0]) == {"password", "host"}
        assert set(scene.snapshot.old) == {"password"}

    def test_a_step_of_the_same_run_is_not_read_again(self, scene):
        read, reads = MemoryRotationStore.read, []
        scene.target.description = ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryRotationStore, "read", lambda one: reads.append(1) or read(one))
            scene.run()
        # one at first, and one for each look before a change of the target
        assert len(reads) == 1 + scene.target.calls.count("set")

    def test_a_value_that_another_run_tested_is_tested_again_before_the_promotion(self, scene):
        scene.run(stopping=lambda: "test" in scene.told)
        assert scene.record.phase == "tested"
        scene.target.passwords.discard(f"{CANARY}-1")  # a target that was restored, say
        outcome = scene.run(Request.RESUME)
        assert (outcome.status, outcome.step) == (OutcomeStatus.FAILED, "take-over")
        assert scene.password == f"{CANARY}-0"

    @pytest.mark.parametrize("readers_have", ["new", "old"])
    def test_another_run_retires_the_old_value_only_if_the_new_one_logs_in(
        self, scene, readers_have
    ):
        scene.run()
        scene.target.fails["retire"] = UnavailableError("down")
        scene.now += GRACE
        scene.run()
        assert scene.record.phase == "retiring"
        scene.target.fails.clear()
        scene.target.passwords.discard(f"{CANARY}-1")
        if readers_have == "old":
            scene.shelf.put({**scene.shelf.fields, "password": f"{CANARY}-0"})
        outcome = scene.run(Request.RESUME)
        assert outcome.status == OutcomeStatus.FAILED
        assert "the new credential no longer logs in" in outcome.error.message
        assert f"{CANARY}-0" in scene.target.passwords
        assert scene.password == f"{CANARY}-{1 if readers_have == 'new' else 0}"


class TestIdentity:
    def test_a_record_under_another_rotation_name_can_be_aborted(self, scene):
        scene.run(stopping=lambda: "set" in scene.told)
        assert len(scene.target.passwords) == 2
        scene.change(rotation="prod/before")
        refused = scene.run()
        assert "envkit rotate --abort prod/db" in refused.error.hint
        assert scene.run(Request.ABORT).status == OutcomeStatus.ABORTED
        assert scene.target.passwords == {f"{CANARY}-0"}

    PHASES = ("create", "set", "test")

    def stopped_at(self, scene, step):
        scene.target.fails[step] = UnavailableError("down")
        scene.run()
        scene.target.fails.clear()
        return {"plan": "passwords", "target": "digest-1"}

    def test_a_record_of_another_secret_is_refused(self, scene):
        scene.rotate()
        scene.change(secret="memory:another")
        for requested in ("", *Request):
            outcome = scene.run(requested)
            assert outcome.status == OutcomeStatus.FAILED
            assert "belongs to another secret, memory:another" in outcome.error.message

    @pytest.mark.parametrize("changed", [{"plan": "keys"}, {"target": "digest-2"}])
    @pytest.mark.parametrize("step", PHASES)
    def test_a_rotation_with_a_changed_plan_or_target_is_refused_and_can_be_aborted(
        self, scene, step, changed
    ):
        scene.target.fails[step] = UnavailableError("down")
        scene.run(target="digest-1")
        scene.target.fails.clear()
        for requested in ("", Request.ROTATE, Request.RESUME):
            outcome = scene.run(requested, **{"target": "digest-1", **changed})
            assert outcome.status == OutcomeStatus.FAILED
            assert "envkit rotate --abort prod/db" in outcome.error.hint
        outcome = scene.run(Request.ABORT, **{"target": "digest-1", **changed})
        assert outcome.status == OutcomeStatus.ABORTED
        assert ("fake:1" in outcome.reason) == (step != "create")
        assert (scene.record.phase, scene.snapshot.pending) == ("idle", {})
        assert scene.password == f"{CANARY}-0"

    @pytest.mark.parametrize("step", PHASES)
    def test_a_target_that_now_means_another_server_is_refused_and_can_be_aborted(
        self, scene, step
    ):
        scene.target.fails[step] = UnavailableError("down")
        scene.run()
        scene.target.fails.clear()
        scene.target.description = "fake:2"
        outcome = scene.run(Request.RESUME)
        assert "started at fake:1, but the profile now names fake:2" in outcome.error.message
        assert scene.run(Request.ABORT).status == OutcomeStatus.ABORTED
        assert scene.record.phase == "idle"

    def test_a_promoted_rotation_ends_only_at_its_old_target(self, scene):
        scene.run(target="digest-1")
        scene.now += GRACE
        for requested in ("", Request.RESUME, Request.ROLLBACK, Request.ABORT):
            outcome = scene.run(requested, target="digest-2")
            assert not outcome.ok
            assert "--abort" not in (outcome.error.hint or "")
        assert scene.run(target="digest-1").status == OutcomeStatus.ROTATED

    def test_a_finished_rotation_may_have_another_target(self, scene):
        scene.rotate()
        scene.change(issued=("hash",), target="digest-1")
        assert scene.run(Request.ROTATE, target="digest-2").promoted
        assert "hash" not in scene.record.issued, "it is one of another target"


class TestCompromised:
    def test_compromised_rotates_and_retires_at_once(self, scene):
        scene.rotate()
        outcome = scene.run(Request.COMPROMISED)
        assert outcome.status == OutcomeStatus.ROTATED
        assert scene.target.given["end_sessions"]
        assert scene.target.passwords == {f"{CANARY}-2"}

    def test_compromised_in_a_grace_period_replaces_the_new_value_too(self, scene):
        scene.run()
        outcome = scene.run(Request.COMPROMISED)
        assert outcome.status == OutcomeStatus.ROTATED
        assert scene.password == f"{CANARY}-2"
        assert scene.target.passwords == {f"{CANARY}-2"}

    @pytest.mark.parametrize("step", ["create", "set", "test"])
    def test_compromised_finishes_an_unfinished_rotation_without_a_grace_period(self, scene, step):
        scene.target.fails[step] = UnavailableError("down")
        scene.run()
        scene.target.fails.clear()
        assert scene.run(Request.COMPROMISED).status == OutcomeStatus.ROTATED
        assert scene.target.passwords == {scene.password}
        assert f"{CANARY}-0" not in scene.target.passwords

    def test_a_later_run_finishes_a_compromised_rotation_without_a_grace_period(self, scene):
        scene.target.fails["test"] = UnavailableError("down")
        scene.run(Request.COMPROMISED)
        scene.target.fails.clear()
        scene.now += EVERY
        assert scene.run().status == OutcomeStatus.ROTATED
        assert scene.target.given["end_sessions"]

    def test_the_rotation_after_a_compromised_one_has_its_grace_period(self, scene):
        scene.run(Request.COMPROMISED)
        assert scene.run(Request.ROTATE).status == OutcomeStatus.IN_GRACE
        assert not scene.target.given["end_sessions"]
