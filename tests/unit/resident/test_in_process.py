"""The parts of a live environment: pace after refusals, snapshots, callbacks, forks, the log."""

from __future__ import annotations

import gc
import logging
import os
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import UnavailableError
from envkit.resident.in_process import forks, outage, refusals
from envkit.resident.in_process.callbacks import Callbacks
from envkit.resident.in_process.logins import Logins
from envkit.resident.in_process.refusals import Refusals
from envkit.resident.in_process.snapshot import first, following, new_names
from envkit.resident.noticing import WatchedSource
from envkit.resident.state import Began, Ended, Leased, Problem
from envkit.resolution.environment import Environment, Variable
from envkit.secret import Secret

# ---------------------------------------------------------------- how often a store is asked


def asks(refused_at, generation=1):
    """Return when stores are asked, for logins that are refused at these times and wait 1 s."""
    state, found = Refusals(), []
    for start in refused_at:
        now = start
        while True:
            state = refusals.refused(state, generation, now)
            if state.next_ask > start + 1:
                break
            now = max(now, state.next_ask)
            state = refusals.asked(state, now)
            found.append(now)
    return found


def test_a_refused_login_asks_at_once_and_then_after_pauses_that_double():
    assert asks([100.0]) == pytest.approx([100.0, 100.02, 100.06, 100.14, 100.3, 100.62])


def test_a_refusal_after_a_quiet_time_asks_at_once_and_quickly_again():
    assert len(asks([100.0, 200.0])) == 12


def test_a_new_generation_asks_at_once():
    state = refusals.asked(refusals.refused(Refusals(), 1, 100.0), 100.0)
    assert refusals.refused(state, 2, 100.01).next_ask == 100.01


@given(st.lists(st.floats(0, 5), min_size=5, max_size=60))
def test_a_login_that_stays_refused_asks_about_once_a_second(gaps):
    times = [100.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    found = asks(sorted(times))
    assert len(found) <= 6 + (found[-1] - found[0]) + 1


@given(st.lists(st.floats(0, 30), max_size=40))
def test_every_refused_login_gets_an_answer_that_is_newer_than_its_refusal(gaps):
    times = [100.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    found = asks(times)
    assert all(any(start <= asked <= start + 1 for asked in found) for start in times)


# ---------------------------------------------------------------- snapshots


def environment(**values):
    made = [Variable(name, Secret(value), True, "prod", None) for name, value in values.items()]
    return Environment("prod", made)


def test_a_snapshot_with_the_same_values_has_the_same_generation_and_a_new_time():
    before = first(environment(A="1"), 10.0)
    after = following(before, environment(A="1"), 20.0)
    assert (after.generation, after.read_at) == (1, 20.0)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"A": "2", "B": "1"}, ["A"]),
        ({"A": "1"}, ["B"]),
        ({"A": "1", "B": "1", "C": "1"}, ["C"]),
        ({"B": "2"}, ["A", "B"]),
    ],
)
def test_the_generation_of_a_variable_is_that_of_its_last_change(values, names):
    after = following(first(environment(A="1", B="1"), 10.0), environment(**values), 20.0)
    assert after.generation == 2
    assert sorted(new_names(after)) == names


# ---------------------------------------------------------------- callbacks


def test_a_callback_that_another_one_removes_is_not_called():
    callbacks = Callbacks()
    seen = []
    removes = []
    callbacks.add("A", lambda _: removes[0](), 1)
    removes.append(callbacks.add("A", seen.append, 1))
    callbacks.call(environment(A="2"), {"A": 2})
    assert seen == []


def test_a_callback_knows_the_generation_for_which_it_was_called():
    callbacks = Callbacks()
    callbacks.add("A", lambda _: None, 1)
    assert callbacks.are_due({"A": 2})
    callbacks.call(environment(A="2"), {"A": 2})
    assert not callbacks.are_due({"A": 2})


# ---------------------------------------------------------------- forks


class Object:
    def __init__(self, told):
        self.told = told

    def after_fork(self):
        os.write(self.told, b"forked")

    def close(self):
        """Close nothing."""


def test_an_object_is_told_of_a_fork_in_the_child_as_long_as_it_lives():
    reader, writer = os.pipe()
    living, collected = Object(writer), Object(writer)
    forks.register(living)
    forks.register(collected)
    del collected
    gc.collect()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert stream.read() == "forked"


