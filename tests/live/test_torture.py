"""A slice of `make torture`, so that it is known to run: few kills, no server but the files."""

import subprocess
import sys
from pathlib import Path

KILL = Path(__file__).parents[1] / "torture" / "kill.py"


def test_a_rotation_is_killed_here_and_there():
    command = [sys.executable, KILL, "--store", "dotenv", "--rotator", "random", "--each", "9"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("dotenv")]
    _, _, kills, _, logins, _, failed, *_, wrong, _ = line.split()
    assert (failed, wrong) == ("0", "0")
    assert int(kills) > 20, ran.stdout
    assert int(logins) > int(kills)
