"""The chart of start times has a bar for each command, in proportion, and says so in words."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.process import run_python

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "import json, sys; sys.path.insert(0, sys.argv[1]); import start_time_chart as s; "


def drawn(report, **options):
    code = SCRIPT + "print(s.chart(json.loads(sys.argv[2])))"
    return run_python(code, str(ROOT / "scripts"), json.dumps(report), **options)


def report(*ratios):
    rows = [
        {"name": f"tool <{number}>", "wall_ms": 8.0 * ratio, "ratio": ratio, "n": 20}
        for number, ratio in enumerate(ratios)
    ]
    group = {"title": "a program with 50 variables", "rows": rows}
    return {"machine": {"python": "3.11.7", "cores": 2}, "groups": [group]}


def test_bars_are_sorted_and_in_proportion():
    picture = ET.fromstring(drawn(report(4.0, 1.0, 16.0)).stdout)
    bars = [one for one in picture.findall(".//{*}rect") if one.get("class") != "page"]
    widths = [float(bar.get("width")) for bar in bars]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 4, 16], rel=0.02)
    spoken = picture.find("{*}desc").text
    assert spoken == "tool <1>: 8 ms (1.0 x); tool <0>: 32 ms (4.0 x); tool <2>: 128 ms (16 x)."


def test_the_committed_chart_is_one_that_the_script_draws():
    text = (ROOT / "docs/images/start-time.svg").read_text()
    now = drawn(report(1.0)).stdout
    style = re.search(r"<style>.*?</style>", text, re.DOTALL)
    assert style
    assert style.group() in now
