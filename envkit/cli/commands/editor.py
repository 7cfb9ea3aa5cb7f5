"""Let a person edit a text that holds secrets, and leave none of it behind.

The file is 0600 in a folder of its own, 0700, in XDG_RUNTIME_DIR (which is memory) or
else TMPDIR. The folder is wiped with all that the editor has put into it, whatever
happens, unless the process is killed outright.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit.dotenv.file import LIMIT_BYTES
from envkit.errors import EnvkitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

DEFAULT_EDITOR = "vi"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class EditorError(EnvkitError):
    """The editor could not be run, or ended with an error; nothing is taken from it."""

    code = "editor-failed"
    exit_status = 1


@contextmanager
def private_file(name: str) -> Iterator[str]:
    """Yield the path of a file to come, in a private folder that is wiped afterwards."""
    parent = os.environ.get("XDG_RUNTIME_DIR")
    if parent is not None and not os.access(parent, os.W_OK):
        parent = None
    folder = tempfile.mkdtemp(prefix="envkit-edit-", dir=parent)
    before = {number: signal.signal(number, _end) for number in _ENDINGS}
    try:
        yield os.path.join(folder, name)
    finally:
        _wipe(folder)
        for number, handler in before.items():
            signal.signal(number, handler)


def edit(path: str, text: str) -> str:
    """Write a text to a file, let a person edit it, and return what it is then.

    Raises:
        EditorError: there is no editor, or it failed.
        UsageError: there is no terminal for it, or what it left behind is no text.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):  # it would print the text
            raise UsageError(
                f"there is no terminal for {DEFAULT_EDITOR}",
                hint="set EDITOR to your editor, or change one value with 'envkit set'",
            )
        command = DEFAULT_EDITOR
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    # as a shell would: Ctrl-C is the editor's, and we wait for it
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        done = subprocess.run([*shlex.split(command), path], check=False)  # noqa: S603 - theirs
    except (OSError, ValueError) as error:
        reason = reason_of(error, "not a command")
        raise EditorError(
            f"cannot run the editor '{command}': {reason}", hint="set EDITOR to your editor"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode != 0:
        raise EditorError(f"the editor ended with status {done.returncode}; nothing was changed")
    try:
        return read_capped(path, LIMIT_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        raise UsageError("the editor left no text behind; nothing was changed") from None


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _wipe(folder: str) -> None:
    """Overwrite and remove a folder's files; those that an editor added, too."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = os.path.join(parent, name)
            try:
                with open(os.open(path, os.O_WRONLY | os.O_NOFOLLOW), "wb") as file:
                    file.write(b"\0" * os.fstat(file.fileno()).st_size)
            except OSError:
                pass  # a link, or not ours to write; it is removed all the same
            os.unlink(path)
        for name in folders:
            os.rmdir(os.path.join(parent, name))
    os.rmdir(folder)
