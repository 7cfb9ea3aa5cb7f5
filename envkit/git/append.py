"""Append lines to a file that git reads: `.gitignore`, `.gitattributes`.

Guarantees: lines that are there stay as they are, with their line endings. Several processes lose
no line: what is missing is decided under a lock. A link is refused, because git does not follow it.
"""

from __future__ import annotations

import os

from envkit._internal.file_lock import locked
from envkit._internal.files import read_real
from envkit._internal.paths import display_path
from envkit._internal.writing.atomic_write import write_atomic
from envkit._internal.writing.replaceable import check_replaceable
from envkit.errors import WriteRefusedError
from envkit.git.write_failure import write_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LIMIT_BYTES = 1024 * 1024
_LOCK_SECONDS = 15.0


def check_appendable(path: str, missing: Callable[[str], Sequence[str]]) -> None:
    """Refuse what `append_lines` would refuse. Changes nothing.

    Raises:
        SourceError: the file cannot be read or replaced.
    """
    try:
        if missing(_content(path)):
            check_replaceable(path)
    except OSError as error:
        raise write_failure(path, error) from None


def append_lines(
    path: str, missing: Callable[[str], Sequence[str]], *, head: str = ""
) -> tuple[str, ...]:
    """Append the lines that a file lacks, and return them.

    Args:
        path: the file, which may not exist; absolute, in a folder without links.
        missing: returns the lines, given the content of the file.
        head: a comment above the lines, after an empty line.

    Raises:
        WriteRefusedError: the file is a link, or may not be replaced.
        LockedError: another process had the lock until the timeout.
        SourceError: the file cannot be read or written.
    """
    try:
        if not missing(_content(path)):
            return ()  # without a lock, for a folder that cannot be written
        check_replaceable(path)
        with locked(path, timeout_seconds=_LOCK_SECONDS, follow=False):
            before = _content(path)
            lines = tuple(missing(before))
            if lines:
                text = _appended(before, [head, *lines] if head else lines, gap=bool(head))
                data = text.encode("utf-8", "surrogateescape")
                write_atomic(path, data, mode=None if before else 0o644, follow=False)
    except OSError as error:
        raise write_failure(path, error) from None
    return lines


def _appended(before: str, lines: Sequence[str], *, gap: bool) -> str:
    newline = "\r\n" if "\r\n" in before else "\n"
    if before and not before.endswith("\n"):
        before += newline
    if before and gap:
        before += newline
    return before + "".join(line + newline for line in lines)


def _content(path: str) -> str:
    if os.path.islink(path):
        raise WriteRefusedError(
            f"{display_path(path)} is a symbolic link, which git does not read",
            hint="replace it with a file",
        )
    try:
        return read_real(path, _LIMIT_BYTES)[0].decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
