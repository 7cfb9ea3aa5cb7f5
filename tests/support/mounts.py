"""A project in which one file is mounted by itself, as `docker run -v FILE:FILE` does it.

The mount is in a mount namespace of the command's, and gone when that ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


def run_with_mount(
    source: Path,
    target: Path,
    *args: str,
    cwd: Path,
    env: dict[str, str],
    input: str = "",  # noqa: A002 - as subprocess.run names it
) -> subprocess.CompletedProcess[str]:
    """Run `envkit ARGS` where the file `source` is mounted on the file `target`."""
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    mounting = ["unshare", *own, "--mount", "sh", "-c", _SCRIPT, "sh", source, target]
    return subprocess.run(
        [*mounting, sys.executable, "-m", "envkit", *args],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env},
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
