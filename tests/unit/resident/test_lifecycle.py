"""The life of a supervised app, in a simulated world: what always holds, whatever happens."""

from typing import NamedTuple

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.resident import lifecycle
from envkit.resident.lifecycle import (
    GIVE_UP_SECONDS,
    REPEAT_SECONDS,
    Action,
    Changed,
    Do,
    Exited,
    Gone,
    Phase,
    Ran,
    Settings,
    Signalled,
    Started,
    State,
    Tick,
    next_time,
)

TERM, INT, HUP = 15, 2, 1
CRASHED = 9 << 8  # exit status 9


class Behaviour(NamedTuple):
    """How an app takes a stop signal: its end and that of its children, in seconds; None: never."""

    main: float | None
    rest: float | None
    killable: bool = True


class Input(NamedTuple):
    """What happens from outside, after a pause."""

    pause: float
    what: Changed | Signalled | str


seconds = st.floats(0, 20, allow_nan=False).map(lambda value: round(value, 2))
inputs = st.lists(
    st.builds(
        Input,
        seconds,
        st.sampled_from(
            [
                Changed(),
                Changed(3.0),
                Signalled(HUP),
                Signalled(INT),
                Signalled(TERM, ends=True),
                Signalled(TERM, ends=True, reached=True),
                "exits",
            ]
        ),
    ),
    max_size=12,
)
behaviours = st.builds(
    Behaviour, st.none() | seconds, st.none() | seconds, st.sampled_from([True, True, False])
)
settings_of = st.builds(
    Settings,
    on_change=st.sampled_from([Do.STOP, Do.STOP, Do.TELL, Do.RELOAD, Do.RUN]),
    stop_timeout_seconds=st.sampled_from([0.0, 1.0, 10.0]),
    min_interval_seconds=st.sampled_from([0.0, 5.0]),
)


class World:
    """An app, a clock, and a supervisor that does what `advance` says; checks each action."""

    def __init__(self, settings, behaviour, advance=lifecycle.advance):
        self.settings, self.behaviour, self.advance = settings, behaviour, advance
        self.now, self.state = 100.0, State()
        self.starts, self.changes, self.log, self.ended = [], [], [], None
        self.main_ends = self.rest_ends = self.runs_until = None
        self.has_main = self.has_rest = False
        self.asked = []
        self.do(Action(Do.START))

    def happen(self, event):
        self.state, actions = self.advance(self.state, event, self.now, self.settings)
        for action in actions:
            self.do(action)

    def do(self, action):
        self.log.append((self.now, action.do))
        assert self.ended is None, "something is done after the end"
        if action.do is Do.START:
            assert not self.has_main, "the previous app runs"
            assert not self.has_rest, "something of the previous app remains"
            assert not self.asked, "an app is started after a signal that ends envkit"
            if self.starts:
                pause = self.now - self.starts[-1]
                assert pause >= self.settings.min_interval_seconds - 1e-6, "too early"
            self.starts.append(self.now)
            self.has_main = self.has_rest = True
            self.main_ends = self.rest_ends = None
            self.happen(Started())
        elif action.do is Do.STOP or (action.do is Do.SEND and action.number == TERM):
            self.told()
        elif action.do is Do.STOP_REST and self.behaviour.rest is not None and self.has_rest:
            self.rest_ends = self.rest_ends or self.now + self.behaviour.rest
        elif action.do is Do.KILL and self.behaviour.killable:
            self.main_ends = self.rest_ends = self.now
        elif action.do is Do.RUN:
            assert self.runs_until is None, "two commands run"
            self.runs_until = self.now + 2
        elif action.do is Do.END:
            self.ended = action

    def told(self):
        if self.behaviour.main is not None and self.has_main and self.main_ends is None:
            self.main_ends = self.now + self.behaviour.main
        if self.behaviour.rest is not None and self.has_rest and self.rest_ends is None:
            self.rest_ends = self.now + self.behaviour.rest

    def until(self, end):
        """Let time pass."""
        while self.ended is None:
            times = [next_time(self.state), self.main_ends, self.rest_ends, self.runs_until]
            at = min((time for time in times if time is not None), default=float("inf"))
            if at > end:
                break
            assert at > self.now - 60, "a timer of the past"
            self.now = max(self.now, at)
            before = len(self.log), self.has_main, self.has_rest, self.state
            self.ends()
            if self.ended is None:
                self.happen(Tick())
            after = len(self.log), self.has_main, self.has_rest, self.state
            assert before != after, "the loop spins"
        self.now = max(self.now, end) if self.ended is None else self.now

    def ends(self):
        if self.runs_until is not None and self.runs_until <= self.now:
            self.runs_until = None
            self.happen(Ran())
        if self.rest_ends is not None and self.rest_ends <= self.now:
            self.has_rest, self.rest_ends = False, None
        if self.has_main and self.main_ends is not None and self.main_ends <= self.now:
            self.has_main, self.main_ends = False, None
            self.happen(Exited(TERM))
        if not self.has_main and not self.has_rest:
            self.happen(Gone())

    def receive(self, one):
        self.until(self.now + one.pause)
        if self.ended is not None:
            return
        if one.what == "exits":
            if self.has_main:
                self.has_main, self.main_ends = False, None
                self.happen(Exited(CRASHED))
                self.ends()
            return
        if isinstance(one.what, Changed):
            self.changes.append(self.now)
        else:
            if one.what.ends or (one.what.number == INT and self.state.phase is not Phase.RUNNING):
                self.asked.append(self.now)
            if one.what.reached:
                self.told()
        self.happen(one.what)


