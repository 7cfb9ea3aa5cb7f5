"""Values from `.env` files: no server, so that what is left is our own start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BARE, BIN, SMALL, Project, peer, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure 50 variables against an empty interpreter and other tools, and then many more."""
    yield _fifty(Project(folder / "fifty"), rounds)
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
        bars.append(Bar(f"{name} / {BARE.name}", took[name].times(took[BARE.name]), 5))
        bars.append(Bar(f"{name} / dotenv run", took[name].times(took[dotenv_run.name]), 0.6))
    return Group(f"{SMALL} variables from .env", took, bars)


def _many(project: Project, rounds: int) -> Group:
    commands = []
    for count in (SMALL, 1_000, 10_000):
        wanted = values(count)
        project.profile(f"n{count}.env", {name: f"{{{{ {name} }}}}" for name in wanted})
        project.dotenv(f"n{count}", wanted)
        commands.append(project.envkit(f"envkit exec, {count:,} variables", f"n{count}"))
        commands[-1].check(wanted)
    return Group("many variables from .env", measure(commands, max(3, rounds // 4)))
