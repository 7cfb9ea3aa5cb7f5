"""The audit log as a file of chained lines, appended by one process at a time.

Each line is one JSON object. It ends with its sequence number, the hash of the previous line
and its own hash, which is SHA-256 over everything in the line before `,"hash":`

    {"time":"2026-11-25T09:30:00.000Z",...,"seq":2,"previous":"5f0c...","hash":"9ab1..."}

Guarantees: a line is added as a whole, under a lock. The partial line of a writer that
died stays in the file, and the next line records its hash (`interrupted`). The chain continues
from file to file. `audit.jsonl` is the newest file; a full one is renamed to the next number,
starting with `audit.1.jsonl`, and the oldest file beyond the limit is removed.

The hashes have no key: a process that can write the file can rewrite all of it. An anchor
that is stored elsewhere detects that (see `verify`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from envkit._internal.clock import Deadline
from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256

    from envkit.errors import AuditError
else:
    try:  # as `random` does: `hashlib` loads OpenSSL, a quarter of an interpreter's start
        from _sha256 import sha256  # Python 3.11
    except ImportError:
        try:
            from _sha2 import sha256
        except ImportError:
            from hashlib import sha256

MAX_BYTES = 8 * 1024 * 1024  # size at which a file is full
MAX_FULL_FILES = 12  # how many of them stay beside the newest
LOCK_SECONDS = 5.0
_LOCK_PAUSE_SECONDS = 0.002
_TAIL_BYTES = 512  # longer than the part of a line that `parse_link` reads
_HASH_LENGTH = 64
_LINK_HINT = "remove the link, or name another file with ENVKIT_AUDIT=/PATH/audit.jsonl"

BEGINNING = "0" * _HASH_LENGTH  # the first line of a log has no predecessor and names this one


class Link(NamedTuple):
    """The fields that chain a line to its predecessor."""

    seq: int
    previous: str
    hash: str


def append(
    path: str, text: str, *, max_bytes: int = MAX_BYTES, lock_seconds: float = LOCK_SECONDS
) -> None:
    """Add one line to the log, and create its folder and file if they do not exist.

    Args:
        path: absolute path of the newest file.
        text: a JSON object without its closing brace.
        max_bytes: size from which a file is full.
        lock_seconds: how long to wait for other processes.

    Raises:
        AuditError: nothing was added.
    """
    try:
        descriptor = _open_locked(path, lock_seconds)
        try:
            if _append(descriptor, path, text) >= max_bytes:
                _begin_another(path)
        finally:
            _close_locked(descriptor)
    except OSError as error:
        raise _unwritten(path, error) from None


def check(path: str) -> None:
    """Check that a line can be added, and create the folder and file if they do not exist.

    Raises:
        AuditError: no line can be added.
    """
    try:
        _close_locked(_open_locked(path))
    except OSError as error:
        raise _unwritten(path, error) from None


def parse_link(line: bytes) -> Link | None:
    """Return the link of a line, or of the end of a line; None if the line is not complete."""
    body, mark, own = line.rpartition(b',"hash":"')
    rest, second_mark, previous = body.rpartition(b',"previous":"')
    _, third_mark, number = rest.rpartition(b',"seq":')
    if not (mark and second_mark and third_mark and number.isdigit()):
        return None
    if not (own.endswith(b'"}') and previous.endswith(b'"')):
        return None
    own, previous = own[:-2], previous[:-1]
    if not (_is_hash(own) and _is_hash(previous)):
        return None
    return Link(int(number), previous.decode(), own.decode())


def hash_of(line: bytes) -> str:
    """Return the hash that this line should have."""
    return sha256(line.rpartition(b',"hash":"')[0]).hexdigest()


def hash_of_rest(rest: bytes) -> str:
    """Return the hash under which a line records the incomplete lines before it."""
    return sha256(rest.removesuffix(b"\n")).hexdigest()


def full_files(path: str) -> list[tuple[int, str]]:
    """Return the number and path of each full file of a log, oldest first.

    Raises:
        OSError: the folder cannot be read.
    """
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    found = []
    for other in os.listdir(folder):
        number = other.removeprefix(stem + ".").removesuffix(extension)
        if other == f"{stem}.{number}{extension}" and number.isascii() and number.isdigit():
            found.append((int(number), os.path.join(folder, other)))
    return sorted(found)


def open_shared(path: str) -> int:
    """Open the newest file of the log under a lock, so that no process adds a line to it.

    Raises:
        OSError: it cannot be opened.
        AuditError: other processes did not release the lock in time.
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _lock(descriptor, path, fcntl.LOCK_SH)
            if _is_still(path, os.fstat(descriptor)):  # else another process has rotated it
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def unlock(descriptor: int) -> None:
    """Unlock a file that `open_shared` has opened, so that other processes can add lines."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _is_hash(text: bytes) -> bool:
    return len(text) == _HASH_LENGTH and not text.strip(b"0123456789abcdef")


def _open_locked(path: str, lock_seconds: float = LOCK_SECONDS) -> int:
    while True:
        descriptor = _open(path)
        try:
            _lock(descriptor, path, fcntl.LOCK_EX, lock_seconds)
            state = os.fstat(descriptor)
            _refuse_strange(state, path)
            if _is_still(path, state):  # else another process has rotated it
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _close_locked(descriptor: int) -> None:
    unlock(descriptor)  # a child that was forked meanwhile has the file open as long as it lives
    os.close(descriptor)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    folder = os.path.dirname(path)
    try:
        state = os.stat(folder)
    except FileNotFoundError:
        _make_folder(folder)
        state = os.stat(folder)
    open_to_others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if open_to_others and not state.st_mode & stat.S_ISVTX:
        raise _failed(path, "other users can write to its folder", hint=f"run: chmod go-w {folder}")
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise _failed(path, "it is a symbolic link", hint=_LINK_HINT) from None
        raise


def _make_folder(folder: str) -> None:
    """Create a folder and its parents; only this user may enter the new ones."""
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make_folder(parent)
    try:  # noqa: SIM105 - importing contextlib takes longer than this function
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass  # another process was faster; if it is not a folder, opening a file in it fails


def _lock(descriptor: int, path: str, kind: int, seconds: float = LOCK_SECONDS) -> None:
    deadline = Deadline(seconds)
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.expired:
                raise _failed(path, "another process has locked it") from None
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return


def _refuse_strange(state: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise _failed(path, "it is not a regular file")
    if state.st_uid != os.geteuid():
        raise _failed(path, "it belongs to another user")
    if state.st_nlink > 1:
        raise _failed(path, "it has a second name (a hard link)", hint=_LINK_HINT)
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _failed(path, "other users can write to it", hint=f"run: chmod go-w {path}")


def _is_still(path: str, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), state)
    except FileNotFoundError:
        return False


def _begin_another(path: str) -> None:
    """Rename the newest file, which is locked, to the next number; remove files beyond the limit.

    The line has already been added. If the renaming fails, the file keeps growing.
    """
    stem, extension = os.path.splitext(path)
    try:
        full = full_files(path)
        os.rename(path, f"{stem}.{full[-1][0] + 1 if full else 1}{extension}")
        for _, oldest in full[: max(0, len(full) + 1 - MAX_FULL_FILES)]:
            os.unlink(oldest)
    except OSError:
        pass


def _append(descriptor: int, path: str, text: str) -> int:
    """Add a line to the locked file, and return the new size of the file."""
    size = os.fstat(descriptor).st_size
    last, rest, start = _end(descriptor, size)
    if last is None:
        last = _end_of_full(path)
    if rest:
        text += f',"interrupted":"{hash_of_rest(rest)}"'
    text += f',"seq":{last.seq + 1},"previous":"{last.hash}"'
    line = f'{start}{text},"hash":"{sha256(text.encode()).hexdigest()}"}}\n'.encode()
    try:
        view = memoryview(line)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.ftruncate(descriptor, size)
        raise
    return size + len(line)


def _end(descriptor: int, size: int) -> tuple[Link | None, bytes, str]:
    """Return how a file ends.

    Returns:
        the link of its last complete line, the bytes after that line, and the newline that is
        missing at the end, if any.
    """
    if not size:
        return None, b"", ""
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    if tail.endswith(b"\n") and (link := parse_link(tail[:-1].rpartition(b"\n")[2])):
        return link, b"", ""
    content = os.pread(descriptor, size, 0)
    missing = "" if content.endswith(b"\n") else "\n"
    lines = content.split(b"\n")
    for index in range(len(lines) - 1, -1, -1):
        if link := parse_link(lines[index]):
            return link, b"\n".join(lines[index + 1 :]), missing
    return None, content, missing


def _end_of_full(path: str) -> Link:
    """Return the link that the first line of a new file continues."""
    for _, full in reversed(full_files(path)):
        descriptor = _open_full(full)
        try:
            last, *_ = _end(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        if last is not None:
            return last
    return Link(0, "", BEGINNING)


def _open_full(path: str) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise _failed(path, "it is a symbolic link", hint=_LINK_HINT) from None
        raise


def _unwritten(path: str, error: OSError) -> AuditError:
    from envkit._internal.os_errors import reason_of

    return _failed(path, reason_of(error))


def _failed(path: str, reason: str, *, hint: str | None = None) -> AuditError:
    from envkit.errors import AuditError

    return AuditError(
        f"cannot write the audit log {path}: {reason}",
        hint=hint or "name another file with ENVKIT_AUDIT=/PATH/audit.jsonl, or fix this one",
    )
