"""Write a result to stdout or to the file in `--output`.

A file on disk is replaced atomically, or appended to if its readers expect that. An open
file (`/dev/stdout`, `/dev/fd/3`), a pipe or a device is written to as a shell would do it, without
losing existing content.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from envkit.errors import UsageError, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIPTORS = re.compile(r"/dev/fd|/proc/([0-9]+)(/task/[0-9]+)?/fd")
_MAX_LINKS = 40  # the limit in the kernel
_STANDARD = 3  # file descriptors: stdin, stdout and stderr
_MAX_DESCRIPTOR = 2**31 - 1
_OPEN = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def write_result(data: bytes, output: str | None, *, mode: int | None = None) -> None:
    """Write a result to stdout, or replace the file in `--output`.

    Args:
        data: the whole result.
        output: the file's path; None or `-` for stdout.
        mode: permission bits of the file; see `write_atomic`.

    Raises:
        UsageError: the file cannot be written.
        WriteRefusedError: the file cannot be written until a person changes something, or it
            is a link that leads out of the working folder.
    """

    def replace(path: str) -> None:
        from envkit._internal.writing.atomic_write import write_atomic
        from envkit._internal.writing.leftovers import sweep_beside

        sweep_beside(path)
        write_atomic(path, data, mode=mode, follow=False)

    _write(data, output, replace)


def append_result(data: bytes, output: str | None, *, mode: int = 0o600) -> None:
    """Append a result to the file in `--output`, or write it to stdout.

    Args:
        data: the whole result, which starts a new line.
        output: the file's path; None or `-` for stdout.
        mode: permission bits of a new file.

    Raises:
        UsageError: the file cannot be written.
        WriteRefusedError: as for `write_result`.
    """
    _write(data, output, lambda path: _append(path, data, mode))


def _write(data: bytes, output: str | None, to_file: Callable[[str], object]) -> None:
    if output is None or output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    if not output:
        raise UsageError(
            "--output is empty: your shell expanded a variable that is not set",
            hint="name a file, or '-' for stdout",
        )
    try:
        if output.endswith("/"):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), output)
        descriptor = _open_as_it_is(output)
        if descriptor is None:
            to_file(_real_path(output))
            return
        sys.stdout.flush()
        with open(descriptor, "wb") as stream:
            stream.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        from shlex import quote

        from envkit._internal.os_errors import reason_of
        from envkit._internal.writing.replaceable import lasting_failure

        lasting = lasting_failure(error, output)
        folder = os.path.dirname(output)
        missing = isinstance(error, FileNotFoundError) and not os.path.lexists(folder)
        hint = f"run: mkdir -p {quote(folder)}" if missing and folder else None
        message = f"cannot write {output}: {reason_of(error)}"
        raise lasting or UsageError(message, hint=hint) from None


def _append(path: str, data: bytes, mode: int) -> None:
    """Append to a file completely or not at all."""
    descriptor = os.open(path, _APPEND, mode)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise UsageError(f"cannot write {path}: not a regular file")
        end = state.st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            data = b"\n" + data
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)


def _open_as_it_is(output: str) -> int | None:
    """Return a descriptor if the path is an open file, a pipe or a device; None otherwise."""
    path = _descriptor_path(output)
    if path is not None:
        folder, number = os.path.split(path)
        match = _DESCRIPTORS.fullmatch(folder)
        if match is not None and match[1] not in (None, str(os.getpid())):
            return os.open(path, _OPEN | os.O_APPEND)  # another process has it open
        ours = min(int(number), _MAX_DESCRIPTOR)  # nothing is open there
        if ours >= _STANDARD and not os.get_inheritable(ours):
            raise UsageError(
                f"cannot write {output}: it is not open"
            )  # only envkit itself has it open
        return os.dup(ours)
    try:
        state = os.stat(output)
    except FileNotFoundError:
        return None
    if stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode):
        return os.open(_real_path(output), _OPEN)
    return None


def _descriptor_path(output: str) -> str | None:
    """Return the path in `/proc/PID/fd` or `/dev/fd` that a path leads to; None otherwise."""
    path = os.path.abspath(output)
    for _ in range(_MAX_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        path = os.path.join(folder, name)
        if name.isdecimal() and _DESCRIPTORS.fullmatch(folder):
            if os.path.abspath(output).startswith(_working_folder()):
                raise _leads_out(output, path)
            return path
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def _real_path(output: str) -> str:
    """Return the real path of a file; refuse a link in a repository that leads out of it."""
    from envkit._internal.files import resolved

    target, folder = resolved(output), _working_folder()
    if os.path.abspath(output).startswith(folder) and not target.startswith(folder):
        raise _leads_out(output, target)
    return target


def _working_folder() -> str:
    from envkit._internal.files import resolved

    return resolved(".").rstrip("/") + "/"


def _leads_out(output: str, target: str) -> WriteRefusedError:
    return WriteRefusedError(
        f"{output} is a link that leads out of this folder, to {target}",
        hint=f"to write there, run it again with '--output {target}'",
    )
