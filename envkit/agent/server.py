"""The agent's loop: one thread that reads questions and writes answers, and never blocks.

While a child reads a store, its clients get a sign of life ten times a second. A client that
sends nonsense, or sends slowly, is disconnected.
"""

from __future__ import annotations

import os
import selectors
from time import monotonic
from typing import TYPE_CHECKING

from envkit import __version__
from envkit.agent.answers import Answers
from envkit.agent.connection import Client
from envkit.agent.freshness import signature
from envkit.agent.question import NotForAgentError, read_pairs
from envkit.agent.wire import (
    ASK,
    CLEAR,
    DECLINED,
    DONE,
    OTHER_VERSION,
    STATUS,
    STOP,
    VARIABLES,
    WireError,
    frame,
    unpack,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from envkit.agent.answers import Flight

MAX_CLIENTS = 256
WAIT_SECONDS = 0.1
CHECK_SECONDS = 2.0  # between looks at the clock and at its own socket
BACKLOG = 256


class Server:
    """Answers clients until it is told to stop, is idle, or has been replaced.

    Args:
        listener: the listening socket; its path is checked from time to time.
        path: of the socket.
        max_age_seconds: how long an answer is kept.
        idle_seconds: without a question, the agent ends after them.
        unused_seconds: the same, until it has first answered from memory.
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
        unused_seconds: float = float("inf"),
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._listener = listener
        self._path = path
        self._own = _inode(path)
        self._code = signature(__file__)
        self._log = log
        self._answers = Answers(
            max_age_seconds=max_age_seconds, close_copies=self._close_sockets, log=log
        )
        self._clients: set[Client] = set()
        self._idle_seconds, self._life_seconds = idle_seconds, life_seconds
        self._unused_seconds = unused_seconds
        self._began = self._used = monotonic()
        self._ended = ""
        self._forgets = False
        self._next_wait = self._next_check = monotonic()
        # epoll would also report a pipe that was closed here, as long as a child has a copy of it,
        # under a number that a client may have by then
        self._selector = selectors.PollSelector()
        self._jobs: set[tuple[int, Flight]] = set()
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
        """Forget everything in the next step; a handler of a signal may call it at any time."""
        self._forgets = True

    def stop(self, reason: str) -> None:
        """End after this step."""
        self._ended = self._ended or reason

    def is_own_socket(self) -> bool:
        """Return whether the socket's path still leads to this agent."""
        return self._own is not None and _inode(self._path) == self._own

    def close(self) -> None:
        """Close all connections and end the children."""
        self._answers.close()
        self._close_sockets()
        self._selector.close()
        for end in (self._wake, self.waker):
            os.close(end)

    def step(self) -> None:
        """Wait until something happens, and deal with it."""
        self._watch_jobs()
        events = self._selector.select(self._pause())
        self._forget()  # before a question is answered
        for key, mask in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj == self._wake:
                os.read(self._wake, 1 << 12)
            elif isinstance(key.data, Client):
                self._serve(key.data, mask)
        answered = self._answers.receive()
        self._watch_jobs()
        for client in answered:
            self._settle(client)
        now = monotonic()
        for client in [one for one in self._clients if one.is_late(now)]:
            self._disconnect(client)
        if now >= self._next_wait:
            self._next_wait = now + WAIT_SECONDS
            for client in self._answers.waiting():
                client.wait()
                self._settle(client)
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._check(now)

    def _forget(self) -> None:
        if self._forgets:
            self._forgets = False
            self._answers.clear()
            self._log("cleared")

    def _watch_jobs(self) -> None:
        """Wait for the children that there are now, and no longer for others.

        It is called before anything is opened after a child has ended: a number may be used again.
        """
        wanted = {(flight.job.fileno(), flight) for flight in self._answers.flights.values()}
        for number, _ in self._jobs - wanted:
            self._selector.unregister(number)
        for number, _ in wanted - self._jobs:
            self._selector.register(number, selectors.EVENT_READ)
        self._jobs = wanted

    def _pause(self) -> float:
        if self._answers.flights:
            return WAIT_SECONDS
        now = monotonic()
        return min([CHECK_SECONDS, *(one.left(now) for one in self._clients)])

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
        else:
            self._settle(client)

    def _understand(self, client: Client, kind: int, items: Sequence[bytes]) -> None:
        self._used = monotonic()
        if kind == ASK and client.question is None:
            client.offered = read_pairs(unpack(items[-1])) if items else {}
            self._ask(client, items[:-1])
        elif kind == VARIABLES and client.question is not None and client.is_asked:
            client.is_asked = False
            self._answers.take(client, read_pairs(items))
        elif kind == STATUS:
            client.end(frame(DONE, self._status()))
        elif kind == CLEAR:
            self.clear()
            self._forget()
            client.end(frame(DONE))
        elif kind == STOP:
            client.end(frame(DONE))
            self.stop("stopped")
        else:
            raise WireError("an unexpected frame")

    def _ask(self, client: Client, items: Sequence[bytes]) -> None:
        if not items:
            raise WireError("a question has other items")
        replaced = signature(__file__) != self._code
        if replaced or items[0] != __version__.encode():
            client.end(frame(OTHER_VERSION, [__version__.encode()]))
            if replaced:
                self.stop("envkit was installed again")
            return
        try:
            self._answers.ask(client, items)
        except NotForAgentError as reason:
            client.end(frame(DECLINED, [str(reason).encode()]))

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
            self._answers.leave(client)
            self._watch_jobs()

    def _close_sockets(self) -> None:
        """Close the connections; a child closes its copies of them."""
        self._listener.close()
        for client in self._clients:
            client.connection.close()

    def _check(self, now: float) -> None:
        self._answers.expire()
        if not self.is_own_socket():
            self.stop("its socket was replaced")
        elif signature(__file__) != self._code:
            self.stop("envkit was installed again")
        elif now - self._used >= self._patience() and not self._answers.flights:
            self.stop("idle")
        elif now - self._began >= self._life_seconds:
            self.stop("old")

    def _patience(self) -> float:
        used = self._answers.hits > 0
        return self._idle_seconds if used else min(self._idle_seconds, self._unused_seconds)

    def _status(self) -> list[bytes]:
        lines = [
            f"pid={os.getpid()}",
            f"version={__version__}",
            f"age={monotonic() - self._began:.0f}",
            *self._answers.status(),
        ]
        return [line.encode("utf-8", "surrogateescape") for line in lines]


def _inode(path: str) -> tuple[int, int] | None:
    try:
        state = os.lstat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino
