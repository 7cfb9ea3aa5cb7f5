"""What a client and the agent send each other: frames, each a kind and a list of byte strings.

    magic (3), version (1), kind (1), length of the rest (4), then the items, each with its length

Nothing that a peer has sent is unmarshalled or evaluated. A frame that is too long, or of another
version, is refused before its content is read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC, VERSION = b"EKA", 1
HEADER_BYTES = 9
MAX_QUESTION_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024

# from a client
ASK, VARIABLES, STATUS, CLEAR, STOP = range(1, 6)
# from the agent
NEED, WAIT, ANSWER, DECLINED, OTHER_VERSION, DONE = range(65, 71)


class WireError(Exception):
    """A peer has sent something that is not of this protocol; the message is for a log."""


def frame(kind: int, items: Iterable[bytes] = ()) -> bytes:
    """Return one frame."""
    body = pack(items)
    return MAGIC + bytes((VERSION, kind)) + len(body).to_bytes(4, "big") + body


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


def pack(items: Iterable[bytes]) -> bytes:
    """Return byte strings as one."""
    parts = []
    for item in items:
        parts.append(len(item).to_bytes(4, "big"))
        parts.append(item)
    return b"".join(parts)


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
