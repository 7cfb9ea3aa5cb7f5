"""A snapshot: what one source answered, encrypted and bound to its identity. Pure.

    data = seal(snapshot, key, identity)
    snapshot = unseal(data, key, identity)      # None if any of the three differs

AES-256-GCM with a random nonce; the identity is authenticated and not stored.

Reference: NIST SP 800-38D
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"envkit last known good 1\n"
NONCE_BYTES = 12
FUTURE_SECONDS = 60.0  # of clocks that are set a little


class Moment(NamedTuple):
    """A time, by two clocks.

    Attributes:
        wall_seconds: since the epoch; it jumps when the clock is set.
        boot_seconds: since the boot, with the time that the machine slept.
        boot: which boot; empty if unknown.
    """

    wall_seconds: float
    boot_seconds: float = 0.0
    boot: str = ""


class Snapshot(NamedTuple):
    """What one source answered.

    Attributes:
        taken: when it was asked.
        answers: by reference, of everything that was read.
    """

    taken: Moment
    answers: Mapping[Reference, Reading | Absent]

    def __repr__(self) -> str:
        return f"Snapshot({len(self.answers)} answers)"


def age_seconds(taken: Moment, now: Moment) -> float | None:
    """Return the age of a snapshot; None if it is from the future, so that no clock can be trusted.

    A clock that was set back makes nothing younger within one boot.
    """
    age = now.wall_seconds - taken.wall_seconds
    if taken.boot and taken.boot == now.boot:
        age = max(age, now.boot_seconds - taken.boot_seconds)
    return max(age, 0.0) if age >= -FUTURE_SECONDS else None


def seal(snapshot: Snapshot, key: bytes, identity: bytes) -> bytes:
    """Return a snapshot encrypted.

    Args:
        snapshot: the snapshot.
        key: of 32 bytes.
        identity: what `unseal` must be called with.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    answers = [
        [list(ref), [one.value.reveal(), one.version, one.location]]
        if isinstance(one, Reading)
        else [list(ref), None, list(one)]
        for ref, one in snapshot.answers.items()
    ]
    text = json.dumps([list(snapshot.taken), answers]).encode()
    nonce = os.urandom(NONCE_BYTES)
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, text, MAGIC + identity)


def unseal(data: bytes, key: bytes, identity: bytes) -> Snapshot | None:
    """Return the snapshot; None if it is damaged, or of another key or identity."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not data.startswith(MAGIC):
        return None
    nonce, sealed = data[len(MAGIC) :][:NONCE_BYTES], data[len(MAGIC) + NONCE_BYTES :]
    try:
        text = AESGCM(key).decrypt(nonce, sealed, MAGIC + identity)
    except (InvalidTag, ValueError):  # cut short
        return None
    taken, answers = json.loads(text)
    return Snapshot(Moment(*taken), {Reference(*ref): _answer(*parts) for ref, *parts in answers})


def _answer(reading: list[str] | None, absent: list[str] | None = None) -> Reading | Absent:
    if reading is not None:
        value, version, location = reading
        return Reading(Secret(value), version, location)
    assert absent is not None  # noqa: S101 - `seal` wrote one of the two
    reason, version, doubt, known = absent
    return Absent(reason, version, doubt, tuple(known))
