"""Rotate the logins of running apps under constant load, and count the requests that fail.

    python tests/torture/survive.py [--only NAME] [--rotations 20] [--format markdown]

Each row is one kind of app. Its login to a real PostgreSQL or Valkey is rotated by `envkit rotate`
with a short grace period, while clients send requests at a constant pace. In the rows of leases,
OpenBao creates its user and drops it 15 seconds later. No request may fail because a login was
refused. The controls must fail; if one does not, this program cannot find a fault: an app that
keeps the login of its start while `retire_when = "grace"` cuts it off, or while its lease ends.

Columns:

- failed: requests without the right answer, whatever the reason. A restart of gunicorn breaks
  connections that it has not accepted yet
- auth failures: requests that failed because a login was refused, as the app saw it. A request
  that waited in vain for a pool counts, because a pool hides the reason. For apps without an
  adapter, every refused login in PostgreSQL's log counts
- retried: refused logins in PostgreSQL's log that no request noticed, because the adapter tried
  again with a newer value; not known for Valkey
- logins: new connections of the app, in PostgreSQL's log
- gap: the longest time without the app while it was restarted
- held: rotations whose old login was kept after the grace period because it was in use
"""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from support.fault_proxy import HOST  # noqa: E402
from torture.leaseholders import Leaseholder  # noqa: E402
from torture.load import Load, Report  # noqa: E402
from torture.survivors import INTERRUPTED, Row, RowError, Servers, Survivor  # noqa: E402

BASELINE_SECONDS = 3.0
AFTER_SECONDS = 2.0  # without the last old login
START_SECONDS = 60.0
_GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:PORT", "--threads", "4")
_UVICORN = (sys.executable, "-m", "uvicorn", "--host", HOST, "--port", "PORT")
_PRELOAD = ("--preload", "--workers", "2", "--config", "pooled_conf.py", "pooled:app")
LIVE = {
    "psycopg_pool": ("gunicorn --preload, psycopg_pool, live", (*_GUNICORN, *_PRELOAD)),
    "sqlalchemy": ("SQLAlchemy, threads, live", (*_GUNICORN, "orm:app")),
    "django": ("Django, live", (*_GUNICORN, "django_site:app")),
    "asyncpg": ("asyncpg, live", (*_UVICORN, "--log-level", "warning", "loop:app")),
}
_ONCE = (*_GUNICORN, "once:app")
_POOLED = (*_GUNICORN, "--config", "pooled_conf.py", "pooled:app")
LEASE = "lease"
ROWS = {
    **{name: Row(title, command) for name, (title, command) in LIVE.items()},
    **{
        f"{name}-single": Row(title, command, strategy="single")
        for name, (title, command) in LIVE.items()
    },
    "redis": Row("redis-py, live", (*_GUNICORN, "cached:app"), target="redis"),
    "node": Row("Node, pg, exec --watch", ("node", "once.js"), ("--watch",), node=True),
    "watch": Row("reads once, exec --watch", _ONCE, ("--watch",)),
    "file": Row(
        "reads a file, exec --supervise", (*_GUNICORN, "from_file:app"), ("--supervise",), file=True
    ),
    "lease-live": Row("psycopg_pool, live", _POOLED, strategy=LEASE, target=LEASE),
    "lease-watch": Row("reads once, exec --watch", _ONCE, ("--watch",), LEASE, target=LEASE),
    "lease-control": Row(
        "control: reads once, exec --supervise",
        _ONCE,
        ("--supervise",),
        LEASE,
        target=LEASE,
        control=True,
    ),
    "exec": Row("reads once, exec, restarted later", _ONCE, (), restarts=True),
    "control": Row("control: reads once, exec", _ONCE, (), retire_when="grace", control=True),
}


class Result(NamedTuple):
    """What became of one row.

    Attributes:
        row: what ran.
        rotations: how many were completed.
        report: of the load; None if the row could not run.
        logins: new connections that PostgreSQL accepted; None for Valkey.
        refused: logins that it refused; None for Valkey.
        held: rotations whose old login was kept after the grace period.
        problem: why the row could not run to its end.
    """

    row: Row
    rotations: int
    report: Report | None
    logins: int | None
    refused: int | None
    held: int
    problem: str

    @property
    def auth_failures(self) -> int:
        seen = self.report.refused if self.report else 0
        return seen if self.row.watch is None else max(seen, self.refused or 0)

    @property
    def retried(self) -> int | None:
        return None if self.refused is None else max(0, self.refused - self.auth_failures)

    def wrong(self) -> str:
        """Return what is wrong; empty if nothing is."""
        if self.problem:
            return self.problem
        if self.logins is not None and self.logins <= self.rotations:
            return "the app opens too few connections to notice a rotation"
        if self.row.control:
            return "" if self.auth_failures else "no request failed: the check cannot fail"
        return f"{self.auth_failures} authentication failures" if self.auth_failures else ""


