"""What a watcher does next, in a simulated world."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from envkit.errors import UnavailableError
from envkit.resident import decide as core
from envkit.resident.decide import Announce, Look, Read, Renew, Wait
from envkit.resident.state import (
    Announced,
    Began,
    Ended,
    Leased,
    LookBegun,
    Looked,
    Poked,
    Prepared,
    Problem,
    ReadBegun,
    ReadRefused,
    ReadValid,
    RenewBegun,
    RenewEnded,
    Settings,
)
from tests.unit.resident.simulated import BAD, LOOK_SECONDS, READ_SECONDS, SETTINGS, Core, World

# a token that differs is seen after a poll and a look; the read waits for the debounce or the
# interval, and perhaps for one that is in progress, and for a change that it missed
NOTICED_SECONDS = 1.1 * max(SETTINGS.polls.values()) + LOOK_SECONDS
IN_TIME_SECONDS = NOTICED_SECONDS + 2 * (SETTINGS.longest_debounce_seconds + READ_SECONDS)
# after an outage, or an invalid environment, it waits for the longest of the pauses
AT_LAST_SECONDS = IN_TIME_SECONDS + 300

sources = st.sampled_from(sorted(SETTINGS.polls))


def machine(used: Core) -> type[RuleBasedStateMachine]:
    """Return a machine in which anything can happen to a watcher with this core."""

    class Machine(RuleBasedStateMachine):
        @initialize(spread=st.sampled_from([-1.0, 0.0, 1.0]), early=st.booleans())
        def begin(self, spread, early):
            self.world = World(used, spread=spread, early=early)
            self.calm = True  # nothing has failed yet

        @rule(name=sources, value=st.sampled_from([0, 1, 2, 3]))
        def write(self, name, value):
            self.world.write(name, value)

        @rule(name=sources)
        def write_what_is_not_valid(self, name):
            self.world.write(name, BAD)
            self.calm = False

        @rule(name=sources)
        def break_a_store(self, name):
            self.world.down.add(name)
            self.calm = False

        @rule(name=sources)
        def repair_a_store(self, name):
            self.world.down.discard(name)

        @rule(refusing=st.booleans())
        def refuse_reads(self, refusing):
            self.world.refusing = refusing
            self.calm = False

        @rule()
        def poke(self):
            self.world.poke()

        @rule(seconds=st.sampled_from([0.1, 0.9, 2.5, 4.0, 20.0, 200.0]))
        def wait(self, seconds):
            self.world.advance(seconds)

        @rule(name=sources, value=st.sampled_from([4, 5]))
        def change_for_good(self, name, value):
            if self.calm:
                self.world.write(name, value)
                self.world.settle(IN_TIME_SECONDS)

        @invariant()
        def nothing_is_broken(self):
            if hasattr(self, "world"):
                self.world.check()

        def teardown(self):
            if not hasattr(self, "world") or self.world.broken:
                return
            self.world.down.clear()
            self.world.refusing = False
            for name, value in self.world.values.items():
                self.world.write(name, max(value, 0))
            self.world.settle(AT_LAST_SECONDS)
            self.world.check()
            last = {one.source: one for one in self.world.notices}
            for one in last.values():
                self.world.require(isinstance(one, Ended), "the end of an outage was not told")

    return Machine


def run(used: Core, examples: int, *, same: bool = False) -> None:
    run_state_machine_as_test(
        machine(used),
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=same,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )


def test_the_core_holds_what_it_promises_whatever_happens():
    run(Core(), 100)


def polling(seconds):
    return SETTINGS._replace(polls=dict.fromkeys(SETTINGS.polls, seconds))


def announcing_everything(state, rules, event, now):
    if isinstance(event, ReadRefused):
        event = ReadValid(changed=True)
    return core.after(state, rules, event, now)


def comparing_with_the_tokens_after_the_read(state, rules, event, now):
    if isinstance(event, ReadValid):
        state = state._replace(reading=state.tokens())
    return core.after(state, rules, event, now)


def forgetting_failures(state, rules, event, now):
    after, notices = core.after(state, rules, event, now)
    kept = {name: one._replace(failures=0) for name, one in after.sources.items()}
    return after._replace(sources=kept), notices


def telling_nothing_of_an_end(state, rules, event, now):
    after, notices = core.after(state, rules, event, now)
    return after, [one for one in notices if isinstance(one, Began)]


def obeying_every_poke(state, rules, event, now):
    after, notices = core.after(state, rules, event, now)
    if isinstance(event, Poked):
        due = {name: one._replace(next_look=now) for name, one in after.sources.items()}
        after = after._replace(sources=due)
    return after, notices


def giving_up_after_a_failure(state, rules, event, now):
    after, notices = core.after(state, rules, event, now)
    if isinstance(event, ReadRefused):
        after = after._replace(retry_at=float("inf"))
    return after, notices


def reading_again_at_once(state, rules, event, now):
    after, notices = core.after(state, rules, event, now)
    if isinstance(event, ReadRefused):
        after = after._replace(retry_at=now)
    return after, notices


def waiting_for_quiet_alone(state, rules, now):
    patient = state._replace(changed_at=state.changed_at and state.last_change)
    return core.decide(patient, rules, now)


MUTANTS = {
    "read within the debounce": Core(settings=SETTINGS._replace(debounce_seconds=0.0)),
    "announced too soon": Core(settings=SETTINGS._replace(min_interval_seconds=0.0)),
    "vault was asked too often": Core(settings=polling(2.0)),
    "a change was not announced": Core(settings=polling(400.0)),
    "announced without": Core(after=announcing_everything),
    "told twice|was not told": Core(after=forgetting_failures),
    "the end of an outage was not told": Core(after=telling_nothing_of_an_end),
    "was asked too often": Core(after=obeying_every_poke),
}


@pytest.mark.parametrize("complaint", MUTANTS)
def test_the_properties_fail_for_a_core_that_breaks_a_promise(complaint):
    with pytest.raises(AssertionError, match=complaint):
        run(MUTANTS[complaint], 400, same=True)


def test_a_change_that_never_stops_is_read_after_the_hard_maximum():
    def seconds(used):
        world = World(used)
        world.settle(200.0)
        begun, reads = world.now, len(world.reads)
        for value in range(40):
            world.write("files", value + 1)
            world.advance(1.0)
            if len(world.reads) > reads:
                return world.reads[-1] - begun
        return None

    longest = SETTINGS.longest_debounce_seconds + SETTINGS.polls["files"]
    assert seconds(Core()) <= longest
    assert seconds(Core(decide=waiting_for_quiet_alone)) is None


def change_during_a_read(used):
    world = World(used, spread=-0.5, early=True)
    world.settle(200.0)
    world.write("files", 1)
    while world.state.reading is None:
        world.advance(0.1)
    world.write("files", 2)
    world.settle(20.0)


def test_a_change_during_a_read_is_not_missed():
    change_during_a_read(Core())
    with pytest.raises(AssertionError, match="was not announced"):
        change_during_a_read(Core(after=comparing_with_the_tokens_after_the_read))


def reads_that_fail_in_ten_minutes(used):
    world = World(used)
    world.settle(200.0)
    before = len(world.reads)
    world.refusing = True
    world.write("files", 1)
    world.advance(600.0)
    reads = len(world.reads) - before
    world.refusing = False
    world.settle(300.0)
    world.check()
    return reads


def test_a_read_that_fails_is_repeated_after_longer_and_longer_pauses():
    assert 5 <= reads_that_fail_in_ten_minutes(Core()) <= 10
    with pytest.raises(AssertionError, match="was not announced"):
        reads_that_fail_in_ten_minutes(Core(after=giving_up_after_a_failure))
    with pytest.raises(AssertionError, match="read too often"):
        reads_that_fail_in_ten_minutes(Core(after=reading_again_at_once))


def test_a_hundred_changes_in_a_second_are_announced_once():
    world = World()
    world.advance(10.0)
    for value in range(100):
        world.write("files", value + 1)
        world.advance(0.01)
    world.settle(30.0)
    assert len(world.announced) == 2


def test_a_change_that_is_undone_before_the_read_is_neither_read_nor_announced():
    world = World()
    world.settle(200.0)
    reads = len(world.reads)
    world.write("files", 1)
    world.advance(1.5)
    assert world.state.differs
    world.undo("files", 0)
    world.settle(200.0)
    assert len(world.reads) == reads
    assert len(world.announced) == 1


def test_an_hour_without_a_store_is_told_once_and_changes_nothing():
    world = World()
    world.settle(200.0)
    reads = len(world.reads)
    world.down.add("vault")
    world.advance(3600.0)
    world.down.clear()
    world.settle(AT_LAST_SECONDS)
    assert [type(one) for one in world.notices] == [Began, Ended]
    assert len(world.reads) == reads
    assert len(world.announced) == 1


def test_a_store_that_fails_is_asked_less_and_less_often():
    world = World(spread=1.0)
    world.down.add("vault")
    world.advance(3600.0)
    assert len(world.looks["vault"]) < 3600 / (30 * SETTINGS.polls["vault"]) + 6


def test_an_unknown_base_is_compared_by_one_read():
    world = World()
    world.settle(200.0)
    assert len(world.reads) == 2  # `vault` and `aws` are first seen at different times
    assert len(world.announced) == 1


def test_a_source_that_the_profiles_name_from_now_on_is_compared_once():
    world = World()
    world.settle(200.0)
    reads = len(world.reads)
    more = SETTINGS._replace(polls={**SETTINGS.polls, "other": 5.0})
    world.state, _ = core.after(world.state, more, Prepared(), world.now)
    assert world.state.sources.keys() == more.polls.keys()
    fewer = SETTINGS._replace(polls={"files": 1.0})
    world.state, _ = core.after(world.state, fewer, Prepared(), world.now)
    assert world.state.sources.keys() == {"files"}
    assert len(world.reads) == reads


# ---------------------------------------------------------------- leases

LEASING = Settings({"vault": 60.0})


class Leases:
    """A store with one dynamic secret, and a watcher of it, on a clock that does not wait.

    Args:
        ttl, most: the seconds of a lease, and of all its renewals together.
        spread: what the watcher and the store draw as a random number.

    Attributes:
        lives: the time until which each secret that was read works.
    """

    def __init__(self, ttl, most, spread=0.0):
        self.ttl, self.most, self.spread = ttl, most, spread
        self.now, self.is_up = 0.0, True
        self.state = core.watching(LEASING, {}, 0.0)
        self.lives, self.begun, self.renewals = [], [], 0
        self.doing = None
        self.read()

    def read(self):
        self.begun.append(self.now)
        self.lives.append(self.now)
        self.grant()

    def grant(self):
        """Do what `life` does: renew at two thirds, replace the last one at half."""
        granted = min(self.ttl, self.begun[-1] + self.most - self.now)
        self.lives[-1] = self.now + granted
        share = 1 + 0.1 * self.spread
        if granted > 0.9 * self.ttl:
            self.happen(Leased("vault", renew_at=self.now + granted * 2 / 3 * share))
        else:
            self.happen(Leased("vault", replace_at=self.now + granted / 2 * share))

    def happen(self, event):
        self.state, _ = core.after(self.state, LEASING, event, self.now)

    def advance(self, seconds):
        end = self.now + seconds
        while True:
            until = self.act()
            times = [end, until] + ([self.doing[0]] if self.doing else [])
            self.now = min(times)
            if self.doing and self.doing[0] <= self.now:
                self.finish()
            elif self.now >= end:
                return

    def act(self):
        while True:
            match core.decide(self.state, LEASING, self.now):
                case Look(names):
                    self.happen(LookBegun(dict.fromkeys(names, self.spread)))
                    for name in names:
                        error = None if self.is_up else UnavailableError("down")
                        known = {"ref": len(self.lives)}
                        self.happen(Looked(name, {} if error else known, error, self.spread))
                case (Renew() | Read()) as action:
                    assert self.doing is None, "a read and a renewal at once"
                    is_read = isinstance(action, Read)
                    self.happen(ReadBegun() if is_read else RenewBegun(action.sources))
                    self.doing = (self.now + READ_SECONDS, is_read)
                case Announce():
                    self.happen(Announced())
                case Wait(until):
                    return until

    def finish(self):
        (_, is_read), self.doing = self.doing, None
        replaces = self.state.must_replace(self.now)
        if self.is_up and is_read:
            if replaces:
                self.read()
            self.happen(ReadValid(changed=replaces))
        elif is_read:
            self.happen(ReadRefused(Problem.FAILED, UnavailableError("down"), self.spread))
        elif self.is_up:
            self.renewals += 1
            if self.lives[-1] > self.now:
                self.grant()
            else:
                self.happen(Leased("vault", replace_at=self.now))
        self.happen(RenewEnded("vault", self.spread))

    @property
    def works(self):
        return self.lives[-1] > self.now


@given(st.floats(40, 4000), st.floats(1, 40), st.floats(-1, 1))
def test_while_the_store_answers_no_lease_ends_and_each_is_used_for_most_of_its_time(
    ttl, times, spread
):
    world = Leases(ttl, ttl * times, spread)
    for _ in range(40):
        world.advance(ttl / 7)
        assert world.works
    assert len(world.lives) <= 1 + world.now / (0.4 * ttl * min(times, 2))


@given(st.floats(40, 400), st.floats(1, 4000), st.floats(-1, 1))
def test_after_an_outage_there_is_a_lease_again_as_soon_as_the_store_answers_a_look(
    ttl, outage, spread
):
    world = Leases(ttl, 10 * ttl, spread)
    world.advance(ttl / 2)
    world.is_up = False
    world.advance(outage)
    world.is_up = True
    world.advance(1.1 * core.LONGEST_POLL_SECONDS + 2 * READ_SECONDS + LEASING.debounce_seconds)
    assert world.works


def test_renewals_that_fail_come_after_longer_and_longer_pauses():
    world = Leases(600.0, 6000.0)
    world.is_up = False
    begun = []
    while world.now < 3600:
        world.advance(1.0)
        if world.doing and not world.doing[1]:
            begun.append(world.now)
    pauses = [b - a for a, b in pairwise(begun) if b - a > 2]
    assert pauses[0] < 10
    assert all(later > earlier / 2 for earlier, later in pairwise(pauses))
    assert len(pauses) < 30


def test_a_source_that_cannot_replace_a_secret_is_not_read_again_at_once():
    world = Leases(600.0, 600.0)
    world.happen(Leased("vault", replace_at=0.0))
    quick = LEASING._replace(debounce_seconds=0.0, min_interval_seconds=0.0)
    assert core.decide(world.state, quick, 0.0) == Read()
    state, _ = core.after(world.state, quick, ReadBegun(), 9.0)
    state, _ = core.after(state, quick, ReadValid(changed=False), 9.0)
    assert state.leases["vault"].replace_at == 9.0 + LEASING.polls["vault"]


def test_the_leases_of_a_source_that_is_gone_are_forgotten():
    world = Leases(600.0, 600.0)
    fewer = LEASING._replace(polls={"files": 1.0})
    state, _ = core.after(world.state, fewer, Prepared(), 1.0)
    assert state.leases == {}
