"""Verify a long audit log: its time grows with the log, its memory does not."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BIN
from envkit.audit.file_log import BEGINNING
from envkit.audit.log import Entry, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024
LONG_MIB = 128
WHOLE_MIB = 1024
SECONDS, PEAK_MIB = 10.0, 100.0  # for 1 GiB


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure `audit verify` of a short and a long log, and extrapolate to 1 GiB.

    The start-up time counts once; only the additional time of the long log is multiplied.
    """
    commands = []
    for name, size_mib in (("1 MiB", 1), (f"{LONG_MIB} MiB", LONG_MIB)):
        log = folder / f"{size_mib}" / "audit.jsonl"
        log.parent.mkdir(mode=0o700)
        _fill(log, size_mib * MIB)
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ENVKIT_AUDIT": str(log)}
        argv = (str(BIN / "envkit"), "audit", "verify")
        commands.append(Command(f"audit verify, {name}", argv, environ, app=()))
    took = measure(commands, max(3, rounds // 8))
    short, long = (took[command.name] for command in commands)
    more = min(long.wall_ms) - min(short.wall_ms)
    seconds = (min(short.wall_ms) + more * (WHOLE_MIB - 1) / (LONG_MIB - 1)) / 1e3
    bars = [
        Bar(f"seconds for 1 GiB, projected from {LONG_MIB} MiB", seconds, SECONDS),
        Bar("peak memory in MiB", max(long.peak_mib), PEAK_MIB),
    ]
    yield Group(f"an audit log of {LONG_MIB} MiB", took, bars)


def _fill(log: Path, size: int) -> None:
    """Write a chain of records as short as those of `get`, the slowest kind per byte."""
    text = line(Entry("get", ["prod"], ["DB_PASSWORD"], {"DB_PASSWORD": ["17"]}))
    previous, seq, written = BEGINNING, 0, 0
    with log.open("w", encoding="ascii") as file:
        while written < size:
            seq += 1
            body = f'{text},"seq":{seq},"previous":"{previous}"'
            previous = sha256(body.encode()).hexdigest()
            written += file.write(f'{body},"hash":"{previous}"}}\n')
    log.chmod(0o600)
