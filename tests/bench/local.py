"""Values from `.env` files: without a server, only our own start-up time remains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BARE, BIN, SMALL, Project, peer, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 10_000
FNOX_MANY_MS = 259  # of fnox exec with as many plain values, on 2 cores


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Compare 50 variables with an empty interpreter and other tools, and measure many more."""
    yield _fifty(Project(folder / "fifty"), rounds)
    yield _encrypted(Project(folder / "encrypted"), rounds)
    yield _many(Project(folder / "many"), rounds)


def _fifty(project: Project, rounds: int) -> Group:
    wanted = values(SMALL)
    placeholders = {name: f"{{{{ {name} }}}}" for name in wanted}
    ours = []
    for form in ("env", "toml"):
        project.profile(f"as-{form}.{form}", placeholders)
        file = str(project.dotenv(f"as-{form}", wanted))
        ours.append(project.envkit(f"envkit exec, .{form} profile", f"as-{form}"))
    own = project.environ
    dotenv_run = Command("dotenv run", (str(BIN / "dotenv"), "-f", file, "run", "--"), own)
    others = [dotenv_run, *project.fnox("fnox exec, plain values", 'type = "plain"', wanted)]
    if dotenvx := peer("dotenvx"):
        others.append(Command("dotenvx run", (dotenvx, "run", "-q", "-f", file, "--"), own))
    for command in [*ours, *others]:
        command.check(wanted)

    took = measure([BARE, *ours, *others], rounds)
    bars = []
    for name in (command.name for command in ours):
        bars.append(Bar(f"{name} / {BARE.name}", took[name].times(took[BARE.name]), 3.5))
        bars.append(Bar(f"{name} / dotenv run", took[name].times(took[dotenv_run.name]), 0.6))
    return Group(f"{SMALL} variables from .env", took, bars)


def _encrypted(project: Project, rounds: int) -> Group:
    """Compare encrypted values with the same values in plain text."""
    wanted = values(SMALL)
    placeholders = {name: f"{{{{ {name} }}}}" for name in wanted}
    for name in ("plain", "all"):
        project.profile(f"{name}.env", placeholders)
    one = dict(list(wanted.items())[:1])
    project.profile("all-one.env", {name: placeholders[name] for name in one})
    project.dotenv("plain", wanted)
    (project.folder / ".env.all-one").symlink_to(project.encrypted("all", wanted))
    plain = project.envkit(f"envkit exec, {SMALL} plain values", "plain")
    every = project.envkit(f"envkit exec, {SMALL} encrypted values", "all")
    single = project.envkit(f"envkit exec, 1 of {SMALL} encrypted values", "all-one")
    for command, expected in ((plain, wanted), (every, wanted), (single, one)):
        command.check(expected)
    took = measure([plain, every, single], rounds)
    bars = [
        Bar(f"{command.name} / plain", took[command.name].times(took[plain.name]), most)
        for command, most in ((every, 3.3), (single, 2.4))
    ]
    return Group("encrypted values", took, bars)


def _many(project: Project, rounds: int) -> Group:
    commands: list[Command] = []
    bars = []
    for form in ("env", "toml"):
        for count in (SMALL, 1_000, MANY):
            wanted = values(count)
            name = f"{form}-{count}"
            project.profile(f"{name}.{form}", {key: f"{{{{ {key} }}}}" for key in wanted})
            project.dotenv(name, wanted)
            commands.append(project.envkit(f"envkit exec, .{form}, {count:,}", name))
            commands[-1].check(wanted)
    fnox = list(project.fnox(f"fnox exec, {MANY:,}", 'type = "plain"', values(MANY)))
    took = measure([*commands, *fnox], max(5, rounds // 4))
    for few, many in ((commands[0], commands[2]), (commands[3], commands[5])):
        grows = took[many.name].times(took[few.name])
        bars.append(Bar(f"{many.name} / {SMALL}", grows, 8))
        # the fastest time, because other load on the machine only adds to it
        fnox_ms = min(took[fnox[0].name].wall_ms) if fnox else FNOX_MANY_MS
        where = "here" if fnox else "measured on another machine of this kind"
        ms = min(took[many.name].wall_ms)
        bars.append(Bar(f"{many.name}, ms (fnox {where})", ms, fnox_ms))
    return Group("many variables from .env", took, bars)
