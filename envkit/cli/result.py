"""Write a result to stdout, or to what `--output` names.

A file on the disk is replaced as a whole, or appended to where its readers expect that. What
is open already (`/dev/stdout`, `/dev/fd/3`), a pipe or a device is written to as a shell would:
nothing that was there is lost.
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
_MAX_LINKS = 40  # as the kernel has it
_STANDARD = 3  # descriptors: stdin, stdout and stderr
_MAX_DESCRIPTOR = 2**31 - 1
_OPEN = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def write_result(data: bytes, output: str | None, *, mode: int | None = None) -> None:
    """Write a result to stdout, or to the file that `--output` names, which is replaced.

    Args:
        data: the whole result.
        output: the file's path; None or `-` for stdout.
        mode: permission bits of the file; see `write_atomic`.

    Raises:
        UsageError: the file cannot be written.
        WriteRefusedError: it cannot be until a person changes something, or its name is in
            the working folder and a link leads out of that.
    """

    def replace(path: str) -> None:
        from envkit._internal.atomic_write import write_atomic
        from envkit._internal.leftovers import sweep_beside

        sweep_beside(path)
        write_atomic(path, data, mode=mode, follow=False)

    _write(data, output, replace)


def append_result(data: bytes, output: str | None, *, mode: int = 0o600) -> None:
    """Write a result as `write_result` does, behind what the file holds already.

    Args:
        data: the whole result, which begins a line.
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
        from envkit._internal.os_errors import reason_of
        from envkit._internal.replaceable import lasting_failure

        lasting = lasting_failure(error, output)
        raise lasting or UsageError(f"cannot write {output}: {reason_of(error)}") from None


def _append(path: str, data: bytes, mode: int) -> None:
    """Write behind the last line of a file: all, or nothing."""
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
    """Return a descriptor of a path that names an open file, a pipe or a device, else None."""
    path = _descriptor_path(output)
    if path is not None:
        folder, number = os.path.split(path)
        match = _DESCRIPTORS.fullmatch(folder)
        if match is not None and match[1] not in (None, str(os.getpid())):
            return os.open(path, _OPEN | os.O_APPEND)  # another process has it open
        ours = min(int(number), _MAX_DESCRIPTOR)  # nothing is open there
        if ours >= _STANDARD and not os.get_inheritable(ours):
            raise UsageError(f"cannot write {output}: it is not open")  # but for envkit itself
        return os.dup(ours)
    try:
        state = os.stat(output)
    except FileNotFoundError:
        return None
    if stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode):
        return os.open(_real_path(output), _OPEN)
    return None


def _descriptor_path(output: str) -> str | None:
    """Return the path below `/proc/PID/fd` or `/dev/fd` that a path leads to, None for others."""
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
    """Return where a file is; a repository that brings a link must not say where that is."""
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
        hint=f"run it again with '--output {target}', if that is the file you mean",
    )