def play(settings, behaviour, happening, advance=lifecycle.advance):
    world = World(settings, behaviour, advance)
    for one in happening:
        world.receive(one)
    asked = world.asked
    world.until(world.now + 200)
    if asked:
        assert world.ended, "envkit goes on after a signal that ends it"
        limit = settings.stop_timeout_seconds + (0 if behaviour.killable else GIVE_UP_SECONDS + 0.2)
        assert world.now <= asked[0] + limit + 1e-6 or world.state.left, "it takes too long"
        again = [time for time in asked if time >= asked[0] + REPEAT_SECONDS]
        if again and behaviour.killable:
            assert world.now <= again[0] + 1e-6, "a second signal does not kill at once"
    restarts = len(world.starts) - 1
    if settings.on_change is not Do.STOP or not world.changes:
        assert restarts == 0, "a restart without a reason"
    assert restarts <= len(world.changes)
    if settings.on_change is Do.STOP and world.changes and not world.ended and behaviour.killable:
        assert world.starts[-1] >= world.changes[-1] - 1e-6, "a change is lost"
    return world


@given(settings_of, behaviours, inputs)
def test_the_life_of_an_app_keeps_its_promises_whatever_happens(settings, behaviour, happening):
    play(settings, behaviour, happening)


def forgets_the_interval(state, event, now, settings):
    return lifecycle.advance(state, event, now, settings._replace(min_interval_seconds=0.0))


def never_kills(state, event, now, settings):
    state, actions = lifecycle.advance(state, event, now, settings)
    return state, [action for action in actions if action.do is not Do.KILL]


def starts_too_early(state, event, now, settings):
    state, actions = lifecycle.advance(state, event, now, settings)
    early = isinstance(event, Exited) and not state.left and not state.ending
    return state, [Action(Do.START), *actions] if early else actions


def starts_for_each_failure(state, event, now, settings):
    stop = isinstance(event, Signalled) and not event.ends
    return lifecycle.advance(state, Changed() if stop else event, now, settings)


def forgets_a_change_during_a_stop(state, event, now, settings):
    if isinstance(event, Changed):
        return state, []
    return lifecycle.advance(state, event, now, settings)


def ignores_a_second_signal(state, event, now, settings):
    if isinstance(event, Signalled) and state.ending:
        return state, []
    return lifecycle.advance(state, event, now, settings)


@pytest.mark.parametrize(
    "wrong",
    [
        forgets_the_interval,
        never_kills,
        starts_too_early,
        starts_for_each_failure,
        forgets_a_change_during_a_stop,
        ignores_a_second_signal,
    ],
)
def test_a_wrong_lifecycle_breaks_a_promise(wrong):
    def breaks(case):
        try:
            play(*case, advance=wrong)
        except AssertionError:
            return True
        return False

    cases = st.tuples(settings_of, behaviours, inputs)
    quick = hypothesis.settings(
        max_examples=2000, phases=[hypothesis.Phase.generate], database=None
    )
    hypothesis.find(cases, breaks, settings=quick)


@pytest.mark.parametrize("status", [0, CRASHED, TERM])
def test_an_app_that_exits_by_itself_ends_envkit_with_its_status(status):
    world = World(Settings(), Behaviour(0.0, 0.0))
    world.has_main = False
    world.happen(Exited(status))
    world.until(world.now + 1)
    assert world.ended == Action(Do.END, 0, status)


def test_an_app_that_envkit_kills_at_the_end_counts_as_ended_by_the_signal_that_envkit_got():
    world = play(Settings(), Behaviour(None, None), [Input(1.0, Signalled(TERM, ends=True))])
    assert world.ended == Action(Do.END, TERM, None)


def test_an_app_that_envkit_kills_for_a_restart_does_not_end_envkit():
    world = play(Settings(), Behaviour(None, None), [Input(1.0, Changed())])
    assert (len(world.starts), world.ended) == (2, None)


def test_ctrl_c_concerns_only_the_app_unless_it_is_being_stopped():
    settings = Settings()
    running = play(settings, Behaviour(None, None), [Input(6.0, Signalled(INT, reached=True))])
    assert running.ended is None
    stopping = [Input(6.0, Changed()), Input(1.0, Signalled(INT, reached=True))]
    assert play(settings, Behaviour(None, None), stopping).ended == Action(Do.END, INT, None)


def test_a_process_that_cannot_be_killed_is_reported_once_and_waited_for():
    world = play(Settings(), Behaviour(None, None, killable=False), [Input(9.0, Changed())])
    assert [done for _, done in world.log].count(Do.WARN) == 1
    assert len(world.starts) == 1


def test_the_stop_signal_is_not_sent_again_to_an_app_that_is_stopping():
    happening = [Input(9.0, Changed()), Input(1.0, Signalled(TERM, ends=True))]
    world = play(Settings(), Behaviour(5.0, 5.0), happening)
    assert Do.SEND not in [done for _, done in world.log]
    assert world.ended == Action(Do.END, 0, TERM)
