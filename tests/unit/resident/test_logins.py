"""Logins that children pass on, and when the next is renewed."""

from __future__ import annotations

import resource
import time

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import UnavailableError
from envkit.resident.logins import NEVER, Logins
from envkit.resident.noticing import WatchedSource
from envkit.sources.base import LoginWarning

LATER = 1000.0


class Store:
    """A source whose login is a number, which each renewal makes one higher."""

    def __init__(self, how=""):
        self.how = how
        self.number = 0

    def login_state(self):
        return {"number": self.number, "due_at": time.monotonic() + LATER}

    def resume_login(self, state):
        self.number = state["number"]

    def renew_login(self):
        if self.how == "down":
            raise UnavailableError("the store is down")
        if self.how == "crash":
            raise ZeroDivisionError
        self.number += 1
        return LoginWarning("it will end", "do something") if self.how == "ends" else None


@pytest.fixture
def logins():
    logins = Logins()
    yield logins
    logins.close()


def watched(**stores):
    return {
        name: WatchedSource(name, Store(how), (), 60.0, is_quick=False)
        for name, how in stores.items()
    }


def renew(logins, sources):
    """Step until the child has ended; return the warnings."""
    warnings = logins.step(sources, Deadline(30))
    while logins.job is not None:
        warnings += logins.step(sources, Deadline(30))
    return warnings


def test_only_a_login_that_is_due_is_renewed_in_a_child(logins):
    sources = watched(due="", other="", careless="")
    logins.store("due", {"number": 1, "due_at": 0.0})
    logins.store("other", {"number": 5, "due_at": time.monotonic() + LATER})
    logins.store("careless", {"number": 9})
    assert logins.next_time() == 0.0
    assert renew(logins, sources) == []
    assert {name: state["number"] for name, state in logins.states.items()} == {
        "due": 2,
        "other": 5,
        "careless": 9,
    }
    assert sources["due"].source.number == 0, "the parent asks nothing"
    assert logins.next_time() > time.monotonic() + LATER / 2


def test_a_renewal_that_no_process_can_do_is_tried_again_later(logins):
    sources = watched(due="")
    logins.store("due", {"number": 1, "due_at": 0.0})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        assert renew(logins, sources) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert logins.states["due"]["number"] == 1
    assert time.monotonic() < logins.next_time() < NEVER


def test_there_is_nothing_to_wait_for_without_a_login_or_while_one_is_renewed(logins):
    assert logins.next_time() == NEVER
    logins.store("due", {"number": 1, "due_at": 0.0})
    logins.step(watched(due=""), Deadline(30))
    assert logins.next_time() == NEVER
    assert logins.job is not None


def test_a_warning_about_a_login_reaches_the_parent(logins):
    logins.store("due", {"number": 1, "due_at": 0.0})
    assert renew(logins, watched(due="ends")) == [("it will end", "do something")]


@pytest.mark.parametrize("how", ["down", "crash"])
def test_a_renewal_that_fails_is_tried_again_after_longer_and_longer_pauses(logins, how):
    pauses = []
    for _ in range(3):
        logins._retry_at.clear()
        logins.store("due", {"number": 1, "due_at": 0.0})
        assert renew(logins, watched(due=how)) == []
        pauses.append(logins.next_time() - time.monotonic())
    assert pauses == pytest.approx([5, 10, 20], abs=2)
    assert logins.states["due"]["number"] == 1


def test_the_login_of_a_source_that_is_gone_is_forgotten(logins):
    logins.store("gone", {"number": 1, "due_at": 0.0})
    assert renew(logins, watched(other="")) == []
    assert logins.states == {}
