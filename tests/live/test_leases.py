"""Dynamic secrets: users of a real PostgreSQL that OpenBao creates, renews and drops."""

from __future__ import annotations

import os
import time

import pytest

from envkit.errors import LeaseNeededError
from envkit.resident.watcher import Changed, Watcher, WatchRequest
from support.supervised import wait_until
from support.watching import turn, turns, until

QUICK = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05, "timeout_seconds": 10}


@pytest.fixture
def started(leased, project, request):
    """Start a watcher of `prod`; the arguments are those of `Leased.profile`."""
    made = []

    def start(login="", more="", **role):
        if role:
            leased.role(**role)
        leased.profile(project, os.environ, login, more)
        watcher = Watcher(WatchRequest(["prod"], str(project.profiles), **QUICK))
        made.append(watcher)
        watcher.prepare()
        return watcher, watcher.first().environ

    yield start
    for watcher in made:
        watcher.close()


def run(watcher, seconds):
    """Do what is due for a while; return what happened."""
    end = time.monotonic() + seconds
    return turns(watcher, lambda _: time.monotonic() >= end)


def test_one_read_gives_both_fields_and_the_login_works_until_the_end(started, leased):
    watcher, environ = started()
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.logs_in(environ)
    watcher.close()
    assert leased.users() == [], "the user is dropped"
    assert leased.leases() == []


def test_a_lease_is_renewed_before_it_ends_and_no_other_user_is_created(started, leased):
    watcher, environ = started(ttl=3, max_ttl=3600)
    assert run(watcher, 7) == []
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.logs_in(environ)


def test_at_its_maximum_a_lease_is_replaced_while_the_old_login_still_works(started, leased):
    watcher, before = started(ttl=4, max_ttl=6)
    (changed,) = until(watcher, Changed)
    assert set(changed.names) == {"DB_USER", "DB_PASSWORD"}
    assert leased.logs_in(changed.environ)
    assert leased.logs_in(before)
