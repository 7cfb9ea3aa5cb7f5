"""The environments that the agent has in memory. Pure: it is given the time.

An entry is dropped when it is too old, when one of its files has changed, and when the machine
slept. Times are from the monotonic clock, which cannot be set but stops during sleep. The boot
clock does not stop, so a difference between the two shows that the machine slept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.agent.freshness import Signature

MAX_ENTRIES = 256
MAX_BYTES = 64 * 1024 * 1024
SLEEP_SECONDS = 1.0  # a difference of the clocks beyond which the machine slept


class Moment(NamedTuple):
    """A time: on a clock that stops during sleep, and on one that does not."""

    awake: float
    boot: float


class Reply(NamedTuple):
    """What a client is sent.

    Attributes:
        kind: `ANSWER` or `DECLINED`.
        body: of the frame.
        used: what the audit log says of an answer: its profiles, names and versions.
    """

    kind: int
    body: bytes
    used: bytes = b""

    def __repr__(self) -> str:
        return f"Reply({self.kind}, {len(self.body)} bytes)"


class Entry(NamedTuple):
    """One answer.

    Attributes:
        reply: what the client is sent.
        files: what it depends on.
        asked: the variables that it depends on, also those that do not exist.
        environment: its name, for people; empty if the answer has no values.
        read_at: when reading it began.
    """

    reply: Reply
    files: Mapping[str, Signature]
    asked: Mapping[bytes, None]
    environment: str
    read_at: Moment

    def __repr__(self) -> str:
        return f"Entry({self.environment!r}, {self.bytes} bytes)"

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return len(self.reply.body) + len(self.reply.used)


class Cache:
    """The entries, by the digest of everything that was asked."""

    def __init__(
        self, now: Moment, *, is_fresh: Callable[[Mapping[str, Signature]], bool], max_age: float
    ) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._is_fresh = is_fresh
        self._max_age = max_age
        self._offset = now.boot - now.awake
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: bytes, entry: Entry) -> None:
        """Add an entry; the oldest ones leave if there are too many."""
        self._drop(key)
        self._entries[key] = entry
        self._bytes += entry.bytes
        while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._drop(next(iter(self._entries)))

    def get(self, key: bytes, now: Moment) -> Entry | None:
        """Return an entry if it is still valid."""
        self.expire(now)
        found = self._entries.get(key)
        if found is not None and not self._is_fresh(found.files):
            self._drop(key)
            return None
        return found

    def expire(self, now: Moment) -> None:
        """Drop what is too old; after sleep, everything."""
        offset = now.boot - now.awake
        if abs(offset - self._offset) > SLEEP_SECONDS:
            self._offset = offset
            self.clear()
        limit = now.awake - self._max_age
        for key in [key for key, one in self._entries.items() if one.read_at.awake <= limit]:
            self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self._bytes = 0

    def ages(self, now: Moment) -> list[tuple[str, float]]:
        """Return the environment and the age in seconds of each entry with values."""
        with_values = (one for one in self._entries.values() if one.environment)
        return [(one.environment, now.awake - one.read_at.awake) for one in with_values]

    def _drop(self, key: bytes) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self._bytes -= found.bytes
