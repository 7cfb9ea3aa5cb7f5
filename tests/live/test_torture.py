"""A slice of `make torture`, so that it is known to run: few kills, no server but the files."""

import sys
from pathlib import Path

from support.process import run_program

KILL = Path(__file__).parents[1] / "torture" / "kill.py"


def test_a_rotation_is_killed_here_and_there():
    options = ("--store", "dotenv", "--rotator", "random", "--each", "9")
    ran = run_program(sys.executable, KILL, *options, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("dotenv")]
    _, _, kills, _, logins, _, failed, *_, wrong, _ = line.split()
    assert (failed, wrong) == ("0", "0")
    assert int(kills) > 20, ran.stdout
    assert int(logins) > int(kills)
