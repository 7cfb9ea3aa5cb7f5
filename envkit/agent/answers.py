"""What the agent answers: from memory, or after a child has read it.

No client waits for another: a read is done by a child process, and equal questions share one. A
client that joined a read after it began gets its result only if nothing has changed since.
"""

from __future__ import annotations

import time
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from envkit._internal.os_errors import reason_of
from envkit.agent import fetching
from envkit.agent.auditing import unrecorded
from envkit.agent.cache import Cache, Entry, Moment, Reply
from envkit.agent.freshness import is_fresh
from envkit.agent.key import ALWAYS, Keys
from envkit.agent.question import read_question, unusual
from envkit.agent.wire import ANSWER, DECLINED, NEED, RECORDED, frame, head_of, selected
from envkit.resident.forked import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envkit.agent.connection import Client
    from envkit.agent.question import Question

MAX_FLIGHTS = 16
MAX_SHAPES = 1024
MAX_KNOWN_BYTES = 4096  # of a question that is kept
MAX_ROUNDS = 6  # of questions to one client


class Flight:
    """One read that is being done, and who waits for it."""

    def __init__(self, job: Job, client: Client, keys: Keys, now: Moment) -> None:
        self.job = job
        self.began = now
        self.keys = keys
        self.first = client
        self.asked = dict(client.asked)
        self.waiting = [client]
        self.answer: tuple[Any, ...] | None = None


