"""What the parent process of `exec --watch` costs: start-up, idling, and the delay of a change.

It is compared with plain `exec`, which becomes the app. Idle costs are those of one process with
its children: `.env` files are looked at in the parent, and Vault in short-lived children.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from random import uniform
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING, NamedTuple

from bench.measure import Bar, Command, Group, measure
from bench.projects import BARE, SMALL, Project, values
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE_SECONDS = 20.0
CHANGES = 5
DEBOUNCE_SECONDS = 2.0
BETWEEN_STARTS_SECONDS = 5.0  # envkit waits this long between two starts
VAULT_POLL_SECONDS = 60.0  # the default
VAULT_LOOKS = 10
PATIENCE_SECONDS = 30.0

START_RATIO = 2.2
BOTH_RATIO = 3.0
IDLE_PERCENT = 0.1
VAULT_PERCENT = 1.0
RESIDENT_MIB = 15.0
DELAY_SECONDS = DEBOUNCE_SECONDS + 1.5


class Idle(NamedTuple):
    """What a parent that has nothing to do uses.

    Attributes:
        cpu_seconds: of it and of its children that have ended.
        pss_mib: its share of memory: pages that other processes map as well count in part.
    """

    cpu_seconds: float
    rss_mib: float
    pss_mib: float


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure the parent with 50 variables from `.env`, and with 50 paths of Vault."""
    project = Project(folder / "dotenv")
    wanted = values(SMALL)
    project.profile("prod.toml", {name: f"{{{{ {name} }}}}" for name in wanted})
    project.dotenv("prod", wanted)
    yield _start(project, rounds)
    yield _idle_dotenv(project)
    yield _delay(project)
    yield _idle_vault(folder)


def _start(project: Project, rounds: int) -> Group:
    plain = project.envkit("envkit exec", "prod")
    watch = Command("envkit exec --watch", _watching(plain), plain.environ)
    for command in (plain, watch):
        command.check(values(SMALL))
    took = measure([BARE, plain, watch], rounds)
    pairs = [(_until_output(plain), _until_output(watch)) for _ in range(rounds)]
    more_ms = median(ours - theirs for theirs, ours in pairs) * 1e3
    bars = [
        Bar("start, --watch / exec", median(b / a for a, b in pairs), START_RATIO),
        Bar("start and end, --watch / exec", took[watch.name].times(took[plain.name]), BOTH_RATIO),
    ]
    title = f"--watch, {SMALL} variables from .env: the app starts {more_ms:.1f} ms later"
    return Group(title, took, bars)


def _until_output(command: Command) -> float:
    """Return the seconds until the app, which has started, writes its first byte."""
    reading, writing = os.pipe()
    argv = [*command.argv, "/bin/echo"]
    begin = perf_counter()
    connect = [(os.POSIX_SPAWN_DUP2, writing, 1)]
    pid = os.posix_spawn(argv[0], argv, dict(command.environ), file_actions=connect)
    os.close(writing)
    os.read(reading, 1)
    took = perf_counter() - begin
    os.waitpid(pid, 0)
    os.close(reading)
    return took


def _idle_dotenv(project: Project) -> Group:
    plain = project.envkit("", "prod")
    with _running(plain, project.folder / "idle") as pid:
        before = _usage(pid)
        sleep(IDLE_SECONDS)
        idle = _usage(pid)
    percent = (idle.cpu_seconds - before.cpu_seconds) / IDLE_SECONDS * 100
    return Group(
        f"--watch, {SMALL} variables from .env: {IDLE_SECONDS:g} seconds without a change",
        {},
        [Bar("CPU, %", percent, IDLE_PERCENT), *_memory(idle)],
    )


def _delay(project: Project) -> Group:
    """Measure from the moment at which a file has changed until the new app runs."""
    plain = project.envkit("", "prod")
    starts = project.folder / "starts"
    took = []
    with _running(plain, starts):
        for number in range(CHANGES):
            # at any moment between two looks, and when envkit may start an app again
            sleep(BETWEEN_STARTS_SECONDS + uniform(0, 1))
            project.dotenv("prod", {**values(SMALL), "BENCH_00000": f"changed {number}"})
            changed = monotonic()
            _wait_for_starts(starts, number + 2)
            took.append(monotonic() - changed)
    return Group(
        f"--watch, {SMALL} variables from .env: {CHANGES} changes, each until the app has started; "
        f"median {median(took):.1f} s, of which the debounce is {DEBOUNCE_SECONDS:g}",
        {},
        [Bar("slowest, s", max(took), DELAY_SECONDS)],
    )


def _idle_vault(folder: Path) -> Group:
    """Look each second, and calculate what looking each minute costs."""
    wanted = values(SMALL)
    (folder / "server").mkdir(parents=True)
    with OpenBao(folder / "server") as server:
        for name, value in wanted.items():
            server.put(f"bench/{name}", {"value": value})
        login = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.root_token}
        project = Project(folder / "vault", **login)
        head = '[sources.vault]\nmount = "secret"\nprefix = "bench"\npoll = "1s"'
        project.profile("prod.toml", {n: f"{{{{ vault:{n}#value }}}}" for n in wanted}, head)
        with _running(project.envkit("", "prod"), project.folder / "idle") as pid:
            before = _usage(pid)
            begin = monotonic()
            sleep(VAULT_LOOKS * 1.1)
            idle = _usage(pid)
            seconds = monotonic() - begin
    used = idle.cpu_seconds - before.cpu_seconds
    per_look = used / seconds  # one look a second
    return Group(
        f"--watch, {SMALL} paths of Vault: {per_look * 1e3:.0f} ms of CPU a look",
        {},
        [
            Bar("CPU with a look a minute, %", per_look / VAULT_POLL_SECONDS * 100, VAULT_PERCENT),
            *_memory(idle),
        ],
    )


def _memory(idle: Idle) -> list[Bar]:
    return [
        Bar("resident memory, MiB", idle.rss_mib, RESIDENT_MIB),
        Bar("share of memory (PSS), MiB", idle.pss_mib, RESIDENT_MIB),
    ]


def _watching(plain: Command) -> tuple[str, ...]:
    return (*plain.argv[:-1], "--watch", "--")


@contextmanager
def _running(plain: Command, starts: Path) -> Iterator[int]:
    """Run an app under --watch that adds a line to a file when it starts; give envkit's pid."""
    app = ("/bin/sh", "-c", 'echo started >> "$0"; exec sleep 1000', str(starts))
    with subprocess.Popen(
        [*_watching(plain), *app],
        env=dict(plain.environ),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for_starts(starts, 1)
            sleep(1)  # until envkit waits
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for_starts(starts: Path, count: int) -> None:
    end = monotonic() + PATIENCE_SECONDS
    while not starts.exists() or starts.read_text().count("\n") < count:
        if monotonic() > end:
            raise SystemExit(f"bench: the app has not started {count} times")
        sleep(0.005)


def _usage(pid: int) -> Idle:
    folder = Path(f"/proc/{pid}")
    own = int((folder / "schedstat").read_text().split()[0]) / 1e9
    ended = folder.joinpath("stat").read_text().rpartition(")")[2].split()
    children = sum(int(ticks) for ticks in ended[13:15]) / os.sysconf("SC_CLK_TCK")
    pages = {}
    for line in (folder / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, size = line.partition(":")
        pages[name] = int(size.split()[0]) / 1024
    return Idle(own + children, pages["Rss"], pages["Pss"])
