"""The units in `examples/systemd`, as systemd itself reads them; nothing is started."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import ROOT

pytestmark = pytest.mark.extra

UNITS = sorted((ROOT / "examples" / "systemd").iterdir())
EXPOSURE = 20  # of 100; below 20 systemd calls a service OK


@pytest.fixture
def units(tmp_path):
    """The units, with the program where it is on this machine."""
    assert shutil.which("systemd-analyze"), "no systemd: run 'make test-extra', which installs it"
    program = Path(sys.executable).parent / "envkit"
    assert program.exists()
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("/opt/envkit/bin/envkit", str(program)))
    return tmp_path


def analyze(folder, *args):
    return subprocess.run(
        ["systemd-analyze", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_finds_nothing_wrong(units):
    done = analyze(units, "verify", *(f"./{unit.name}" for unit in UNITS))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_would_find_what_is_wrong(units):
    unit = units / "envkit-rotate.service"
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently"))
    done = analyze(units, "verify", f"./{unit.name}")
    assert "gently" in done.stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_a_service_is_in_a_sandbox(units, name):
    done = analyze(
        units, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", f"./{name}"
    )
    assert done.returncode == 0, re.findall(r".*Overall.*", done.stdout)
