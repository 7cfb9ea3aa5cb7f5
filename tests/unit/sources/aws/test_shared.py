"""Which clients of Secrets Manager rotations of one process share, and for how long."""

import os

import pytest

from envkit.sources.aws import shared
from envkit.sources.aws.shared import LIMIT, forget, shared_client


@pytest.fixture(autouse=True)
def no_clients(monkeypatch):
    monkeypatch.setattr(shared, "_clients", {})


def client(settings=None, environ=None):
    """Return the client for settings; each created client is another object."""
    return shared_client(settings or {}, environ or {}, object)


def test_equal_settings_and_environments_share_a_client(monkeypatch):
    one = client()
    assert client() is one
    assert client({"region": "eu-west-1"}) is not one
    assert client(environ={"AWS_REGION": "eu-west-1"}) is not one
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert client() is not one


def test_a_child_process_has_its_own_client(monkeypatch):
    one = client()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert client() is not one


def test_a_shared_client_expires(monkeypatch):
    monkeypatch.setattr(shared, "FRESH_SECONDS", 0.0)
    assert client() is not client()


def test_a_client_that_was_denied_is_forgotten():
    one = client()
    forget({}, {})
    assert client() is not one


def test_a_failed_login_is_retried_by_the_next_caller():
    def fail():
        raise KeyError

    with pytest.raises(KeyError):
        shared_client({}, {}, fail)
    assert client() is client()


def test_the_number_of_shared_clients_is_limited():
    one = client()
    for number in range(LIMIT):
        client({"region": str(number)})
    assert len(shared._clients) == LIMIT
    assert client() is not one
