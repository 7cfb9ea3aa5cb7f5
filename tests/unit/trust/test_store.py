"""The store of decisions: the user's own file, which no link and no other user can replace."""

from __future__ import annotations

import json
import os

import pytest

from envkit.errors import LinkRefusedError, UntrustedError
from envkit.trust.destination import RUN, SEND, Destination
from envkit.trust.store import TrustStore

FOLDER = "/srv/shop/profiles"
VAULT = Destination(SEND, "https://vault.example.com", ("$VAULT_TOKEN",))
HOOK = Destination(RUN, "./stop")


@pytest.fixture
def store(tmp_path):
    return TrustStore(str(tmp_path / "state" / "envkit"))


def test_an_allowed_destination_is_known_to_other_processes(store):
    assert store.allowed(FOLDER) == []
    store.add(FOLDER, [VAULT])
    store.add(FOLDER, [VAULT._replace(gets=("{{ env:X }}",)), HOOK])
    other = TrustStore(os.path.dirname(store.path))
    both = VAULT._replace(gets=("$VAULT_TOKEN", "{{ env:X }}"))
    assert other.allowed(FOLDER) == store.allowed(FOLDER) == [both, HOOK]
    assert other.allowed("/srv/other/profiles") == []
    assert os.stat(store.path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(store.path)).st_mode & 0o777 == 0o700


def test_a_revoked_destination_is_no_longer_allowed(store):
    store.add(FOLDER, [VAULT, HOOK])
    store.add("/srv/other/profiles", [HOOK])
    assert store.remove(FOLDER, lambda one: one.kind == RUN) == [VAULT]
    assert store.allowed(FOLDER) == [HOOK]
    assert store.remove(FOLDER, lambda _: False) == [HOOK]
    assert store.allowed(FOLDER) == []
    assert store.allowed("/srv/other/profiles") == [HOOK]


def test_a_link_in_place_of_the_trust_store_is_neither_read_nor_written(store, tmp_path):
    target = tmp_path / "bashrc"
    target.write_text("mine")
    os.makedirs(os.path.dirname(store.path))
    os.symlink(target, store.path)
    with pytest.raises(LinkRefusedError):
        store.allowed(FOLDER)
    with pytest.raises(LinkRefusedError):
        store.add(FOLDER, [VAULT])
    assert target.read_text() == "mine"


def test_a_trust_store_that_others_can_write_is_refused(store):
    store.add(FOLDER, [VAULT])
    os.chmod(store.path, 0o666)
    with pytest.raises(UntrustedError, match="other users can write to it"):
        store.allowed(FOLDER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_trust_store_of_another_user_is_refused(store):
    store.add(FOLDER, [VAULT])
    os.chown(store.path, 65534, 65534)
    with pytest.raises(UntrustedError, match="it belongs to another user"):
        store.allowed(FOLDER)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[]", "{}", '{"version": 2, "folders": {}}', '{"version": 1}'),
        *('{"version": 1, "folders": []}', "[" * 100_000),
        json.dumps({"version": 1, "folders": {FOLDER: [{"kind": "x", "where": "", "gets": []}]}}),
    ],
)
def test_a_trust_store_that_this_envkit_did_not_write_is_refused(store, text):
    os.makedirs(os.path.dirname(store.path))
    with open(store.path, "w") as file:
        file.write(text)
    with pytest.raises(UntrustedError, match="this version of envkit cannot parse it"):
        store.allowed(FOLDER)
    with pytest.raises(UntrustedError):
        store.add(FOLDER, [VAULT])
    with open(store.path) as file:
        assert file.read() == text
