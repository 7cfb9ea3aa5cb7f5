"""Where many rotations stand: the time grows with their number, and not with its square."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BIN, Project
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FEW, MANY = 300, 3_000
LINEAR = 12  # times as long for ten times as many
SECONDS = {"dotenv": 2.0, "vault": 15.0}


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure `rotate status` and `--plan` of rotations in one `.env` file, and in Vault."""
    rounds = max(3, rounds // 8)
    in_files = Project(folder / "files")
    for count in (FEW, MANY):
        in_files.dotenv(f"n{count}", {f"KEY_{number}": "old" for number in range(count)})
        _profile(in_files, count, "dotenv:KEY_{}")
    yield _group(".env", in_files, rounds, SECONDS["dotenv"])
    (folder / "server").mkdir()
    with OpenBao(folder / "server") as server:
        login = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.root_token}
        in_vault = Project(folder / "vault", **login)
        for number in range(MANY):
            server.put(f"bench/{number}", {"value": "old"})
        for count in (FEW, MANY):
            _profile(in_vault, count, "vault:secret/bench/{}#value")
        yield _group("Vault", in_vault, 3, SECONDS["vault"])


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


def _argv(project: Project, count: int, option: str) -> tuple[str, ...]:
    folder = str(project.folder / "profiles")
    timeout = ("--timeout", "60")
    return (
        *(str(BIN / "envkit"), "rotate", option),
        *("--profiles", folder, "--env", f"n{count}", *timeout),
    )


def _profile(project: Project, count: int, secret: str) -> None:
    tables: Mapping[str, str] = {
        f"[rotation.key-{number}]": (
            f'secret = "{secret.format(number)}"\nrotator = "random"\nevery = "30d"'
        )
        for number in range(count)
    }
    head = "\n".join(f"{title}\n{text}\n" for title, text in tables.items())
    project.profile(f"n{count}.toml", {}, head)