class Answers:
    """The agent's memory, and the reads that are being done.

    Args:
        max_age_seconds: how long an answer is kept.
        close_copies: called in each child; closes the copies of the agent's connections.
        log: called with lines for the log, without values.

    Attributes:
        hits: how many questions were answered from memory.
    """

    def __init__(
        self,
        *,
        max_age_seconds: float,
        close_copies: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self._cache = Cache(now(), is_fresh=is_fresh, max_age=max_age_seconds)
        self._close_copies = close_copies
        self._log = log
        self._keys = Keys()
        self._questions: dict[tuple[bytes, ...], tuple[Question, bytes]] = {}
        self._shapes: dict[bytes, dict[bytes, None]] = {}  # which variables each depends on
        self.flights: dict[bytes, Flight] = {}
        self.hits = self._misses = 0

    def ask(self, client: Client, items: Sequence[bytes]) -> None:
        """Take a question; the client is asked for variables that it has not sent with it.

        Raises:
            WireError: the items are not a question.
            NotForAgentError: the client has to do what it asks.
        """
        client.question, client.shape = self._read(items, client.offered)
        needed = self._shapes.get(client.shape) or ALWAYS
        if unusual(needed):
            self._need(client, needed)
            return
        client.asked.update(dict.fromkeys(needed))
        self.take(client, {})

    def _read(
        self, items: Sequence[bytes], variables: Mapping[bytes, bytes]
    ) -> tuple[Question, bytes]:
        """Return a question and its shape. Those that are asked again are not parsed again.

        What a person has typed for `--set` or as a reason can have a value in it, and is not kept.
        """
        key = (*items, variables.get(b"ENVKIT_REASON", b""))
        known = self._questions.get(key)
        if known is None:
            question = read_question(items, variables)
            known = (question, self._keys.shape(question))
            typed = question.overrides or question.reason
            if not typed and sum(map(len, key)) <= MAX_KNOWN_BYTES:
                while len(self._questions) >= MAX_SHAPES:
                    del self._questions[next(iter(self._questions))]
                self._questions[key] = known
        return known

    def take(self, client: Client, variables: Mapping[bytes, bytes]) -> None:
        """Take the variables that a client was asked for."""
        client.sent = selected({**client.offered, **variables}, client.asked)
        self.look_up(client)

    def look_up(self, client: Client) -> None:
        """Answer from memory, or let a child read what is asked for."""
        key = self._keys.entry(client.shape, client.sent)
        if client.read_for is not None and client.read_for[0] == key:
            _end(client, client.read_for[1])  # the further variables do not exist
            return
        found = self._cache.get(key, now())
        flight = self.flights.get(key)
        known = dict(self._shapes.get(client.shape, {}))
        for one in (found, flight):
            known |= {} if one is None else one.asked
        if not known.keys() <= client.asked.keys():
            self._need(client, known)  # another variable may decide, and this client may have it
        elif found is not None:
            self.hits += bool(found.environment)
            _end(client, found.reply)
        elif flight is not None:
            flight.waiting.append(client)
            client.wait()
        elif len(self.flights) >= MAX_FLIGHTS:
            _decline(client, "too many reads at once")
        else:
            self._begin(key, client)

    def receive(self) -> list[Client]:
        """Deliver what children have read by now; return the clients that were answered."""
        answered = []
        for key, flight in list(self.flights.items()):
            for part in flight.job.receive():
                flight.answer = part
            if flight.job.state is JobState.RUNNING:
                continue
            del self.flights[key]
            answer = flight.answer if flight.job.state is JobState.DONE else None
            self._deliver(key, flight, answer or (fetching.DECLINES, "the read was not completed"))
            answered += flight.waiting
        return answered

    def waiting(self) -> list[Client]:
        """Return the clients that wait for a read."""
        return [client for flight in self.flights.values() for client in flight.waiting]

    def leave(self, client: Client) -> None:
        """Forget a client; a read without waiting clients ends."""
        for key, flight in list(self.flights.items()):
            if client in flight.waiting:
                flight.waiting.remove(client)
                if not flight.waiting:
                    del self.flights[key]
                    flight.job.close()

    def clear(self) -> None:
        """Drop everything; what is being read for clients will not be kept either."""
        self._cache.clear()
        self._keys = Keys()
        self._questions.clear()
        self._shapes.clear()

    def expire(self) -> None:
        """Drop what is too old."""
        self._cache.expire(now())

    def status(self) -> list[str]:
        """Return what is in memory, without values."""
        self.expire()
        return [
            f"hits={self.hits}",
            f"misses={self._misses}",
            *(f"environment={name}={age:.0f}" for name, age in self._cache.ages(now())),
        ]

    def close(self) -> None:
        """End all reads."""
        for flight in self.flights.values():
            flight.job.close()
        self.flights.clear()

    def _need(self, client: Client, names: Iterable[bytes]) -> None:
        client.rounds += 1
        if client.rounds > MAX_ROUNDS:
            _decline(client, "too many rounds")
            return
        new = [one for one in names if one not in client.asked]
        client.asked.update(dict.fromkeys(new))
        client.is_asked = True
        client.send(frame(NEED, new))

    def _begin(self, key: bytes, client: Client) -> None:
        question = client.question
        assert question is not None  # noqa: S101 - `ask` has set it
        work = fetching.fetch(question, client.sent, tuple(client.asked), self._close_copies)
        began = now()
        try:
            job = Job(work, seconds=question.timeout_seconds)
        except OSError as error:
            reason = f"cannot start a process: {reason_of(error)}"
            self._log(f"not answered: {reason}")
            _decline(client, reason)
            return
        self.flights[key] = Flight(job, client, self._keys, began)
        client.wait()

    def _deliver(self, key: bytes, flight: Flight, answer: tuple[Any, ...]) -> None:
        match answer:
            case (fetching.NEEDS, list(names)):
                for client in flight.waiting:
                    self._learn(flight, client, names)
                    self._need(client, names)
            case (fetching.FOUND, reply, files, further, environment, keep):
                found = Reply(*reply)
                self._misses += bool(environment)
                # what was being read when the memory was cleared is not kept
                fresh = keep and flight.keys is self._keys and is_fresh(files)
                if fresh:
                    depends = flight.asked | dict.fromkeys(further)
                    self._cache.put(key, Entry(found, files, depends, environment, flight.began))
                for client in flight.waiting:
                    self._learn(flight, client, further)
                    if client is not flight.first and not fresh:
                        self._again(client)  # it may have changed before this client asked
                    elif further:
                        client.read_for = (key, found)
                        self._need(client, further)
                    else:
                        _end(client, found)
            case (_, reason):
                self._log(f"not answered: {reason}")
                for client in flight.waiting:
                    _decline(client, str(reason))

    def _again(self, client: Client) -> None:
        client.rounds += 1
        if client.rounds > MAX_ROUNDS:
            _decline(client, "too many rounds")
        else:
            self.look_up(client)

    def _learn(self, flight: Flight, client: Client, names: Sequence[bytes]) -> None:
        if flight.keys is not self._keys:
            return
        known = self._shapes.pop(client.shape, None) or dict(client.asked)
        known.update(dict.fromkeys(names))
        self._shapes[client.shape] = known
        while len(self._shapes) > MAX_SHAPES:
            del self._shapes[next(iter(self._shapes))]


def now() -> Moment:
    """Return this time."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(monotonic(), time.clock_gettime(clock))


def _end(client: Client, reply: Reply) -> None:
    """Send an answer, and that it is in the audit log; or a refusal."""
    head = head_of(reply.kind, len(reply.body))
    if reply.kind != ANSWER:
        client.end(head, reply.body)
        return
    question = client.question
    assert question is not None  # noqa: S101 - `ask` has set it
    client.send(head)
    client.send(reply.body)
    with suppress(OSError):  # the server notices when it writes again
        client.write()  # the client reads while the line is written, and then waits for it
    rest = unrecorded(question, client.offered, client.pid, reply.used)
    client.end(frame(RECORDED, [rest, b"1" if question.pristine else b""]))


def _decline(client: Client, reason: str) -> None:
    client.end(frame(DECLINED, [reason.encode()]))
