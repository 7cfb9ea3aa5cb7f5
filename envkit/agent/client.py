"""Ask the agent, on the hot path: needs neither `socket` nor `json`, which cost 10 ms.

    with Connection(socket_path(os.environ)) as agent:      # or raises Unusable, as all others do
        agent.ask(items, os.environb)
        ...                                                 # the agent works meanwhile
        answer = agent.answer()

The client checks the agent's user before it sends anything. It waits for at most 200 ms without
a sign of life; while the agent reads a store, it says so ten times a second.
"""

from __future__ import annotations

from time import monotonic

from envkit.agent.folder import Unusable
from envkit.agent.wire import (
    ANSWER,
    ASK,
    DECLINED,
    DONE,
    HEADER_BYTES,
    MAX_ANSWER_BYTES,
    NEED,
    OTHER_VERSION,
    USUAL,
    VARIABLES,
    WAIT,
    WireError,
    frame,
    frame_of,
    packed_pairs,
    read_answer,
    read_header,
    selected,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from envkit.agent.wire import Answer

SILENCE_SECONDS = 0.2
ROUNDS = 4  # of variables that the agent asks for
_CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid
_PIECE_BYTES = 1 << 20


def _default_timeout() -> float:
    from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS

    return DEFAULT_TIMEOUT_SECONDS


def command(path: str, kind: int) -> Sequence[bytes]:
    """Send a command to the agent and return the items of its answer.

    Raises:
        Unusable: as `ask`.
    """
    with Connection(path) as agent:
        agent.send(frame(kind))
        answered, items = agent.receive()
        if answered != DONE:
            raise Unusable("the agent is of another version of envkit")
        return items


class Connection:
    """A connection to the agent, whose user has been checked; every method raises `Unusable`."""

    def __init__(self, path: str) -> None:
        self._until = monotonic() + SILENCE_SECONDS
        self._socket = _connected(path)
        self._environ: Mapping[bytes, bytes] = {}

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def ask(self, question: Sequence[bytes], environ: Mapping[bytes, bytes]) -> None:
        """Send a question.

        Args:
            question: what `question_items` returns.
            environ: of this process; only USUAL variables, and those that the agent names, are
                sent.
        """
        self._environ = environ
        self.send(frame(ASK, [*question, packed_pairs(selected(environ, USUAL))]))

    def answer(self, timeout_seconds: float | None = None) -> Answer:
        """Return the agent's answer to what `ask` has sent.

        Args:
            timeout_seconds: how long to wait while the agent reads a store; None for the default.
        """
        began = monotonic()
        named: list[bytes] = []
        asked = 0
        while True:
            kind, items = self.receive()
            if kind == ANSWER:
                try:
                    return read_answer(items)
                except WireError as error:
                    raise Unusable(f"the agent's answer makes no sense: {error}") from None
            if kind == WAIT:
                if monotonic() - began >= (timeout_seconds or _default_timeout()):
                    raise Unusable("the agent still waits for a store", declined=True)
                self.patient()
            elif kind == NEED and asked < ROUNDS:
                asked += 1
                named += items
                self.send(frame_of(VARIABLES, packed_pairs(selected(self._environ, named))))
            elif kind == DECLINED:
                reason = b"".join(items).decode("utf-8", "replace")
                raise Unusable(f"the agent does not answer: {reason}", declined=True)
            elif kind == OTHER_VERSION:
                raise Unusable("the agent is of another version of envkit")
            else:
                raise Unusable("the agent does not answer in time")

    def patient(self) -> None:
        """Wait longer: the agent has said that it is reading a store."""
        self._until = monotonic() + SILENCE_SECONDS

    def send(self, data: bytes) -> None:
        """Send a frame."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(error) from None

    def receive(self) -> tuple[int, Sequence[bytes]]:
        """Receive a frame: its kind and items."""
        try:
            kind, length = read_header(self._exactly(HEADER_BYTES), MAX_ANSWER_BYTES)
            return kind, unpack(self._exactly(length))
        except WireError as error:
            raise Unusable(f"the agent's answer makes no sense: {error}") from None
        except OSError as error:
            raise _broken(error) from None

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            self._socket.settimeout(self._left())
            part = self._socket.recv(min(count, _PIECE_BYTES))
            if not part:
                raise Unusable("the agent has closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _left(self) -> float:
        left = self._until - monotonic()
        if left <= 0:
            raise Unusable("the agent does not answer in time")
        return left


def _connected(path: str) -> Any:
    try:
        import _socket  # without `socket`, whose enums cost 9 ms
        import os
        import sys

        credentials = _socket.SO_PEERCRED
    except (ImportError, AttributeError):
        raise Unusable("this system does not say who is behind a socket") from None
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError as error:
        raise _broken(error) from None
    try:
        connection.settimeout(SILENCE_SECONDS)
        connection.connect(path)
        peer = connection.getsockopt(_socket.SOL_SOCKET, credentials, _CREDENTIALS_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise Unusable("there is no agent", absent=True) from None
    except OSError as error:
        connection.close()
        raise _broken(error) from None
    if int.from_bytes(peer[4:8], sys.byteorder) != os.geteuid():
        connection.close()
        raise Unusable("the agent belongs to another user")
    return connection


def _broken(error: OSError) -> Unusable:
    if isinstance(error, TimeoutError):
        return Unusable("the agent does not answer in time")
    return Unusable(f"the connection to the agent failed: {(error.strerror or '').lower()}")
