"""The keyring of the system: optional, and never a reason to fail or to wait for long."""

import sys
import threading

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from envkit._internal import system_keyring
from envkit._internal.system_keyring import stored_or_added, stored_texts


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 5

    def __init__(self):
        super().__init__()
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


class Locked(Ring):
    """A keyring that waits for a person."""

    released = threading.Event()

    def get_password(self, service, username):
        self.released.wait()
        return "late"


class Weak(Ring):
    """A keyring that does not protect what it stores."""

    priority = 0.5


@pytest.fixture(autouse=True)
def use():
    yield keyring.set_keyring
    keyring.set_keyring(fail.Keyring())  # the default could be one of those above
    Locked.released.set()


def test_texts_are_added_once_and_read_by_name(use):
    use(Ring())
    assert stored_texts(["a"]) == {}
    assert stored_or_added("a", "1") == stored_or_added("a", "2") == "1"
    assert stored_texts(["a", "b"]) == {"a": "1"}
    assert keyring.get_password("envkit", "a") == "1"


@pytest.mark.parametrize("ring", [fail.Keyring, Locked])
def test_a_keyring_that_fails_or_waits_is_not_there(use, ring, monkeypatch):
    monkeypatch.setattr(system_keyring, "LIMIT_SECONDS", 0.05)
    Locked.released.clear()
    use(ring())
    assert stored_texts(["a"]) is None
    assert stored_or_added("a", "1") is None


def test_nothing_is_added_to_a_keyring_that_does_not_protect_it(use):
    weak = Weak()
    weak.entries["envkit", "a"] = "1"
    use(weak)
    assert stored_texts(["a"]) == {"a": "1"}
    assert stored_or_added("b", "2") is None
    assert len(weak.entries) == 1


def test_without_the_package_there_is_no_keyring(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert stored_texts(["a"]) is None
    assert stored_or_added("a", "1") is None
