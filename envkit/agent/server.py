"""The agent's loop: one thread that answers from memory, and children that read stores.

No client waits for another: a read is done by a child process, and equal questions share one.
While a child reads, its clients get a sign of life ten times a second. Whoever sends nonsense, or
sends slowly, is disconnected.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from time import monotonic
from typing import TYPE_CHECKING, Any

from envkit import __version__
from envkit.agent import fetching
from envkit.agent.cache import Cache, Entry, Moment
from envkit.agent.connection import Client
from envkit.agent.freshness import is_fresh, signature
from envkit.agent.key import ALWAYS, Keys
from envkit.agent.wire import (
    ASK,
    CLEAR,
    DECLINED,
    DONE,
    NEED,
    OTHER_VERSION,
    STATUS,
    STOP,
    VARIABLES,
    WireError,
    frame,
    read_question,
)
from envkit.resident.forked import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.agent.wire import Question

MAX_CLIENTS = 256
MAX_FLIGHTS = 16
MAX_SHAPES = 1024
MAX_ROUNDS = 6  # of questions to one client
WAIT_SECONDS = 0.1
CHECK_SECONDS = 2.0  # between looks at the clock and at its own socket
BACKLOG = 256


class Flight:
    """One read that is being done, and who waits for it."""

    def __init__(self, job: Job, client: Client, keys: Keys, now: Moment) -> None:
        self.job = job
        self.began = now
        self.keys = keys
        self.first = client
        self.waiting = [client]
        self.answer: tuple[Any, ...] | None = None


class Server:
    """Answers clients until it is told to stop, is idle, or has been replaced.

    Args:
        listener: the listening socket; its path is checked from time to time.
        path: of the socket.
        max_age_seconds: how long an answer is kept.
        idle_seconds: without a question, the agent ends after them.
        life_seconds: the agent ends after them.
        log: called with lines for the log, without values.

    Attributes:
        waker: a pipe; a byte in it wakes the loop, for the handlers of signals.
    """

    def __init__(
        self,
        listener: socket.socket,
        path: str,
        *,
        max_age_seconds: float,
        idle_seconds: float,
        life_seconds: float,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._listener = listener
        self._path = path
        self._own = _inode(path)
        self._code = signature(__file__)
        self._log = log
        self._cache = Cache(_now(), is_fresh=is_fresh, max_age=max_age_seconds)
        self._keys = Keys()
        self._shapes: dict[bytes, list[bytes]] = {}
        self._clients: set[Client] = set()
        self._flights: dict[bytes, Flight] = {}
        self._idle_seconds, self._life_seconds = idle_seconds, life_seconds
        self._began = self._used = monotonic()
        self._hits = self._misses = 0
        self._ended = ""
        self._next_wait = self._next_check = monotonic()
        self._selector = selectors.DefaultSelector()
        listener.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ)
        self._wake, self.waker = os.pipe()
        for end in (self._wake, self.waker):
            os.set_blocking(end, False)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer until there is a reason to end; `close` removes what is left."""
        while not self._ended:
            self.step()
        self._log(f"ends: {self._ended}")

    def clear(self) -> None:
        """Drop all entries; what is being read for clients is not kept either."""
        self._cache.clear()
        self._keys = Keys()  # a read that is being done is stored under a key that nobody has
        self._shapes.clear()
        self._log("cleared")

    def stop(self, reason: str) -> None:
        """End after this step."""
        self._ended = self._ended or reason

    def is_own_socket(self) -> bool:
        """Return whether the socket's path still leads to this agent."""
        return self._own is not None and _inode(self._path) == self._own

    def close(self) -> None:
        """Close all connections and end the children."""
        for flight in self._flights.values():
            flight.job.close()
        self._close_copies()
        self._selector.close()
        for end in (self._wake, self.waker):
            os.close(end)

    def step(self) -> None:
        """Wait until something happens, and deal with it."""
        events = self._selector.select(self._pause())
        for key, mask in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj == self._wake:
                os.read(self._wake, 1 << 12)
            elif isinstance(key.data, Client):
                self._serve(key.data, mask)
            else:
                self._receive(key.data)
        now = monotonic()
        for client in [one for one in self._clients if one.is_late(now)]:
            self._disconnect(client)
        if now >= self._next_wait:
            self._next_wait = now + WAIT_SECONDS
            self._keep_waiting()
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._check(now)

    def _pause(self) -> float:
        if self._flights:
            return WAIT_SECONDS
        now = monotonic()
        return min([CHECK_SECONDS, *(one.left(now) for one in self._clients)])

    # ---------------------------------------------------------------- clients

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        client = Client(connection)
        if len(self._clients) >= MAX_CLIENTS or not client.is_of_this_user():
            connection.close()
            return
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _serve(self, client: Client, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                client.write()
            if mask & selectors.EVENT_READ:
                for kind, items in client.read():
                    self._understand(client, kind, items)
        except (WireError, OSError):
            self._disconnect(client)
            return
        self._settle(client)

    def _understand(self, client: Client, kind: int, items: Sequence[bytes]) -> None:
        self._used = monotonic()
        if kind == ASK and client.question is None:
            self._ask(client, read_question(items))
        elif kind == VARIABLES and client.question is not None and client.is_asked:
            if len(items) % 2:
                raise WireError("a variable has no value")
            client.sent = dict(zip(items[::2], items[1::2], strict=True))
            client.is_asked = False
            self._look_up(client)
        elif kind == STATUS:
            client.end(frame(DONE, self._status()))
        elif kind == CLEAR:
            self.clear()
            client.end(frame(DONE))
        elif kind == STOP:
            client.end(frame(DONE))
            self.stop("stopped")
        else:
            raise WireError("an unexpected frame")

    def _settle(self, client: Client) -> None:
        """Send what there is to send; end the connection after the last frame."""
        if client not in self._clients:
            return
        try:
            client.write()
        except OSError:
            self._disconnect(client)
            return
        if client.is_done():
            self._disconnect(client)
            return
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.has_more() else 0)
        self._selector.modify(client.connection, mask, client)

    def _disconnect(self, client: Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._selector.unregister(client.connection)
            client.connection.close()
        for key, flight in list(self._flights.items()):
            if client in flight.waiting:
                flight.waiting.remove(client)
                if not flight.waiting:
                    self._end_flight(key, flight)

    def _close_copies(self) -> None:
        """Close the connections, of which a child has copies."""
        self._listener.close()
        for client in self._clients:
            client.connection.close()

    # ---------------------------------------------------------------- questions

    def _ask(self, client: Client, question: Question) -> None:
        if question.release != __version__ or signature(__file__) != self._code:
            client.end(frame(OTHER_VERSION, [__version__.encode()]))
            if signature(__file__) != self._code:
                self.stop("envkit was installed again")
            return
        client.question = question
        client.shape = self._keys.shape(question)
        self._need(client, self._shapes.get(client.shape) or list(ALWAYS))

    def _need(self, client: Client, names: Sequence[bytes]) -> None:
        client.rounds += 1
        if client.rounds > MAX_ROUNDS:
            self._decline(client, "too many rounds")
            return
        new = [one for one in names if one not in client.asked]
        client.asked += new
        client.is_asked = True
        client.send(frame(NEED, new))

    def _look_up(self, client: Client) -> None:
        """Answer from memory, or let a child read what is asked for."""
        key = self._keys.entry(client.shape, client.sent)
        read = client.read_for
        if read is not None and read[0] == key:
            client.end(read[1])  # the further variables do not exist
            return
        known = self._shapes.get(client.shape, ())
        if any(one not in client.asked for one in known):
            self._need(client, known)  # learned since
            return
        found = self._cache.get(key, _now())
        if found is not None:
            self._hits += 1
            client.end(found.frame)
            return
        flight = self._flights.get(key)
        if flight is not None:
            flight.waiting.append(client)
        elif len(self._flights) >= MAX_FLIGHTS:
            self._decline(client, "too many reads at once")
            return
        else:
            self._begin(key, client)
        client.wait()

    def _decline(self, client: Client, reason: str) -> None:
        client.end(frame(DECLINED, [reason.encode()]))

    # ---------------------------------------------------------------- reads

    def _begin(self, key: bytes, client: Client) -> None:
        question = client.question
        assert question is not None  # noqa: S101 - `_understand` has looked
        self._misses += 1
        work = fetching.fetch(question, client.sent, tuple(client.asked), self._close_copies)
        now = _now()
        job = Job(work, seconds=question.timeout_seconds)
        flight = Flight(job, client, self._keys, now)
        self._flights[key] = flight
        self._selector.register(flight.job.fileno(), selectors.EVENT_READ, key)

    def _receive(self, key: bytes) -> None:
        flight = self._flights.get(key)
        if flight is None:
            return
        descriptor = flight.job.fileno()
        for part in flight.job.receive():
            flight.answer = part
        if flight.job.state is JobState.RUNNING:
            return
        del self._flights[key]
        self._selector.unregister(descriptor)
        answer = flight.answer if flight.job.state is JobState.DONE else None
        self._deliver(key, flight, answer or (fetching.DECLINES, "the read was not completed"))
        for client in flight.waiting:
            self._settle(client)

    def _deliver(self, key: bytes, flight: Flight, answer: tuple[Any, ...]) -> None:
        match answer:
            case (fetching.NEEDS, list(names)):
                for client in flight.waiting:
                    self._learn(client.shape, names, client)
                    self._need(client, names)
            case (fetching.FOUND, data, files, further, environment, keep):
                # what was being read when the memory was cleared is not kept
                fresh = keep and flight.keys is self._keys and is_fresh(files)
                if fresh:
                    self._cache.put(key, Entry(data, files, environment, flight.began))
                for client in flight.waiting:
                    self._learn(client.shape, further, client)
                    if client is not flight.first and not fresh:
                        self._again(client)  # it may have changed before this client asked
                    elif further:
                        client.read_for = (key, data)
                        self._need(client, further)
                    else:
                        client.end(data)
            case (_, reason):
                self._log(f"not answered: {reason}")
                for client in flight.waiting:
                    self._decline(client, str(reason))

    def _again(self, client: Client) -> None:
        client.rounds += 1
        if client.rounds > MAX_ROUNDS:
            self._decline(client, "too many rounds")
        else:
            self._look_up(client)

    def _learn(self, shape: bytes, names: Sequence[bytes], client: Client) -> None:
        if shape != self._current_shape(client):
            return  # cleared since
        known = self._shapes.pop(shape, None) or list(client.asked)
        known += [one for one in names if one not in known]
        self._shapes[shape] = known
        while len(self._shapes) > MAX_SHAPES:
            del self._shapes[next(iter(self._shapes))]

    def _current_shape(self, client: Client) -> bytes:
        return b"" if client.question is None else self._keys.shape(client.question)

    def _end_flight(self, key: bytes, flight: Flight) -> None:
        """End a read for which nobody waits any more."""
        del self._flights[key]
        self._selector.unregister(flight.job.fileno())
        flight.job.close()

    # ---------------------------------------------------------------- time

    def _keep_waiting(self) -> None:
        for key in list(self._flights):
            self._receive(key)  # a child that is late is killed here
        for flight in list(self._flights.values()):
            for client in list(flight.waiting):
                client.wait()
                self._settle(client)

    def _check(self, now: float) -> None:
        self._cache.expire(_now())
        if not self.is_own_socket():
            self.stop("its socket was replaced")
        elif now - self._used >= self._idle_seconds and not self._flights:
            self.stop("idle")
        elif now - self._began >= self._life_seconds:
            self.stop("old")

    def _status(self) -> list[bytes]:
        now = _now()
        self._cache.expire(now)
        lines = [
            f"pid={os.getpid()}",
            f"version={__version__}",
            f"age={monotonic() - self._began:.0f}",
            f"hits={self._hits}",
            f"misses={self._misses}",
            *(f"environment={name}={age:.0f}" for name, age in self._cache.ages(now)),
        ]
        return [line.encode("utf-8", "surrogateescape") for line in lines]


def _now() -> Moment:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(monotonic(), time.clock_gettime(clock))


def _inode(path: str) -> tuple[int, int] | None:
    try:
        state = os.lstat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino
