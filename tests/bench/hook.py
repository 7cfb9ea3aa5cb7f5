"""What the shell hook costs at a prompt: nothing has changed, a project is entered, it is left.

Each is timed by the shell itself, in one loop with an empty interpreter, so that other load on the
machine affects all of them equally.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING

from bench.measure import Bar, Group
from bench.projects import BARE, BIN, SMALL, Project, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPTS = 1000
UNCHANGED_MS = 1.0
BARE_MS = 6.2  # of an empty interpreter, on the machine for which the limit is 15 ms
LIMIT = 15.0 / BARE_MS
SCRIPT = f"""
eval "$(envkit hook bash)"
timed() {{
  local begin=$EPOCHREALTIME
  "${{@:2}}"
  local end=$EPOCHREALTIME
  echo "$1 $(( ${{end/./}} - ${{begin/./}} ))"
}}
unchanged() {{ for ((i = 0; i < {PROMPTS}; i++)); do _envkit_hook; done; }}
cd "$1"; _envkit_hook
[[ -n $BENCH_00001 ]] || exit 1
timed unchanged unchanged
for ((n = 0; n < $2; n++)); do
  cd /; timed leaving _envkit_hook
  [[ -z $BENCH_00001 ]] || exit 1
  timed bare {" ".join(f"'{word}'" for word in BARE.argv)}
  cd "$1"; timed entering _envkit_hook
  [[ -n $BENCH_00001 ]] || exit 1
done
"""


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure prompts around a project, without the agent and with it."""
    project = Project(folder / "project")
    wanted = values(SMALL)
    project.profile("prod.toml", {name: f"{{{{ {name} }}}}" for name in wanted})
    project.dotenv("prod", wanted)
    runtime = tempfile.mkdtemp(prefix="ek-", dir="/tmp")
    env = {**project.environ, "PATH": f"{BIN}:/usr/bin:/bin", "XDG_RUNTIME_DIR": runtime}
    trust = ["envkit", "trust", "--hook", "--env", "prod"]
    subprocess.run(trust, cwd=project.folder, env=env, check=True, stdout=sys.stderr)
    time.sleep(0.1)  # what was just written is not stored
    try:
        subprocess.run(["envkit", "agent", "start"], env=env, check=True, stdout=sys.stderr)
        yield _prompts(project, env, rounds, mode="off")
        yield _prompts(project, env, rounds, mode="auto")
    finally:
        subprocess.run(["envkit", "agent", "stop"], env=env, check=False, stdout=sys.stderr)
        shutil.rmtree(runtime, ignore_errors=True)


def _prompts(project: Project, env: dict[str, str], rounds: int, *, mode: str) -> Group:
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "bash", str(project.folder), str(rounds)],
        cwd="/",
        env={**env, "ENVKIT_AGENT": mode},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    took: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        name, microseconds = line.split()
        took.setdefault(name, []).append(int(microseconds) / 1000)
    bars = [
        Bar("ms at a prompt where nothing changed", took["unchanged"][0] / PROMPTS, UNCHANGED_MS)
    ]
    for name in ("entering", "leaving"):
        pairs = zip(took[name], took["bare"], strict=True)
        ratio = median(ours / bare for ours, bare in pairs)
        bars.append(Bar(f"{name} / {BARE.name}", ratio, LIMIT if mode == "auto" else 2 * LIMIT))
    how = "through the agent" if mode == "auto" else "without the agent"
    return Group(f"the shell hook {how}, {SMALL} variables from a .env file", {}, bars)