# ---------------------------------------------------------------- logins


class Warned(NamedTuple):
    text: str
    hint: str


class Source:
    """A source whose login is due at a time, and cannot be renewed if it `fails`."""

    def __init__(self, due_at=0.0, warning=None, *, fails=False, **more):
        self.due_at = due_at
        self.more = more
        self.releases = 0
        self.warning = warning
        self.fails = fails
        self.resumed = None
        self.renewals = 0

    def login_state(self):
        return {"token": "t", "due_at": self.due_at, **self.more}

    def release_leases(self):
        self.releases += 1

    def resume_login(self, state):
        self.resumed = state

    def renew_login(self):
        self.renewals += 1
        if self.fails:
            raise UnavailableError("no route")
        self.due_at = float("inf")
        return self.warning


def test_a_login_is_passed_on_to_the_next_source_of_that_name():
    logins, other, same = Logins(), Source(), Source()
    logins.store("prod/vault", Source())
    logins.resume("prod/aws", other)
    logins.resume("prod/vault", same)
    assert (other.resumed, same.resumed) == (None, {"token": "t", "due_at": 0.0})


def watched(source):
    return WatchedSource("prod/vault", source, (), 60.0, is_quick=False)


def test_a_login_is_renewed_and_a_warning_is_logged(caplog):
    source = Source(warning=Warned("the token of 'vault' ends", "log in"))
    assert Logins().renew(watched(source))
    assert [r.getMessage() for r in caplog.records] == ["the token of 'vault' ends; log in"]


def test_a_login_that_cannot_be_renewed_has_failed_and_one_that_needs_no_care_has_not():
    assert not Logins().renew(watched(Source(fails=True)))
    assert Logins().renew(watched(object()))


def test_what_is_due_of_a_source_is_told_with_the_time_of_its_leases():
    logins = Logins()
    logins.store("prod/vault", Source(due_at=5.0))
    assert logins.leased() == [Leased("prod/vault", 5.0)]
    assert not logins.have_leases
    logins.store("prod/vault", Source(due_at=5.0, replace_at=9.0))
    assert logins.leased() == [Leased("prod/vault", 5.0, 9.0)]
    assert logins.have_leases


def test_a_look_replaces_a_login_but_no_lease():
    logins = Logins()
    for due_at in (1.0, 2.0):
        logins.store_looked("prod/vault", Source(due_at=due_at))
    assert logins.leased() == [Leased("prod/vault", 2.0)]
    logins.store("prod/vault", Source(due_at=3.0, replace_at=9.0))
    logins.store_looked("prod/vault", Source(due_at=4.0))
    assert logins.leased() == [Leased("prod/vault", 3.0, 9.0)]


def test_leases_are_revoked_by_the_process_that_has_read_them_and_not_by_another():
    for owner, released in ((os.getpid(), 1), (os.getppid(), 0)):
        logins, source = Logins(), Source(replace_at=9.0, leases_owner=owner)
        logins.store("prod/vault", source)
        logins.release([watched(source)])
        assert source.releases == released
        assert not logins.have_leases


# ---------------------------------------------------------------- the log

ERROR = UnavailableError("no route to the store")
STAY = "values from 90 s ago stay in use"


@pytest.mark.parametrize(
    ("notice", "text"),
    [
        (
            Began("prod/vault", Problem.FAILED, ERROR),
            f"cannot look for changes of 'prod' in 'vault': {ERROR.message}; {STAY}",
        ),
        (
            Began(None, Problem.FAILED, ERROR),
            f"cannot read 'prod': {ERROR.message}; {STAY}",
        ),
        (
            Began(None, Problem.INVALID, ERROR),
            f"'prod' has become invalid: {ERROR.message}; {STAY}",
        ),
        (Ended("prod/vault", Problem.FAILED), "'vault' of 'prod' answers again"),
        (Ended(None, Problem.FAILED), "'prod' can be read again"),
        (Ended(None, Problem.INVALID), "'prod' is valid again"),
    ],
)
def test_the_log_says_what_cannot_be_done_and_which_values_stay_in_use(caplog, notice, text):
    caplog.set_level(logging.INFO, "envkit")
    outage.log("prod", [notice], 90.0)
    assert [record.getMessage() for record in caplog.records] == [text]
