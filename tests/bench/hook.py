"""What the shell hook costs at a prompt where nothing has changed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bench.measure import Bar, Group
from bench.projects import BIN, SMALL, Project, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPTS = 1000
LIMIT_MS = 15.0
SCRIPT = f"""
eval "$(envkit hook bash)"
cd "$1"; _envkit_hook
[[ -n $BENCH_00001 ]] || exit 1
begin=$EPOCHREALTIME
for ((i = 0; i < {PROMPTS}; i++)); do _envkit_hook; done
end=$EPOCHREALTIME
echo $(( ${{end/./}} - ${{begin/./}} ))
"""


def groups(folder: Path, _rounds: int) -> Iterator[Group]:
    """Measure prompts in a project whose environment is loaded."""
    project = Project(folder / "project")
    wanted = values(SMALL)
    project.profile("prod.toml", {name: f"{{{{ {name} }}}}" for name in wanted})
    project.dotenv("prod", wanted)
    env = {**project.environ, "PATH": f"{BIN}:/usr/bin:/bin"}
    trust = [str(BIN / "envkit"), "trust", "--hook", "--env", "prod"]
    subprocess.run(trust, cwd=project.folder, env=env, check=True, stdout=sys.stderr)
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "bash", str(project.folder)],
        cwd=folder,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    each_ms = int(done.stdout.split()[0]) / 1000 / PROMPTS
    yield Group(
        "the shell hook, 50 variables from a .env file",
        {},
        [Bar("ms at a prompt where nothing changed", each_ms, LIMIT_MS)],
    )
