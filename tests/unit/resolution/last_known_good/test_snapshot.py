"""Snapshots: what comes back, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.profile.placeholder import Reference
from envkit.resolution.last_known_good.snapshot import (
    Moment,
    Snapshot,
    age_seconds,
    seal,
    unseal,
)
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading

KEY, IDENTITY = b"k" * 32, b"prod, vault, me"
CANARY = "canary"
REFERENCE = Reference("vault", "db", "password", None, None)
SNAPSHOT = Snapshot(
    Moment(1000.0, 5.0, "boot"),
    {
        REFERENCE: Reading(Secret(f"{CANARY}\0\udcff"), "3", "vault:secret/db#password"),
        Reference("vault", "a", None, "7", None): Reading(Secret(""), None, "x"),
        Reference("vault", "", "N", None, "s"): Absent("no field", "2", "perhaps", ("A", "B")),
    },
)


def test_a_snapshot_comes_back_as_it_was_and_is_not_readable_without_the_key():
    data = seal(SNAPSHOT, KEY, IDENTITY)
    assert CANARY.encode() not in data
    assert unseal(data, KEY, IDENTITY) == SNAPSHOT
    assert seal(SNAPSHOT, KEY, IDENTITY) != data, "the same nonce twice"
    assert CANARY not in repr(SNAPSHOT)


@pytest.mark.parametrize(
    ("key", "identity"), [(b"K" * 32, IDENTITY), (KEY, b"dev"), (KEY, b""), (KEY, IDENTITY + b" ")]
)
def test_a_snapshot_of_another_key_or_identity_is_not_used(key, identity):
    assert unseal(seal(SNAPSHOT, KEY, IDENTITY), key, identity) is None


SEALED = seal(SNAPSHOT, KEY, IDENTITY)


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_byte_of_a_snapshot_can_be_changed(at, difference):
    changed = bytearray(SEALED)
    changed[at] ^= difference
    assert unseal(bytes(changed), KEY, IDENTITY) is None


@given(st.integers(0, len(SEALED) - 1))
def test_a_half_written_snapshot_is_not_used(length):
    assert unseal(SEALED[:length], KEY, IDENTITY) is None


@pytest.mark.parametrize(
    ("now", "age"),
    [
        (Moment(1060.0, 65.0, "boot"), 60.0),
        (Moment(1060.0, 5.0, "another boot"), 60.0),
        (Moment(1000.0, 3605.0, "boot"), 3600.0),  # the clock was set back an hour
        (Moment(970.0, 5.0, "boot"), 0.0),  # the clock was set back a little
        (Moment(900.0, 5.0, "boot"), 0.0),  # within one boot, the other clock knows
        (Moment(900.0, 1.0, "another boot"), None),
        (Moment(90_000.0, 6.0, "boot"), 89_000.0),  # the clock was set forward
    ],
)
def test_the_age_of_a_snapshot_is_the_larger_of_two_clocks(now, age):
    assert age_seconds(SNAPSHOT.taken, now) == age
