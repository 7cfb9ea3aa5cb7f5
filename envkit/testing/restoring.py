"""The part of the source contract about earlier versions: history and restore."""

from __future__ import annotations

import time

import pytest

from envkit.errors import ConflictError, InvalidReferenceError, SourceError
from envkit.secret import Secret
from envkit.sources.protocols import VersionedSource
from envkit.testing.harness import CANARY, Harness, needs
from envkit.testing.observe import ask, assert_clean, read, text_of, writable

NO_VERSION = "4" * 32  # a version that no store has; long enough for AWS


def versioned(harness: Harness) -> VersionedSource:
    """Return the source, which must have versions."""
    source = writable(harness)
    assert isinstance(source, VersionedSource)
    return source


class RestoringContract:
    """Tests that need `history`; `SourceContract` includes them."""

    @needs("history")
    def test_history_lists_the_newest_version_first(self, harness: Harness) -> None:
        source, ref = versioned(harness), harness.ref("db", "password")
        first = source.write(ref, Secret(f"{CANARY} one"), expected=None)
        second = source.write(ref, Secret(f"{CANARY} two"), expected=first)
        versions = source.history(ref)
        assert [version.state for version in versions] == ["current", "previous"]
        assert versions[0].version == second == read(source, ref).version
        earlier = ref._replace(version=versions[1].version)
        assert text_of(ask(source, earlier)) == f"{CANARY} one"
        for version in versions:
            assert version.created is None or abs(version.created - time.time()) < 3600
            assert CANARY not in repr(version)

    @needs("history")
    def test_a_missing_secret_has_no_history(self, harness: Harness) -> None:
        assert list(versioned(harness).history(harness.ref("nothing", "password"))) == []

    @needs("history")
    def test_restore_brings_back_an_earlier_value(self, harness: Harness) -> None:
        source, ref = versioned(harness), harness.ref("db", "password")
        version = source.write(ref, Secret(f"{CANARY} one"), expected=None)
        version = source.write(ref, Secret(f"{CANARY} two"), expected=version)
        now = source.restore(ref, source.history(ref)[1].version, expected=version)
        after = read(source, ref)
        assert after.value.reveal() == f"{CANARY} one"
        assert after.version == now
        assert source.history(ref)[0].version == now
        assert source.history(ref)[0].state == "current"

    @needs("history")
    def test_restore_brings_back_a_removed_value(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY, "user": "app"})
        source, ref = versioned(harness), harness.ref("db", "password")
        version = source.write(ref, None, expected=read(source, ref).version)
        source.restore(ref, source.history(ref)[1].version, expected=version)
        assert read(source, ref).value.reveal() == CANARY
        assert read(source, harness.ref("db", "user")).value.reveal() == "app"

    @needs("history", "fields")
    def test_restore_preserves_the_current_other_fields(self, harness: Harness) -> None:
        harness.put("db", {"password": f"{CANARY} one", "user": "before"})
        source = versioned(harness)
        password, user = harness.ref("db", "password"), harness.ref("db", "user")
        source.write(password, Secret(f"{CANARY} two"), expected=read(source, user).version)
        earlier = source.history(password)[1].version
        harness.put("db", {"password": f"{CANARY} two", "user": "now"})
        current = read(source, user).version
        assert source.restore(password, earlier, expected=current) != current
        assert read(source, password).value.reveal() == f"{CANARY} one"
        assert read(source, user).value.reveal() == "now"

    @needs("history")
    def test_a_stale_restore_changes_nothing(self, harness: Harness) -> None:
        source, ref = versioned(harness), harness.ref("db", "password")
        first = source.write(ref, Secret(f"{CANARY} one"), expected=None)
        source.write(ref, Secret(f"{CANARY} two"), expected=first)
        earlier = source.history(ref)[1].version
        with pytest.raises(ConflictError) as caught:
            source.restore(ref, earlier, expected=first)
        assert_clean(caught.value)
        assert read(source, ref).value.reveal() == f"{CANARY} two"

    @needs("history")
    def test_a_missing_version_is_not_restored(self, harness: Harness) -> None:
        source, ref = versioned(harness), harness.ref("db", "password")
        version = source.write(ref, Secret(CANARY), expected=None)
        with pytest.raises((SourceError, InvalidReferenceError)) as caught:
            source.restore(ref, NO_VERSION, expected=version)
        assert_clean(caught.value)
        assert read(source, ref).version == version
