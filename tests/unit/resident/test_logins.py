"""What children pass on of logins and leases, and how it is renewed and revoked in a child."""

from __future__ import annotations

import os
from select import select
from typing import NamedTuple

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import UnavailableError
from envkit.resident.forked import Job, JobState
from envkit.resident.logins import (
    LOGIN,
    WARNING,
    Logins,
    has_leases,
    hold_leases,
    release,
    renewal,
)
from envkit.resident.noticing import WatchedSource
from envkit.resident.state import FOREVER, Leased
from envkit.sources.base import LoginWarning


class Store:
    """A source whose login is a number, which each renewal makes one higher."""

    def __init__(self, how="", pipe=-1):
        self.how, self.pipe = how, pipe
        self.number = 0
        self.held = []

    def login_state(self):
        return {"number": self.number, "due_at": 5.0}

    def resume_login(self, state):
        self.number = state["number"]

    def renew_login(self):
        if self.how == "down":
            raise UnavailableError("the store is down")
        if self.how == "crash":
            raise ZeroDivisionError
        self.number += 1
        return LoginWarning("it will end", "do something") if self.how == "ends" else None

    def hold_leases(self, owner, beside):
        self.held.append((owner, beside))

    def release_leases(self):
        if self.how == "down":
            raise UnavailableError("the store is down")
        os.write(self.pipe, b"%d" % self.number)


def watched(**stores):
    return {
        name: WatchedSource(name, Store(*how), (), 60.0, is_quick=False)
        for name, how in stores.items()
    }


def sent(work):
    """Return what a child sends."""
    job, parts = Job(work, seconds=30), []
    while job.state is JobState.RUNNING:
        select([job], [], [])
        parts += job.receive()
    return parts


def test_logins_are_renewed_from_their_last_state_and_only_in_a_child():
    sources = watched(one=[""], other=[""])
    parts = sent(renewal(list(sources.values()), Deadline(30), {"one": {"number": 1}}))
    assert sorted(parts, key=str) == [
        (LOGIN, "one", {"number": 2, "due_at": 5.0}),
        (LOGIN, "other", {"number": 1, "due_at": 5.0}),
    ]
    assert sources["one"].source.number == 0, "the parent asks nothing"


def test_a_warning_about_a_login_reaches_the_parent_before_the_login():
    parts = sent(renewal(list(watched(one=["ends"]).values()), Deadline(30), {}))
    assert parts[0] == (WARNING, "it will end", "do something")
    assert parts[1][:2] == (LOGIN, "one")


@pytest.mark.parametrize("how", ["down", "crash"])
def test_a_renewal_that_fails_sends_nothing_and_ends_no_other(how):
    sources = watched(one=[how], other=[""])
    parts = sent(renewal(list(sources.values()), Deadline(30), {}))
    assert [part[1] for part in parts] == ["other"]


def test_what_is_due_when_is_taken_from_the_state():
    logins = Logins()
    logins.store("plain", {"number": 1})
    logins.store("token", {"due_at": 3.0})
    logins.store("leases", {"due_at": 3.0, "replace_at": 7.0})
    assert [logins.leased(name) for name in logins.states] == [
        Leased("plain", FOREVER, FOREVER),
        Leased("token", 3.0, FOREVER),
        Leased("leases", 3.0, 7.0),
    ]


def test_of_a_source_that_is_gone_only_what_must_be_revoked_is_kept():
    logins = Logins()
    logins.watch(watched(gone=[""], leasing=[""]))
    logins.store("gone", {"number": 1})
    logins.store("leasing", {"number": 2, "replace_at": FOREVER})
    logins.watch(watched(other=[""]))
    assert list(logins.states) == ["leasing"]
    assert has_leases(logins.states["leasing"])


def test_leases_are_revoked_in_a_child_and_a_store_that_fails_ends_no_other():
    reading, writing = os.pipe()
    sources = watched(one=["", writing], other=["down"])
    states = {"one": {"number": 41}, "other": {"number": 42}}
    assert sent(release(list(sources.values()), Deadline(30), states)) == []
    assert os.read(reading, 9) == b"41"
    os.close(reading)
    os.close(writing)


def test_at_the_end_the_leases_of_a_source_that_is_gone_are_revoked_too():
    reading, writing = os.pipe()
    logins = Logins()
    logins.watch(watched(leasing=["", writing], plain=["", writing]))
    logins.store("leasing", {"number": 7, "replace_at": FOREVER})
    logins.store("plain", {"number": 8})
    logins.watch({})
    logins.release(Deadline(30))
    os.close(writing)
    assert os.read(reading, 9) == b"7"
    os.close(reading)
    assert logins.states == {}


class Prepared(NamedTuple):
    """A prepared profile with a store of a name."""

    sources: dict[str, object]

    def store(self, name):
        return name


def test_sources_of_one_store_hold_their_leases_in_common():
    one, same, other = Store(), Store(), Store()
    hold_leases([Prepared({"a": one, "plain": object()}), Prepared({"a": same, "b": other})], 7)
    assert (one.held, same.held, other.held) == ([(7, one)], [(7, one)], [(7, other)])
