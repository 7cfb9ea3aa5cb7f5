"""What rotations of one process share of a login, and for how long."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.sources.vault import shared
from envkit.sources.vault.address import Address
from envkit.sources.vault.auth import Lease
from envkit.sources.vault.client import connect
from envkit.sources.vault.kv import Engine
from envkit.sources.vault.shared import LIMIT, SharedLogin, shared_login

ADDRESS = Address("http://h:1", "http://h:1", namespace="", ca_cert=None, client_cert=None)
ENGINES = [Engine("secret", 2)]


@pytest.fixture(autouse=True)
def no_logins(monkeypatch):
    monkeypatch.setattr(shared, "_logins", {})


def test_equal_keys_share_a_login_within_a_process(monkeypatch):
    one = shared_login(("a",), ADDRESS, 4)
    assert shared_login(("a",), ADDRESS, 4) is one
    assert shared_login(("b",), ADDRESS, 4) is not one
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert shared_login(("a",), ADDRESS, 4) is not one, (
        "a child does not use its parent's connections"
    )


def test_the_least_recently_used_login_is_forgotten_first():
    first = shared_login(("first",), ADDRESS, 1)
    second = shared_login(("second",), ADDRESS, 1)
    for number in range(LIMIT - 1):
        shared_login((number,), ADDRESS, 1)
        shared_login(("first",), ADDRESS, 1)
    assert shared_login(("first",), ADDRESS, 1) is first
    assert shared_login(("second",), ADDRESS, 1) is not second


def test_a_login_is_usable_until_its_lease_or_its_time_ends(monkeypatch):
    login = SharedLogin(connect(1, ADDRESS))
    assert not login.usable
    login.remember("t", Lease(Deadline(60), renewable=False), ENGINES, new=True)
    assert login.usable
    login.remember("t", Lease(Deadline(0), renewable=False), ENGINES, new=False)
    assert not login.usable
    monkeypatch.setattr(shared, "FRESH_SECONDS", 0.0)
    login.remember("t", None, ENGINES, new=True)
    assert not login.usable


def test_a_forgotten_login_is_not_restored_by_a_source_that_still_uses_it():
    login = SharedLogin(connect(1, ADDRESS))
    login.remember("t", None, ENGINES, new=True)
    login.forget()
    assert not login.usable
    login.remember("t", None, ENGINES, new=False)
    assert not login.usable
    assert login.engines == []


def test_the_repr_of_a_login_shows_no_token():
    login = SharedLogin(connect(1, ADDRESS))
    login.remember("canary", None, ENGINES, new=True)
    assert "canary" not in repr(login)
