"""Time whole processes, alternating between commands.

The commands of one group alternate (A B C, B C A, ...), so that other load on the machine
affects all of them equally.
"""

from __future__ import annotations

import os
import subprocess
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Command(NamedTuple):
    """One command line.

    Attributes:
        argv: an absolute path and arguments, without the app.
        environ: all of its environment.
        app: the command that it starts.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    app: tuple[str, ...] = ("/bin/true",)

    def check(self, values: Mapping[str, str]) -> None:
        """Check that the app gets these values.

        Raises:
            SystemExit: it does not get them.
        """
        argv = [*self.argv, "/usr/bin/env", "-0"]
        done = subprocess.run(argv, env=dict(self.environ), stdout=subprocess.PIPE, check=False)
        seen = dict(line.partition("=")[::2] for line in done.stdout.decode().split("\0"))
        wrong = [name for name, value in values.items() if seen.get(name) != value]
        if wrong:
            raise SystemExit(f"bench: {self.name}: the app does not see {', '.join(wrong[:3])}")


class Timing(NamedTuple):
    """The times of a command in each round; `cpu_ms` is user and system time."""

    wall_ms: list[float]
    cpu_ms: list[float]
    peak_mib: list[float]  # of resident memory

    def times(self, base: Timing) -> float:
        """Return the wall-clock time as a multiple of that of `base`: the median of all rounds."""
        return median(
            ours / theirs for ours, theirs in zip(self.wall_ms, base.wall_ms, strict=True)
        )


class Bar(NamedTuple):
    """A figure that must not exceed `limit`."""

    what: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the figure is within the limit."""
        return self.value <= self.limit


class Group(NamedTuple):
    """Commands measured together, the reference first, and their limits."""

    title: str
    timings: Mapping[str, Timing]
    bars: Sequence[Bar] = ()


def measure(commands: Sequence[Command], rounds: int) -> dict[str, Timing]:
    """Run every command once to warm the caches, and then `rounds` times alternately."""
    timings = {command.name: Timing([], [], []) for command in commands}
    for command in commands:
        _run(command)
    for turn in range(rounds):
        first = turn % len(commands)
        for command in (*commands[first:], *commands[:first]):
            for measured, value in zip(timings[command.name], _run(command), strict=True):
                measured.append(value)
    return timings


def _run(command: Command) -> tuple[float, float, float]:
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    argv = [*command.argv, *command.app]
    begin = perf_counter()
    pid = os.posix_spawn(argv[0], argv, dict(command.environ), file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    wall = perf_counter() - begin
    if status != 0:
        code = os.waitstatus_to_exitcode(status)
        raise SystemExit(f"bench: {command.name}: exit status {code}")
    cpu = usage.ru_utime + usage.ru_stime
    return wall * 1e3, cpu * 1e3, usage.ru_maxrss / 1024  # Linux counts in KiB
