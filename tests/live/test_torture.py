"""A short run of `make torture`, with few kills and rotations, so that it stays runnable."""

import sys
from pathlib import Path

from support.process import run_program

TORTURE = Path(__file__).parents[1] / "torture"
KILL = TORTURE / "kill.py"
SURVIVE = TORTURE / "survive.py"


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


def test_an_app_with_a_live_environment_survives_a_rotation_that_ends_another_app():
    rows = ("--only", "psycopg_pool", "--only", "control")
    options = ("--rotations", "1", "--grace", "2", "--format", "markdown")
    ran = run_program(sys.executable, SURVIVE, *rows, *options, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = [line.split(" | ") for line in ran.stdout.splitlines() if line.startswith("| ")]
    header, _, live, control = lines
    failures = header.index("auth failures")
    assert (live[failures], control[failures] != "0") == ("0", True)
