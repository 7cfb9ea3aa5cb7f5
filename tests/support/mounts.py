"""A project in which one file is a mount point, as with `docker run -v FILE:FILE`.

The mount exists in a mount namespace of the command, and ends with it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from support.process import run_program

if TYPE_CHECKING:
    import subprocess
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
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env}
    envkit = (sys.executable, "-m", "envkit", *args)
    return run_program(*mounting, *envkit, cwd=cwd, env=env, input=input)
