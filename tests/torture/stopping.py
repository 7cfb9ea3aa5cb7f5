"""Stop everything at the n-th message to a server, and kill its sender or run another action.

    with Stopper() as stopper:
        port = stopper.before(server.port, http=True)      # any number of servers
        stopper.arm(7, ANSWERED)
        stopper.aim(run.kill)                              # messages wait for this call
        stopper.settle()
        stopper.stopped                                    # whether there were seven messages

Messages to all servers are counted together, in the order of their arrival. A request of
HTTP is one message, and so is what a client of another protocol sends at once.

Invariant: a process that is killed at a message has ended before anything else happens;
once `settle` has returned, no server is at work on what a dead process has sent.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

from support.fault_proxy import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE = "before"  # the server never gets the request
REQUESTED = "requested"  # it has the request, and executes it or not, because the client is gone
ANSWERED = "answered"  # it has executed the request; the client gets no answer
MOMENTS = (BEFORE, REQUESTED, ANSWERED)  # of a kill
HELD = "held"  # the server gets the request once `release` is called
LOST = "lost"  # the server has executed it, and the connection ends without an answer
SEVERED = "severed"  # as `requested`, but the server notices nothing until `release`
_ANSWER_SECONDS = 5.0
_SETTLE_SECONDS = 10.0
_CHUNK = 1 << 16


class Stopper:
    """See the module's docstring."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._listeners: list[socket.socket] = []
        self._open = 0
        self._number = 0
        self._at, self._moment = 0, ""
        self._containing = b""
        self._act: Callable[[], None] = lambda: None
        self._ready = threading.Event()
        self._released = threading.Event()
        self.stopped = False

    def __enter__(self) -> Stopper:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def before(self, port: int, *, http: bool = False) -> int:
        """Listen in front of a server on this machine; return the port for clients."""
        listener = socket.create_server((HOST, 0), backlog=128)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, port, http), daemon=True).start()
        return listener.getsockname()[1]

    def arm(self, number: int, moment: str, *, containing: bytes = b"") -> None:
        """Restart the count; stop at this message, or at none if it is 0.

        Args:
            number: of the message.
            moment: when to stop, relative to the server.
            containing: count only messages that contain this.
        """
        with self._lock:
            self._number, self._at, self._moment = 0, number, moment
            self._containing = containing
            self.stopped = False
            self._ready.clear()
            self._released.clear()

    def aim(self, act: Callable[[], None]) -> None:
        """Set the action at the message, such as a kill of its sender; messages wait for this."""
        self._act = act
        self._ready.set()

    def release(self) -> None:
        """Release the messages that wait, and close severed connections."""
        self._released.set()

    @property
    def number(self) -> int:
        """The number of messages."""
        return self._number

    def settle(self) -> None:
        """Wait until every server has finished the requests of dead clients."""
        with self._lock:
            if not self._changed.wait_for(lambda: not self._open, _SETTLE_SECONDS):
                raise AssertionError("a server does not let go of a dead client's connection")

    # ---------------------------------------------------------------- threads

    def _accept(self, listener: socket.socket, port: int, http: bool) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open += 1
            threading.Thread(target=self._serve, args=(client, port, http), daemon=True).start()

    def _serve(self, client: socket.socket, port: int, http: bool) -> None:
        try:
            with client, socket.create_connection((HOST, port)) as server:
                for endpoint in (client, server):
                    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):
                    self._relay(client, server, http)
                client.close()
                with contextlib.suppress(OSError):
                    _drain(server)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= 1
                self._changed.notify_all()

    def _relay(self, client: socket.socket, server: socket.socket, http: bool) -> None:
        request = b""
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if server in ready:
                answer = server.recv(_CHUNK)
                if not answer:
                    return
                client.sendall(answer)
            if client in ready:
                sent = client.recv(_CHUNK)
                if not sent:
                    return
                request += sent
                if http and not _is_whole(request):
                    continue
                if not self._pass(request, server):
                    return
                request = b""

    def _pass(self, request: bytes, server: socket.socket) -> bool:
        """Pass a message on; return False if its sender is gone."""
        with self._lock:
            counted = self._containing in request
            self._number += counted
            hit = counted and self._number == self._at
            moment = self._moment
        if not hit:
            server.sendall(request)
            return True
        self._ready.wait()
        if moment not in (BEFORE, HELD):
            server.sendall(request)
        if moment in (ANSWERED, LOST):
            ready, _, _ = select.select([server], [], [], _ANSWER_SECONDS)
            assert ready, "a server does not answer"
            server.recv(_CHUNK)
        self._act()
        self.stopped = True
        if moment in (HELD, SEVERED):
            self._released.wait()
        if moment == HELD:
            server.sendall(request)
        return moment == HELD


def _is_whole(request: bytes) -> bool:
    """Whether an HTTP request is complete."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return False
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        assert name.lower() != b"transfer-encoding", "a chunked request"
        if name.lower() == b"content-length":
            length = int(value)
    return len(body) >= length


def _drain(server: socket.socket) -> None:
    """Close the client's side, and wait until the server has noticed."""
    server.settimeout(_SETTLE_SECONDS)
    server.shutdown(socket.SHUT_WR)
    while server.recv(_CHUNK):
        pass