def run_row(servers: Servers, root: Path, row: Row, rotations: int, grace_seconds: float) -> Result:
    """Run one app with its rotations."""
    report, held, done, problem, users = None, 0, 0, "", []
    try:
        kind = Leaseholder if row.target == LEASE else Survivor
        with kind(servers, root, row, grace_seconds) as survivor:
            wait_for(survivor)
            with Load(survivor.port) as load:
                time.sleep(BASELINE_SECONDS)
                load.mark()
                try:
                    while done < (1 if row.ends_once else rotations):
                        survivor.rotate()
                        done += 1
                except RowError as error:
                    problem = str(error)
                time.sleep(AFTER_SECONDS)
            report, held, users = load.report(), survivor.held, survivor.users
    except RowError as error:
        problem = str(error)
    logins, refused = servers.logged(users) if users else (None, None)
    result = Result(row, done, report, logins, refused, held, problem)
    print(f"{row.title}: {result.wrong() or 'as it must be'}", file=sys.stderr, flush=True)
    return result


def wait_for(survivor: Survivor) -> None:
    """Wait until the app answers as it should."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        survivor.check_lives()
        connection = http.client.HTTPConnection(HOST, survivor.port, timeout=10)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise RowError(f"the app does not answer: {survivor.said()[-500:]}")


# ---------------------------------------------------------------- the table

HEAD = (
    *("app", "strategy", "rotations", "held", "logins", "requests", "failed", "auth failures"),
    *("retried", "req/s before", "req/s while", "gap"),
)


def cells(result: Result) -> list[str]:
    row, report = result.row, result.report
    found = [row.name, row.strategy, str(result.rotations)]
    if report is None:
        return [*found, *["-"] * (len(HEAD) - len(found))]
    numbers = (result.held, result.logins, report.requests, report.failed)
    return [
        *found,
        *("-" if number is None else f"{number:,}" for number in numbers),
        f"{result.auth_failures:,}",
        "-" if result.retried is None else f"{result.retried:,}",
        f"{report.before_per_second:.1f}",
        f"{report.while_per_second:.1f}",
        f"{report.gap_seconds:.2f} s" if report.gap_seconds else "-",
    ]


def table(results: list[Result], style: str) -> str:
    """Return the table as `text` or `markdown`."""
    lines = [list(HEAD), *(cells(result) for result in results)]
    if style == "markdown":
        lines.insert(1, ["---"] * 2 + ["---:"] * (len(HEAD) - 2))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            word.ljust(width) if number < 2 else word.rjust(width)
            for number, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=ROWS, action="append", help="run only this row")
    parser.add_argument("--rotations", type=int, default=20, help="of each row (default: 20)")
    parser.add_argument("--grace", type=int, default=5, help="grace period in seconds (default: 5)")
    parser.add_argument("--jobs", type=int, default=3, help="rows at the same time (default: 3)")
    parser.add_argument("--without-node", action="store_true", help="leave out what needs Node")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    options = parser.parse_args()
    names = options.only or ROWS
    rows = [ROWS[name] for name in names if not (options.without_node and ROWS[name].node)]
    with (
        tempfile.TemporaryDirectory(prefix="envkit-torture-") as place,
        Servers(Path(place)) as servers,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        slowest_first = sorted(rows, key=lambda row: not row.restarts)
        running = {
            row: pool.submit(
                run_row,
                *(servers, Path(place) / f"row-{number}", row),
                *(options.rotations, options.grace),
            )
            for number, row in enumerate(slowest_first)
        }
        try:
            results = [running[row].result() for row in rows]
        except BaseException:
            INTERRUPTED.set()
            pool.shutdown(cancel_futures=True)
            raise
    print(f"{os.cpu_count()} cores\n\n{table(results, options.format)}\n")
    wrong = [
        f"{one.row.name} ({one.row.strategy}): {one.wrong()}" for one in results if one.wrong()
    ]
    for result in results:
        if result.report and (kinds := dict(result.report.failures)) and not result.row.control:
            print(f"{result.row.title}: failed requests: {kinds}")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
