"""One client of the agent: what it has sent so far, and what it is to be sent."""

from __future__ import annotations

import os
import socket
import sys
from time import monotonic
from typing import TYPE_CHECKING

from envkit.agent.wire import HEADER_BYTES, MAX_QUESTION_BYTES, WAIT, frame, read_header, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.agent.cache import Reply
    from envkit.agent.question import Question

FRAME_SECONDS = 2.0  # for a client to send, or to receive, what is due
_PARTS = 16  # to send at once, so that a client wakes up once
_PIECE_BYTES = 1 << 16
_WAIT = frame(WAIT)


class Client:
    """A connection to a client; nothing blocks.

    Attributes:
        question: what it has asked.
        shape: the key of the question.
        pid: its process.
        asked: the variables that its answer depends on; `sent` are those that exist.
        offered: the variables that it has sent with its question.
        is_asked: whether it has to send variables now.
        read_for: the key of an answer that is complete unless further variables exist; the answer.
        rounds: how often it was asked.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.question: Question | None = None
        self.shape = b""
        self.pid = 0
        self.asked: dict[bytes, None] = {}
        self.sent: dict[bytes, bytes] = {}
        self.is_asked = False
        self.offered: dict[bytes, bytes] = {}
        self.read_for: tuple[bytes, Reply] | None = None
        self.rounds = 0
        self._received = bytearray()
        self._to_send: list[memoryview] = []  # not copied for each client
        self._ends = False
        self._late_at = monotonic() + FRAME_SECONDS
        connection.settimeout(0)

    def is_of_this_user(self) -> bool:
        """Return whether the same user is behind the connection."""
        found = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = int.from_bytes(found[:4], sys.byteorder)
        return int.from_bytes(found[4:8], sys.byteorder) == os.geteuid()

    def read(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the frames that have arrived.

        Raises:
            WireError: what arrived is no frame.
            OSError: the connection has ended.
        """
        data = self.connection.recv(_PIECE_BYTES)
        if not data:
            raise ConnectionResetError
        if self._ends:
            return  # whatever it sends now fills no memory
        self._received += data
        while len(self._received) >= HEADER_BYTES and not self._ends:
            kind, length = read_header(bytes(self._received[:HEADER_BYTES]), MAX_QUESTION_BYTES)
            end = HEADER_BYTES + length
            if len(self._received) < end:
                return
            items = unpack(bytes(self._received[HEADER_BYTES:end]))
            del self._received[:end]
            yield kind, items

    def send(self, data: bytes) -> None:
        """Send a frame after those before it."""
        self._late_at = monotonic() + FRAME_SECONDS
        self._to_send.append(memoryview(data))

    def wait(self) -> None:
        """Tell it to wait, unless it is behind with what it was sent before."""
        if not self._to_send:
            self.send(_WAIT)

    def end(self, *parts: bytes) -> None:
        """Send the parts of the last frame."""
        self.question = None
        for part in parts:
            self.send(part)
        self._ends = True

    def write(self) -> None:
        """Send what the connection takes now.

        Raises:
            OSError: the connection has ended.
        """
        while self._to_send:
            try:
                count = self.connection.sendmsg(self._to_send[:_PARTS])
            except BlockingIOError:
                return
            while self._to_send and count >= len(self._to_send[0]):
                count -= len(self._to_send.pop(0))
            if count:
                self._to_send[0] = self._to_send[0][count:]

    def has_more(self) -> bool:
        """Return whether there is more to send."""
        return bool(self._to_send)

    def is_done(self) -> bool:
        """Return whether the last frame was sent."""
        return self._ends and not self._to_send

    def left(self, now: float) -> float:
        """Return the seconds until it is late."""
        return max(0.0, self._late_at - now)

    def is_late(self, now: float) -> bool:
        """Return whether it has sent, or received, too slowly."""
        return now >= self._late_at
