"""A short run of `make torture`, with few kills and pauses, so that it stays runnable."""

import sys
from pathlib import Path

from support.process import run_program

TORTURE = Path(__file__).parents[1] / "torture"
KILL = TORTURE / "kill.py"


def test_paused_processes_do_not_restore_a_retired_password():
    options = ("--store", "vault", "--rotator", "redis", "--pauses", "5", "--seed", "7")
    ran = run_program(sys.executable, TORTURE / "pauses.py", *options, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 5 pauses in " in ran.stdout
    assert "0 left behind, 0 wrong" in ran.stdout


def test_a_rotation_survives_kills_at_random_moments():
    options = ("--store", "dotenv", "--rotator", "random", "--each", "9")
    ran = run_program(sys.executable, KILL, *options, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("dotenv")]
    _, _, kills, _, logins, _, failed, *_, wrong, _ = line.split()
    assert (failed, wrong) == ("0", "0")
    assert int(kills) > 20, ran.stdout
    assert int(logins) > int(kills)
