"""What a person sees of a command, as one text that a test can hold.

    envkit: error: no environment given        what came on stdout stands as it is,
    2> envkit: hint: use --env NAME               what came on stderr behind `2> `,
    [2]                                           and the exit status last, unless it is 0

The two streams do not interleave: stdout comes first.
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
    """Return what came of a command.

    Args:
        done: from `run_envkit` or `Project.run`.
        places: what differs from run to run, and how the test calls it: `{root: "ROOT"}`.
    """
    text = done.stdout
    if text and not text.endswith("\n"):
        text += "%\n"  # as some shells mark a line without its end
    text += "".join(f"2> {line}\n" for line in done.stderr.splitlines())
    if done.returncode:
        text += f"[{done.returncode}]\n"
    for place, name in (places or {}).items():
        text = text.replace(str(place), name)
    return text


def told(done: subprocess.CompletedProcess[str], places: Mapping[object, str] | None = None) -> str:
    """Return the transcript, with V for the version of a file: it differs from run to run."""
    text = transcript(done, places)
    return re.sub(r"version [0-9a-f]+-[0-9a-f]+-[0-9a-f]+", "version V", text)
