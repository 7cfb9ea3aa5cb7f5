"""Run the command line on a terminal: a pseudo-terminal of 80 or more columns."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_on_terminal(
    *args: str, cwd: Path, env: Mapping[str, str] | None = None, columns: int = 160
) -> tuple[str, int]:
    """Run `python -m envkit ARGS` with a terminal as stdin, stdout and stderr.

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
            [sys.executable, "-m", "envkit", *args],
            cwd=cwd,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    finally:
        os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux: nobody has the other end open any more
        pass
    finally:
        os.close(ours)
    return shown.decode().replace("\r\n", "\n"), process.wait()
