"""Run the command line on a terminal: a pseudo-terminal of 80 or more columns."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# its stdin becomes the terminal of a new session, as after a login: Ctrl-C needs that
_IN_TERMINAL = (
    sys.executable,
    "-IS",
    "-c",
    "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])",
)


CTRL_C = b"\x03"
HEEDED_SECONDS = 20  # before pressing it again


def _read(terminal: int, *, interrupted: bool) -> bytes:
    """Wait for output on the terminal, and return it.

    Python misses a signal that arrives between its last check and its wait for input. Ctrl-C
    is then pressed again, as a person would do.
    """
    while interrupted and not select.select([terminal], [], [], HEEDED_SECONDS)[0]:
        os.write(terminal, CTRL_C)
    return os.read(terminal, 65536)


def run_on_terminal(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    columns: int = 160,
    answers: Sequence[tuple[str, str | Callable[[], str]]] = (),
    encoding: str = "utf-8",
) -> tuple[str, int]:
    """Run `python -m envkit ARGS` with a terminal as stdin, stdout and stderr.

    Args:
        args: the command line, without `envkit`.
        cwd: the working directory.
        env: added to PATH, LANG, HOME and the variables of a terminal.
        columns: of the terminal.
        answers: what is typed once the terminal has shown a text since the last answer;
            `\\x03` is Ctrl-C. Surrogates stand for bytes that are not UTF-8. A function is
            called then, and returns what is typed.
        encoding: of what the terminal shows.

    Returns:
        what the terminal showed, with `\\n` at the ends of lines, and the exit status.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": os.environ["HOME"],
        "TERM": "xterm-256color",
        "COLUMNS": str(columns),
        **(env or {}),
    }
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*_IN_TERMINAL, sys.executable, "-m", "envkit", *args],
            cwd=cwd,
            env=environment,
            stdin=theirs,
        )
    finally:
        os.close(theirs)
    shown = b""
    seen = 0
    typed = b""
    waiting = [(question.encode(), answer) for question, answer in answers]
    try:
        while chunk := _read(ours, interrupted=typed == CTRL_C):
            shown += chunk
            while waiting and waiting[0][0] in shown[seen:]:
                question, answer = waiting.pop(0)
                seen = shown.index(question, seen) + len(question)
                text = answer if isinstance(answer, str) else answer()
                typed = text.encode("utf-8", "surrogateescape")
                os.write(ours, typed)
    except OSError:  # on Linux, the other end is closed
        pass
    finally:
        os.close(ours)
    return shown.decode(encoding, "surrogateescape").replace("\r\n", "\n"), process.wait()
