"""systemd accepts the units in `examples/systemd`; nothing is started."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from support.pages import ROOT
from support.process import run_program

pytestmark = pytest.mark.extra

UNITS = sorted((ROOT / "examples" / "systemd").iterdir())
EXPOSURE = 20  # of 100; below 20 systemd calls a service OK


@pytest.fixture
def units(tmp_path):
    """The units, with the path of the program on this machine."""
    assert shutil.which("systemd-analyze"), "no systemd: run 'make test-extra', which installs it"
    program = Path(sys.executable).parent / "envkit"
    assert program.exists()
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("/opt/envkit/bin/envkit", str(program)))
    return tmp_path


def test_systemd_accepts_the_example_units(units):
    names = (f"./{unit.name}" for unit in UNITS)
    done = run_program("systemd-analyze", "verify", *names, cwd=units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_reports_a_broken_unit(units):
    unit = units / "envkit-rotate.service"
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently"))
    done = run_program("systemd-analyze", "verify", f"./{unit.name}", cwd=units)
    assert "gently" in done.stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_a_service_runs_in_a_sandbox(units, name):
    options = ("--offline=true", f"--threshold={EXPOSURE}", "--no-pager")
    done = run_program("systemd-analyze", "security", *options, f"./{name}", cwd=units)
    assert done.returncode == 0, re.findall(r".*Overall.*", done.stdout)
