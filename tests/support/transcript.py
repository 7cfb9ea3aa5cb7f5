"""The output of a command as one text that a test can compare.

    envkit: error: no environment given        stdout is unchanged,
    2> envkit: hint: use --env NAME               stderr is marked with `2> `,
    [2]                                           the exit status is last, unless it is 0

The streams are not interleaved: stdout is first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping


def transcript(
    done: subprocess.CompletedProcess[str], places: Mapping[object, str] | None = None
) -> str:
    """Return the transcript of a command.

    Args:
        done: from `run_envkit` or `Project.run`.
        places: texts that differ between runs, and their names in the test: `{root: "ROOT"}`.
    """
    text = done.stdout
    if text and not text.endswith("\n"):
        text += "%\n"  # marks a line without a newline, as some shells do
    text += "".join(f"2> {line}\n" for line in done.stderr.splitlines())
    if done.returncode:
        text += f"[{done.returncode}]\n"
    for place, name in (places or {}).items():
        text = text.replace(str(place), name)
    return text


def told(done: subprocess.CompletedProcess[str], places: Mapping[object, str] | None = None) -> str:
    """Return the transcript, with V for the version of a file, which differs between runs."""
    text = transcript(done, places)
    return re.sub(r"version [0-9a-f]+-[0-9a-f]+-[0-9a-f]+", "version V", text)
