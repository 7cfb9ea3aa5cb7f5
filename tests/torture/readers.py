"""Processes that read the store and log in repeatedly, without the proxies.

    with Readers(READERS) as readers:           # before any thread is started
        readers.begin(shelf, target)
        readers.wait_a_round()                  # until all have read again, and logged in
        report = readers.end()

A reader uses the current value. If the old and the new value do not overlap and the current one is
refused, it tries the pending one. A reader with a cache uses a value that it read up to
`cache_seconds` ago. No reader retries with a fresh value.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import socket
import struct
import time
from itertools import pairwise
from typing import NamedTuple

from torture import shelves, targets

# of each reader: when it read its value, in nanoseconds; logins; failures
READ_AT, LOGINS, FAILURES, COUNTERS = 0, 1, 2, 3
READERS = 3
PACE_SECONDS = 0.0044  # the intended time between two logins of all readers
LAG_SECONDS = 1.0  # that a reader compensates for
_WAIT_SECONDS = 30.0


class Report(NamedTuple):
    """The results of the readers.

    Attributes:
        logins: the number of successful ones.
        failures: the first of each reader, in words and without values.
        failed: the number of failures.
        fallbacks: the number of logins with the pending value.
        values: the number of different current values.
        mean_ms: between the ends of two rounds, of all readers together.
        median_ms: the same.
        longest_ms: the same.
    """

    logins: int
    failures: list[str]
    failed: int
    fallbacks: int
    values: int
    mean_ms: float
    median_ms: float
    longest_ms: float


class Readers:
    """See the module's docstring."""

    def __init__(self, number: int) -> None:
        self._counters = mmap.mmap(-1, number * COUNTERS * 8)
        self._number = number
        self._readers = []
        for index in range(number):
            here, there = socket.socketpair()
            pid = os.fork()
            if not pid:
                here.close()
                try:
                    _Reader(index, number, self._counters, there).serve()
                finally:
                    os._exit(0)
            there.close()
            self._readers.append((pid, here, here.makefile("r")))

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for pid, connection, lines in self._readers:
            connection.shutdown(socket.SHUT_RDWR)
            os.waitpid(pid, 0)
            lines.close()
            connection.close()

    def begin(self, shelf, target, *, cache_seconds: float = 0.0) -> None:
        """Start all of them, and wait until each has logged in."""
        job = {
            "reader": shelf.reader(),
            "login": [target.login, target.login_arguments()],
            "fields": target.fields,
            "overlap": target.overlap,
            "cache_seconds": cache_seconds,
        }
        for _, connection, _ in self._readers:
            connection.sendall(f"{json.dumps(job)}\n".encode())
        for _, _, lines in self._readers:
            assert lines.readline() == "begun\n"
        self.wait_a_round()

    def wait_a_round(self) -> None:
        """Wait until no reader uses a value that it read before this call."""
        now, end = time.monotonic_ns(), time.monotonic() + _WAIT_SECONDS
        while any(self._count(index, READ_AT) <= now for index in range(self._number)):
            assert time.monotonic() < end, "a reader does not come to the end of its round"
            time.sleep(0.001)

    @property
    def failed(self) -> int:
        """The number of failures so far."""
        return sum(self._count(index, FAILURES) for index in range(self._number))

    def end(self) -> Report:
        """Stop all of them, and return their results."""
        for _, connection, _ in self._readers:
            connection.sendall(b"end\n")
        found = [json.loads(lines.readline()) for _, _, lines in self._readers]
        moments = sorted(moment for one in found for moment in one["moments"])
        gaps = sorted(later - earlier for earlier, later in pairwise(moments))
        failures = [failure for one in found for failure in one["failures"]]
        owners: dict[str, set[str]] = {}
        for one in found:
            for key, secret in one["pairs"]:
                owners.setdefault(key, set()).add(secret)
        torn = sum(len(secrets) > 1 for secrets in owners.values())
        if torn:
            failures.append(f"{torn} values came with two different others")
        return Report(
            sum(one["logins"] for one in found),
            failures,
            sum(one["failed"] for one in found) + torn,
            sum(one["fallbacks"] for one in found),
            len({value for one in found for value in one["values"]}),
            1000 * sum(gaps) / len(gaps),
            1000 * gaps[len(gaps) // 2],
            1000 * gaps[-1],
        )

    def _count(self, index: int, which: int) -> int:
        return struct.unpack_from("<Q", self._counters, (index * COUNTERS + which) * 8)[0]


class _Reader:
    """One process."""

    def __init__(self, index: int, number: int, counters: mmap.mmap, connection) -> None:
        self.base = index * COUNTERS * 8
        self.pace_seconds = PACE_SECONDS * number
        self.counters = counters
        self.connection = connection
        self.counts = [0] * COUNTERS
        self.lines = connection.makefile("r")

    def serve(self) -> None:
        while line := self.lines.readline():
            self.work(json.loads(line))

    def work(self, job: dict) -> None:
        name, arguments = job["reader"]
        self.source = getattr(shelves, name)(*arguments)
        name, self.login_arguments = job["login"]
        self.login = self.login_random if name == "login_random" else getattr(targets, name)
        self.fields, self.overlap = job["fields"], job["overlap"]
        self.cache_seconds = job["cache_seconds"]
        self.cached, self.cached_at, self.before = None, 0, None
        self.moments, self.failures, self.fallbacks = [], [], 0
        self.values, self.pairs = set(), set()
        self.counts[:] = [0] * COUNTERS
        self.store_counts()
        self.connection.sendall(b"begun\n")
        self.connection.setblocking(False)
        next_at = time.monotonic()
        while not self.is_told_to_end():
            self.round()
            now = time.monotonic()
            next_at = max(next_at + self.pace_seconds, now - LAG_SECONDS)
            time.sleep(max(0.0, next_at - now))
        self.connection.setblocking(True)
        report = {
            "logins": self.counts[LOGINS],
            "failed": self.counts[FAILURES],
            "failures": self.failures,
            "fallbacks": self.fallbacks,
            "moments": self.moments,
            "values": sorted(self.values),
            "pairs": sorted(self.pairs),
        }
        self.connection.sendall(f"{json.dumps(report)}\n".encode())

    def is_told_to_end(self) -> bool:
        try:
            return bool(self.connection.recv(64))
        except BlockingIOError:
            return False

    def store_counts(self) -> None:
        struct.pack_into(f"<{COUNTERS}Q", self.counters, self.base, *self.counts)

    def round(self) -> None:
        try:
            why = self.try_once()
        except Exception as error:  # noqa: BLE001 - a reader that cannot continue is a failure
            why = f"{type(error).__name__}: {error}"
        if why:
            self.counts[FAILURES] += 1
            if len(self.failures) < 5:
                self.failures.append(why)
        else:
            self.counts[LOGINS] += 1
        self.counts[READ_AT] = self.cached_at
        self.store_counts()
        self.moments.append(round(time.monotonic(), 5))

    def try_once(self) -> str:
        """Read and log in; return the failure, if any."""
        fields = self.read()
        if self.login(fields, *self.login_arguments):
            return ""
        if self.overlap:
            return "the current value does not log in"
        pending = self.source.pending().get("new")
        if pending is None:
            return "the current value does not log in, and none is pending"
        self.fallbacks += 1
        if self.login(pending, *self.login_arguments):
            return ""
        return "neither the current value nor the pending one logs in"

    def read(self) -> dict[str, str]:
        now = time.monotonic_ns()
        if self.cached is None or now - self.cached_at >= self.cache_seconds * 1e9:
            found = self.source.current()
            if any(not found.get(name) for name in self.fields):
                raise AssertionError(f"the secret has {sorted(found)} only")
            if found["OTHER"] != shelves.OTHER["OTHER"]:
                raise AssertionError("another field of the secret is not as it was")
            self.cached, self.cached_at = found, now
            digests = [hashlib.sha256(found[name].encode()).hexdigest() for name in self.fields]
            self.values.add(digests[0])
            if self.fields[1:] == ["ACCESS_KEY_ID"]:
                self.pairs.update([tuple(digests), tuple(reversed(digests))])
        return self.cached

    def login_random(self, fields: dict[str, str]) -> bool:
        """Check what was signed with the value of the previous round, as a current reader does."""
        made_with, self.before = self.before, fields["TOKEN"]
        taken = self.source.current()
        return made_with is None or made_with in (taken["TOKEN"], taken["TOKEN_PREVIOUS"])
