"""Let a person edit a text with secrets without leaving a copy behind.

The file has mode 0600. Its folder has mode 0700 and is in XDG_RUNTIME_DIR, which is in memory, or
else in TMPDIR. At the end, the folder is wiped with all files that the editor created in it. The
next edit wipes the folder of a process that was killed; a lock protects folders in use.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit._internal.private_folder import private_folder, wipe
from envkit.dotenv.file import LIMIT_BYTES
from envkit.encryption.keys import PRIVATE_KEY
from envkit.errors import EnvkitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

DEFAULT_EDITOR = "vi"
_PREFIX = "envkit-edit-"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class EditorError(EnvkitError):
    """The editor could not start, or failed; its text is ignored."""

    code = "editor-failed"
    exit_status = 1


@contextmanager
def private_file(name: str) -> Iterator[str]:
    """Yield the path for a new file in a private folder, and wipe the folder afterwards."""
    parent = os.environ.get("XDG_RUNTIME_DIR")
    if parent is not None and not os.access(parent, os.W_OK):
        parent = None
    with private_folder(_PREFIX, parent) as folder:
        before = {number: signal.signal(number, _end) for number in _ENDINGS}
        try:
            yield os.path.join(folder, name)
        finally:
            wipe(folder)  # while no signal can stop it
            for number, handler in before.items():
                signal.signal(number, handler)


def run_editor(path: str, text: str) -> str:
    """Write a text to a file, let the person edit it, and return the new text.

    Raises:
        EditorError: there is no editor, or it failed.
        UsageError: this is not a terminal, or the edited file is not text.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):  # vi would print the text
            raise UsageError(
                f"cannot start {DEFAULT_EDITOR}: not a terminal",
                hint="set EDITOR to your editor, or change one value with 'envkit set'",
            )
        command = DEFAULT_EDITOR
    # an editor may have replaced it with a link or a pipe
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise EditorError(f"cannot write the text to edit: {reason_of(error)}") from None
    # like a shell: Ctrl-C is for the editor, and envkit waits for it
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        done = subprocess.run([*shlex.split(command), path], env=_environment(), check=False)  # noqa: S603 - theirs
    except (OSError, ValueError) as error:
        reason = reason_of(error, "not a command")
        raise EditorError(
            f"cannot run the editor '{command}': {reason}", hint="set EDITOR to your editor"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode != 0:
        raise EditorError(f"the editor exited with status {done.returncode}; nothing was changed")
    try:
        return read_capped(path, LIMIT_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        raise UsageError("the edited file is missing or not text; nothing was changed") from None


def _environment() -> dict[str, str]:
    """Return the environment without the private keys of encrypted files."""
    return {name: text for name, text in os.environ.items() if not name.startswith(PRIVATE_KEY)}


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
