"""The hook in zsh and fish: it runs before each prompt of a shell on a terminal."""

import os
import sys

import pytest

from support.process import program, run_program

pytestmark = pytest.mark.extra

SHELLS = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}
RUNS = {"bash": "_envkit_hook", "zsh": "_envkit_hook", "fish": "_envkit_hook"}
HOOK = {
    "bash": 'eval "$(envkit hook bash)"',
    "zsh": 'eval "$(envkit hook zsh)"',
    "fish": "envkit hook fish | source",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_loads_restores_and_follows_a_file(shell, project, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "envkit", f'#!/bin/sh\nexec {sys.executable} -m envkit "$@"\n')
    project.profile(
        "dev.toml", '[variables]\nKEY = "{{ KEY }}"\nMODE = "it\'s \\\\ a $x"\nNEW = "n"\n'
    )
    project.dotenv("dev", "KEY=one\n")
    env = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "KEY": "mine's \\ $x",
    }
    assert project.run("trust", "--hook", "--env", "dev", env=env).returncode == 0
    show = 'echo "$KEY|$MODE|$NEW"'
    step = RUNS[shell]
    script = "\n".join(
        [
            HOOK[shell],
            *(step, show),
            *(f"cd {project.root}", step, show),
            *("cd profiles", step, show),
            *(f"sleep 0.1; echo KEY=two > {project.root}/.env.dev", step, show),
            *("cd /", step, show),
        ]
    )
    done = run_program(*SHELLS[shell], "-c", script, env=env, cwd=tmp_path)
    mode = "it's \\ a $x"
    assert done.stdout.splitlines() == [
        "mine's \\ $x||",
        f"one|{mode}|n",
        f"one|{mode}|n",
        f"two|{mode}|n",
        "mine's \\ $x||",
    ], done.stderr
    assert done.stderr.splitlines() == [
        "envkit: note: loaded dev (3 variables)",
        "envkit: note: loaded dev (3 variables)",
        "envkit: note: unloaded dev",
    ]
