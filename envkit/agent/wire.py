"""What a client and the agent send each other: frames, each a kind and a list of byte strings.

    magic (3), version (1), kind (1), length of the rest (4), then the items, each with its length

Nothing that a peer has sent is unmarshalled or evaluated. A frame that is too long, or of another
version, is refused before its content is read. A question has the words of the command line, and
those of the USUAL variables that exist. Others are sent later, and only if the agent names them.

`asking` has what makes frames, because a client loads only that before it asks.
"""

from time import monotonic

from envkit.agent.asking import (
    ASK,
    CLEAR,
    MAGIC,
    STATUS,
    STOP,
    USUAL,
    VARIABLES,
    VERSION,
    Connection,
    Unusable,
    broken,
    failed,
    frame,
    frame_of,
    head_of,
    os_encode,
    pack,
    packed_pairs,
    patterns,
    selected,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ASK",
    "CLEAR",
    "STATUS",
    "STOP",
    "USUAL",
    "VARIABLES",
    "frame",
    "frame_of",
    "head_of",
    "os_encode",
    "pack",
    "packed_pairs",
    "patterns",
    "selected",
]

HEADER_BYTES = 9
MAX_QUESTION_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # the kernel passes 6 MB to a program
ROUNDS = 4  # of variables that the agent asks for
_PIECE_BYTES = 1 << 20
_ANSWER_ITEMS = 4
_IN_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
# what the agent sends
NEED, WAIT, ANSWER, RECORDED, DECLINED, OTHER_VERSION, DONE = range(65, 72)


class WireError(Exception):
    """A peer has sent something that is not of this protocol; the message is for a log."""


def read_header(header: bytes, limit: int) -> tuple[int, int]:
    """Return the kind of a frame and the length of its body.

    Args:
        header: HEADER_BYTES bytes.
        limit: the longest body that is read.

    Raises:
        WireError: it is not a frame of this version, or it is too long.
    """
    if header[:3] != MAGIC:
        raise WireError("not a frame")
    if header[3] != VERSION:
        raise WireError("another version")
    length = int.from_bytes(header[5:9], "big")
    if length > limit:
        raise WireError("too long")
    return header[4], length


def unpack(body: bytes) -> list[bytes]:
    """Return the byte strings that `pack` was given.

    Raises:
        WireError: it is not what `pack` returns.
    """
    items = []
    at, end = 0, len(body)
    while at < end:
        begin = at + 4
        at = begin + int.from_bytes(body[at:begin], "big")
        if at > end or begin > end:
            raise WireError("an item is cut off")
        items.append(body[begin:at])
    return items


class Answer:
    """One resolved environment.

    Attributes:
        bootstrap: the variables that only envkit itself needs.
        names: its variables.
        values: theirs, in the same order.
        files: those that the values come from, for the shell hook; else none.
        unrecorded: what the client has to add to the audit log; empty if the agent has done that.
        pristine: whether the app inherits only a few variables.
    """

    __slots__ = ("bootstrap", "files", "names", "pristine", "unrecorded", "values")

    def __init__(
        self,
        bootstrap: "Sequence[bytes]",
        names: "Sequence[bytes]",
        values: "Sequence[bytes]",
        files: "Sequence[bytes]",
    ) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.values = values
        self.files = files
        self.unrecorded = b""
        self.pristine = False

    def __repr__(self) -> str:
        return f"Answer({len(self.names)} variables)"

    def body(self) -> bytes:
        """Return the body of a frame, without what differs between clients."""
        return pack(map(pack, (self.bootstrap, self.names, self.values, self.files)))


def read_answer(items: "Sequence[bytes]") -> Answer:
    """Return the answer of a frame.

    Raises:
        WireError: it is not an answer.
    """
    if len(items) != _ANSWER_ITEMS:
        raise WireError("an answer has other items")
    answer = Answer(*map(unpack, items))
    if len(answer.names) != len(answer.values):
        raise WireError("an answer has other items")
    odd = b"".join(answer.names).translate(None, _IN_NAMES)
    if odd or not all(answer.names) or b"\0" in b"".join(answer.values):
        raise WireError("not a variable")
    return answer


def receive(connection: Connection) -> "tuple[int, Sequence[bytes]]":
    """Receive a frame from the agent: its kind and items.

    Raises:
        Unusable: as the methods of the connection do.
    """
    try:
        kind, length = read_header(_exactly(connection, HEADER_BYTES), MAX_ANSWER_BYTES)
        return kind, unpack(_exactly(connection, length))
    except WireError as error:
        raise Unusable(f"the agent's answer makes no sense: {error}") from None
    except OSError as error:
        raise broken(error) from None


def receive_answer(connection: Connection, timeout_seconds: float | None = None) -> Answer:
    """Return the agent's answer to what `Asking.ask` has sent, and end the connection.

    Args:
        connection: to the agent.
        timeout_seconds: how long to wait while the agent reads a store; None for the default.

    Raises:
        Unusable: there is no answer.
    """
    with connection:
        try:
            return _answer(connection, timeout_seconds)
        except WireError as error:
            raise Unusable(f"the agent's answer makes no sense: {error}") from None
        except Unusable:
            raise
        except Exception as error:  # noqa: BLE001 - a command never fails because of the agent
            raise failed(error) from None


def _answer(connection: Connection, timeout_seconds: float | None) -> Answer:
    began = monotonic()
    named: list[bytes] = []
    asked = 0
    while True:
        kind, items = receive(connection)
        if kind == ANSWER:
            answer = read_answer(items)
            connection.patient()
            return _recorded(answer, *receive(connection))
        if kind == WAIT:
            if monotonic() - began >= (timeout_seconds or _default_timeout()):
                raise Unusable("the agent still waits for a store", declined=True)
            connection.patient()
        elif kind == NEED and asked < ROUNDS:
            asked += 1
            named += items
            variables = packed_pairs(selected(connection.environ, named))
            connection.send(frame_of(VARIABLES, variables))
        elif kind == DECLINED:
            reason = b"".join(items).decode("utf-8", "replace")
            raise Unusable(f"the agent does not answer: {reason}", declined=True)
        elif kind == OTHER_VERSION:
            raise Unusable("the agent is of another version of envkit")
        else:
            raise Unusable("the agent does not answer in time")


def _recorded(answer: Answer, kind: int, items: "Sequence[bytes]") -> Answer:
    if kind != RECORDED or len(items) != 2:
        raise WireError("an answer is not recorded")
    answer.unrecorded, answer.pristine = items[0], bool(items[1])
    return answer


def _exactly(connection: Connection, count: int) -> bytes:
    parts = []
    while count:
        connection.socket.settimeout(connection.left())
        part = connection.socket.recv(min(count, _PIECE_BYTES))
        if not part:
            raise Unusable("the agent has closed the connection")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _default_timeout() -> float:
    from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS

    return DEFAULT_TIMEOUT_SECONDS


def os_decode(data: bytes) -> str:
    """Return the text that `os_encode` was given."""
    return data.decode("utf-8", "surrogateescape")
