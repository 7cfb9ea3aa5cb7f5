"""The time of `rotate status` grows linearly with the number of rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BIN, PYTHON, Project
from envkit.rotation.jobs import CONCURRENCY
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FEW, MANY = 300, 3_000
AT_ONCE = 40
NEVER_SLOWER = 1.05  # the allowed difference of two equal runs
LINEAR = 12  # at most so many times as long for ten times as many rotations
SECONDS = {"dotenv": 2.0, "vault": 15.0}


ROTATE = """
import os, sys
from envkit._internal.clock import Deadline
from envkit.rotation.catalog import collect
from envkit.rotation.jobs import run_all, run_rotation
from envkit.rotation.machine import Request

threads, profiles = int(sys.argv[1]), sys.argv[2]
rotations = collect(profiles, environ=os.environ, deadline=Deadline(60)).rotations
outcomes = run_all(
    rotations,
    lambda one: run_rotation(one, environ=os.environ, requested=Request.ROTATE),
    concurrency=threads,
)
sys.exit(any(one.status != "rotated" for one in outcomes))
"""


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure `rotate status` and `--plan` of rotations in one `.env` file, and in Vault."""
    rounds = max(3, rounds // 8)
    in_files = Project(folder / "files")
    for count in (FEW, MANY):
        in_files.dotenv(f"n{count}", {f"KEY_{number}": "old" for number in range(count)})
        _profile(in_files, count, "dotenv:KEY_{}")
    yield _group(".env", in_files, rounds, SECONDS["dotenv"])
    threads = Project(folder / "threads")
    for number in range(AT_ONCE):
        threads.dotenv(f"n{number}", {"KEY": "old"})
    yield _threads(".env", threads, "dotenv:.env.n{}#KEY", rounds)
    (folder / "server").mkdir()
    with OpenBao(folder / "server") as server:
        login = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.root_token}
        in_vault = Project(folder / "vault", **login)
        for number in range(MANY):
            server.put(f"bench/{number}", {"value": "old"})
        for count in (FEW, MANY):
            _profile(in_vault, count, "vault:secret/bench/{}#value")
        yield _group("Vault", in_vault, 3, SECONDS["vault"])
        threads = Project(folder / "vault-threads", **login)
        yield _threads("Vault", threads, "vault:secret/bench/{}#value", rounds)


def _group(store: str, project: Project, rounds: int, limit_seconds: float) -> Group:
    commands = [
        Command(f"{name}, {count:,}", _argv(project, count, option), project.environ, app=())
        for name, option in (("rotate status", "status"), ("rotate --plan", "--plan"))
        for count in (FEW, MANY)
    ]
    took = measure(commands, rounds)
    bars = []
    for few, many in (commands[:2], commands[2:]):
        grows = took[many.name].times(took[few.name])
        bars.append(Bar(f"{many.name} / {FEW:,}", grows, LINEAR))
        seconds = min(took[many.name].wall_ms) / 1e3
        bars.append(Bar(f"{many.name}, seconds", seconds, limit_seconds))
    return Group(f"where {MANY:,} rotations in {store} stand", took, bars)


def _threads(store: str, project: Project, secret: str, rounds: int) -> Group:
    """Rotate in one process, with one thread and with the default number."""
    more = 'grace = "0s"\ntarget = { previous_field = "" }'
    _profile(project, AT_ONCE, secret, more)
    once = project.script("rotate", "rotate.py", ROTATE, PYTHON)
    profiles = (str(project.folder / "profiles"),)
    commands = [
        Command(f"{threads} at once", (*once.argv, str(threads), *profiles), once.environ, app=())
        for threads in (1, CONCURRENCY)
    ]
    took = measure(commands, rounds)
    ratio = took[commands[1].name].times(took[commands[0].name])
    bar = Bar(f"{CONCURRENCY} rotations at once, the default / 1", ratio, NEVER_SLOWER)
    return Group(f"{AT_ONCE} random rotations in {store}", took, [bar])


def _argv(project: Project, count: int, option: str) -> tuple[str, ...]:
    folder = str(project.folder / "profiles")
    timeout = ("--timeout", "60")
    return (
        *(str(BIN / "envkit"), "rotate", option),
        *("--profiles", folder, "--env", f"n{count}", *timeout),
    )


def _profile(project: Project, count: int, secret: str, more: str = "") -> None:
    tables: Mapping[str, str] = {
        f"[rotation.key-{number}]": (
            f'secret = "{secret.format(number)}"\nrotator = "random"\nevery = "30d"\n{more}'
        )
        for number in range(count)
    }
    head = "\n".join(f"{title}\n{text}\n" for title, text in tables.items())
    project.profile(f"n{count}.toml", {}, head)
