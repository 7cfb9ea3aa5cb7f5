"""Read a named pipe as if it were a file. Some tools provide a `.env` file as a pipe.

A pipe can be read only once. A second read under the same deadline (in the same command)
returns the same content.
"""

from __future__ import annotations

import errno
import os
from select import POLLIN, poll
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit._internal.clock import Deadline

_locks: dict[tuple[int, int], Lock] = {}
_contents: dict[tuple[int, int], tuple[Deadline, bytes]] = {}


def read_fifo(descriptor: int, limit_bytes: int, deadline: Deadline) -> bytes:
    """Return the content written to a pipe until it is closed, at most `limit_bytes` + 1 bytes.

    Args:
        descriptor: the pipe, opened without blocking.
        limit_bytes: the limit; one more byte is read to detect a longer content.
        deadline: how long to wait for the writer.

    Raises:
        TimeoutError: no writer opened the pipe, or none closed it, in time.
        OSError: the pipe cannot be read.
    """
    state = os.fstat(descriptor)
    key = state.st_dev, state.st_ino
    with _locks.setdefault(key, Lock()):
        known = _contents.get(key)
        if known is None or known[0] is not deadline:
            known = _contents[key] = deadline, _read(descriptor, limit_bytes + 1, deadline)
    return known[1]


def _read(descriptor: int, left: int, deadline: Deadline) -> bytes:
    poller = poll()
    poller.register(descriptor, POLLIN)
    chunks: list[bytes] = []
    while left > 0:
        if not poller.poll(deadline.remaining_seconds() * 1000):
            reason = "nothing was written to the pipe" if not chunks else "the pipe was not closed"
            raise TimeoutError(errno.ETIMEDOUT, f"{reason} within {deadline.timeout_seconds:g} s")
        try:
            chunk = os.read(descriptor, min(left, 1 << 16))
        except BlockingIOError:
            continue
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
