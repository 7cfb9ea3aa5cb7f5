"""Draw the chart of docs/guides/agent.md from the figures of `make bench`.

    make bench BENCH_ARGS='--only agent --rounds 100'
    python3 scripts/start_time_chart.py bench.json

It writes docs/images/start-time.svg, and needs only the standard library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

TITLE = "a program with 50 variables"  # of the group in bench.json
CHART = Path(__file__).resolve().parent.parent / "docs" / "images" / "start-time.svg"
# the kinds of bars, by the beginning of a name
KINDS = (("python", "bare"), ("envkit exec, agent", "warm"), ("envkit", "cold"), ("", "peer"))

WIDTH, LABELS, TEXT = 760, 270, 150
TOP, ROW, BAR = 56, 34, 20
FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
STYLE = """\
.page { fill: #ffffff; stroke: #d0d7de }
text { fill: #1f2328; font-size: 14px }
.note { fill: #59636e; font-size: 12px }
.bare { fill: #8c959f }
.warm { fill: #1a7f37 }
.cold { fill: #0969da }
.peer { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; stroke: #3d444d }
text { fill: #f0f6fc }
.note { fill: #9198a1 }
.bare { fill: #656c76 }
.warm { fill: #3fb950 }
.cold { fill: #4493f8 }
.peer { fill: #db6d28 }
}"""


def chart(report: dict[str, Any]) -> str:
    """Return the chart as SVG.

    Args:
        report: the content of bench.json.

    Raises:
        ValueError: it has no such group.
    """
    rows = next((one["rows"] for one in report["groups"] if one["title"] == TITLE), None)
    if rows is None:
        raise ValueError(f"there is no group '{TITLE}': run make bench BENCH_ARGS='--only agent'")
    rows = sorted(rows, key=lambda row: row["ratio"])
    longest = max(row["ratio"] for row in rows)
    space = WIDTH - LABELS - TEXT
    machine = report["machine"]
    height = TOP + ROW * len(rows) + 40
    spoken = "; ".join(f"{row['name']}: {_times(row)}" for row in rows)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    named = 'role="img" aria-labelledby="title what"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {named} font-family="{FONT}">',
        '<title id="title">Time to start a program with 50 variables</title>',
        f'<desc id="what">{escape(spoken)}.</desc>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        '<text x="20" y="32" font-weight="600">Time to start a program with 50 variables</text>',
    ]
    for index, row in enumerate(rows):
        y = TOP + ROW * index
        width = max(2.0, row["ratio"] / longest * space)
        kind = next(kind for start, kind in KINDS if row["name"].startswith(start))
        length = f'width="{width:.1f}" height="{BAR}"'
        label, figure = y + 15, f"{LABELS + width + 8:.1f}"
        lines += [
            f'<text x="{LABELS - 12}" y="{label}" text-anchor="end">{escape(row["name"])}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{y}" {length} rx="2"/>',
            f'<text x="{figure}" y="{label}">{_times(row)}</text>',
        ]
    note = (
        f"Medians of {rows[0]['n']} whole processes, alternating; "
        f"multiples of an empty interpreter. Python {machine['python']}, {machine['cores']} cores."
    )
    lines += [f'<text class="note" x="20" y="{height - 18}">{escape(note)}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


def _times(row: dict[str, Any]) -> str:
    ratio = row["ratio"]
    return f"{row['wall_ms']:.0f} ms ({ratio:.{int(ratio < 10)}f} x)"


if __name__ == "__main__":
    CHART.write_text(chart(json.loads(Path(sys.argv[1]).read_text())))
