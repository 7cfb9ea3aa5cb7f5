"""After any kill and with any concurrency, readers log in and nothing is left behind.

Processes are stopped before and after each operation on the store and the target, killed
there or overtaken by others, while time passes, people ask for things and the target fails.
After every operation, a reader logs in with the value in the store.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.errors import RotationError
from envkit.rotation import looking, machine, steps
from envkit.rotation.machine import Request, StepKind
from envkit.rotation_state.retirement import RetireWhen
from support.fake_targets import TARGETS, Additive, Alternate, WithoutLock
from support.rotation_world import (
    EVERY_SECONDS,
    EXTRA_SECONDS,
    GRACE_SECONDS,
    LONG_SECONDS,
    QUIET_SECONDS,
    World,
    after_grace,
    fresh,
    in_grace,
    overtake,
    overtake_everywhere,
    rejected_or_failed,
    waiting,
)

METHODS = ("prepare", "create", "set", "test", "finish", "retire", "in_use")

PLACES = (
    *("read secret", "save", "save done", "publish", "publish done", "rehearse"),
    *("create", "create done", "set", "set done", "test", "probe", "finish"),
    *("retire", "retire done", "look"),
)
WHO = st.integers(0, 2)
EVENTS = st.one_of(
    st.tuples(
        st.just("start"),
        WHO,
        st.sampled_from(("", Request.ROTATE, Request.ROLLBACK, Request.ABORT, Request.RESUME)),
    ),
    st.tuples(st.just("until"), WHO, st.sampled_from(PLACES)),
    st.tuples(st.just("until"), WHO, st.sampled_from(PLACES)),
    st.tuples(st.just("go on"), WHO, st.integers(1, 4)),
    st.tuples(st.just("kill"), WHO, st.just(0)),
    st.tuples(st.just("time"), WHO, st.sampled_from((1, GRACE_SECONDS, LONG_SECONDS))),
    st.tuples(st.just("touch"), WHO, st.just(0)),
    st.tuples(st.just("fail"), WHO, st.sampled_from(METHODS)),
)


def play(world, events):
    """Run the events; when a process has ended, another takes over."""
    processes = [world.process() for _ in range(3)]
    for what, which, how in events:
        process = processes[which]
        if what == "start":
            process.kill()
            processes[which] = world.process(how)
        elif what in ("until", "go on"):
            if process.ended:
                process = processes[which] = world.process(
                    Request.RESUME if world.in_progress else ""
                )
            process.go_on()
            if what == "go on":
                for _ in range(how):
                    process.go_on()
            else:
                process.go_on_until(how)
        elif what == "kill":
            process.kill()
        elif what == "time":
            world.now += how
        elif what == "touch":
            world.touch()
        elif what == "fail":
            world.target.refuses[how] = rejected_or_failed(which)
    for process in processes:
        process.kill()


@pytest.mark.parametrize("kind", TARGETS)
@given(events=st.lists(EVENTS, min_size=5, max_size=80))
@settings(max_examples=100)
def test_readers_log_in_and_nothing_is_left_behind(kind, events):
    world = World(kind)
    play(world, events)
    world.come_to_rest()


def test_a_claim_starts_again_from_the_value_that_is_stored_by_then():
    """A process reads the secret, and the record only after another process has rotated."""
    world = World(Additive)
    events = [
        *(("until", 0, "publish"), ("until", 1, "read secret"), ("until", 0, "publish")),
        *(("time", 0, LONG_SECONDS), ("until", 0, "publish"), ("until", 1, "read secret")),
    ]
    play(world, events)
    world.come_to_rest()


def test_a_password_that_was_added_too_late_is_removed():
    """A process is paused before its change; others finish and rotate again."""
    world = World(WithoutLock)
    slow = world.process()
    slow.go_on_until("add")
    for _ in range(2):
        world.now += LONG_SECONDS
        world.run(Request.RESUME if world.in_progress else Request.ROTATE)
        world.come_to_rest()
    slow.finish()
    assert world.target.passwords == {world.current["password"]}


def test_a_password_of_a_process_killed_after_adding_it_is_removed_by_the_next_rotation():
    world = World(WithoutLock)
    slow = world.process()
    slow.go_on_until("add")
    world.now += LONG_SECONDS
    world.run(Request.RESUME)
    world.come_to_rest()
    world.run(Request.ROTATE)
    world.come_to_rest()
    slow.go_on_until("added")
    slow.kill()
    assert len(world.target.passwords) == 2
    world.run(Request.ROTATE)
    world.come_to_rest()
    assert world.target.passwords == {world.current["password"]}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("requested", ["", Request.ROLLBACK, Request.ABORT])
def test_a_rotation_survives_a_kill_at_every_operation(kind, requested):
    """One process is killed at its first operation, the next at its second, and so on."""
    number = 0
    while True:
        number += 1
        world = World(kind)
        process = world.process()
        for _ in range(number):
            process.go_on()
        if process.ended:
            break
        process.kill()
        if requested:
            world.run(requested)
        world.come_to_rest()
    assert number > 15


@pytest.mark.parametrize("kind", TARGETS)
def test_a_rollback_survives_a_kill_at_every_operation(kind):
    number = 0
    while True:
        number += 1
        world = in_grace(kind)
        process = world.process(Request.ROLLBACK)
        for _ in range(number):
            process.go_on()
        if process.ended:
            assert world.current == world.target.start
            break
        process.kill()
        world.come_to_rest()
    assert number > 5


@pytest.mark.parametrize("kind", TARGETS)
def test_a_rotation_runs_from_the_first_step_to_the_last(kind):
    world = World(kind)
    before = world.current
    outcomes = []
    while not outcomes or outcomes[-1].status != "rotated":
        outcomes.append(world.run())
        world.now = max(world.now, outcomes[-1].until)
    assert {outcome.status for outcome in outcomes} - {"waiting"} == {"in-grace", "rotated"}
    assert sum(outcome.promoted for outcome in outcomes) == 1
    assert world.current != before
    world.check_at_rest()
    assert world.run().status == "not-due"
    world.now += EVERY_SECONDS
    assert world.run().changed


@pytest.mark.parametrize("kind", TARGETS)
@given(
    prelude=st.sampled_from((fresh, in_grace, after_grace)),
    first=st.sampled_from(("", Request.ROLLBACK, Request.ABORT)),
    second=st.sampled_from((Request.ROLLBACK, Request.ABORT, Request.RESUME)),
    done=st.integers(1, 36),
    overtaken_for=st.integers(1, 36),
)
@settings(max_examples=100)
def test_a_rotation_survives_being_overtaken_by_another(
    kind, prelude, first, second, done, overtaken_for
):
    """A process is paused at some operation while another works, then both continue."""
    overtake(prelude(kind), first, second, done, overtaken_for)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_rotation_survives_being_overtaken_anywhere_by_an_abort(kind):
    """The first is paused at every operation, the other stops after every operation."""
    assert overtake_everywhere(kind, fresh, "", Request.ABORT) > 150


def retired(world):
    """Whether an old credential was, or is being, retired after a rotation."""
    return world.record.get("phase") == "retiring" or world.record.get("last_rotated_at")


class TestOldCredentialInUse:
    @pytest.mark.parametrize("kind", [Alternate, WithoutLock])
    @given(events=st.lists(EVENTS, min_size=5, max_size=60))
    @settings(max_examples=100)
    def test_an_old_credential_is_not_retired_while_it_has_a_session(self, kind, events):
        world = waiting(kind)
        play(world, events)
        assert not retired(world)
        world.target.sessions.clear()
        world.come_to_rest()

    @pytest.mark.parametrize("kind", TARGETS)
    def test_a_kill_at_any_operation_does_not_retire_an_old_credential_in_use(self, kind):
        number, ended = 0, False
        while not ended:
            number += 1
            world = waiting(kind)
            in_grace(world)
            world.now = world.record["retire_at"] + 1
            process = world.process()
            for _ in range(number):
                process.go_on()
            ended = process.ended
            process.kill()
            assert not retired(world)
            world.target.sessions.clear()
            world.now += QUIET_SECONDS
            world.come_to_rest()
        assert process.outcome.status == "in-use"

    @pytest.mark.parametrize("requested", ["", Request.RETIRE])
    @pytest.mark.parametrize("kind", [Alternate, WithoutLock])
    def test_a_look_does_not_disturb_a_process_that_retires(self, kind, requested):
        """One process looks and is paused anywhere, another retires at the limit or by request."""
        number, ended = 0, False
        while not ended:
            number += 1
            world = in_grace(waiting(kind, RetireWhen.LIMIT))
            world.now = world.record["retire_at"] + 1
            slow = world.process()
            for _ in range(number):
                slow.go_on()
            ended = slow.ended
            world.now += 0 if requested else EXTRA_SECONDS
            assert world.run(requested).status == "rotated"
            slow.finish()
            world.check_at_rest()
        assert number > 3

    @pytest.mark.parametrize("kind", [Alternate, WithoutLock])
    def test_a_kill_between_a_look_and_the_retirement_loses_nothing(self, kind):
        number, ended = 0, False
        while not ended:
            number += 1
            world = in_grace(waiting(kind, RetireWhen.LIMIT))
            world.now = world.record["retire_at"] + EXTRA_SECONDS
            process = world.process()
            for _ in range(number):
                process.go_on()
            ended = process.ended
            process.kill()
            world.come_to_rest()
        assert process.outcome.status == "rotated"


class TestBrokenMachine:
    """The same harness with a faulty machine."""

    def broken(self, kind, **options):
        world = World(kind, **options)
        for _ in range(10):
            world.now = max(world.now + 1, world.run().until)

    def test_this_harness_detects_a_value_that_is_promoted_before_it_is_set(self, monkeypatch):
        promote = machine.Decision(StepKind.PROMOTE, "too early")
        monkeypatch.setitem(machine._FORWARD, "staged", lambda record, seen: promote)
        with pytest.raises(AssertionError, match="no reader can log in"):
            self.broken(Additive)

    def test_this_harness_detects_an_old_value_that_is_retired_before_the_promotion(
        self, monkeypatch
    ):
        def retire_at_once(step):
            step.rotator.retire(step.seen.old, step.seen.new, step.record.facts)
            return step.seen

        monkeypatch.setitem(steps._ACTS, StepKind.PROMOTE, retire_at_once)
        with pytest.raises(AssertionError, match="no reader can log in"):
            self.broken(Alternate)

    def test_this_harness_detects_a_rollback_that_does_not_fence_a_promotion(self, monkeypatch):
        monkeypatch.setitem(steps._ACTS, StepKind.RESTORE, steps._note_reverted)
        world = World(Additive)
        slow = world.process()
        slow.go_on_until("publish")
        back = world.process(Request.ABORT)
        back.go_on_until("retire done")
        with pytest.raises(AssertionError, match="no reader can log in"):
            slow.finish()

    def test_this_harness_detects_a_failed_look_that_counts_as_unused(self, monkeypatch):
        monkeypatch.setattr(
            looking,
            "after_failure",
            lambda before, _error, now, *_: before._replace(looked_at=now, tried_at=now),
        )
        world = in_grace(waiting(Alternate))
        world.target.fails["in_use"] = RotationError("denied")
        world.now = world.record["retire_at"] + LONG_SECONDS
        world.run()
        assert retired(world)
