"""`envkit exec` through the agent, with 50 secrets from a real OpenBao server, and other tools.

The agent has the answer in memory: what is left is the start of an interpreter, two messages and a
line of the audit log.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BARE, BIN, SMALL, Project, peer, values
from bench.vault import SOURCE
from envkit import __version__
from envkit.agent import asking, control, wire
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = (1_000, 10_000)
REQUESTS = 2_000
MIB = 1 << 20


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure a warm start, many variables, throughput and memory."""
    runtime = tempfile.mkdtemp(prefix="ek-", dir="/tmp")  # a socket's path is short
    (folder / "server").mkdir()
    with OpenBao(folder / "server") as server:
        project = Project(
            folder / "project",
            VAULT_ADDR=server.address,
            VAULT_TOKEN=server.root_token,
            XDG_RUNTIME_DIR=runtime,
            XDG_STATE_HOME=str(folder / "state"),
        )
        try:
            subprocess.run(
                [BIN / "envkit", "agent", "start"],
                env=project.environ,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            status = control.status(project.environ)
            yield _exec(project, server, rounds)
            yield _others(project, max(5, rounds // 4))
            yield _many(project, max(5, rounds // 4))
            yield _server(project, status.pid)
        finally:
            os.kill(status.pid, signal.SIGTERM)
            shutil.rmtree(runtime, ignore_errors=True)


def _exec(project: Project, server: OpenBao, rounds: int) -> Group:
    wanted = values(SMALL)
    for name, value in wanted.items():
        server.put(f"bench/{name}", {"value": value})
    project.profile(
        "paths.toml", {name: f"{{{{ vault:{name}#value }}}}" for name in wanted}, SOURCE
    )
    time.sleep(0.1)  # what was just written is not stored
    warm = project.envkit("envkit exec, warm", "paths", ENVKIT_AGENT="require")
    unaudited = project.envkit(
        "the same, without audit", "paths", ENVKIT_AGENT="require", ENVKIT_AUDIT="off"
    )
    cold = project.envkit("envkit exec, cold", "paths")
    site = BARE._replace(name="python -c pass", argv=(BARE.argv[0], "-c", "pass"))
    for command in (warm, unaudited, cold):
        command.check(wanted)
    reads = server.reads()
    took = measure([BARE, site, warm, unaudited], rounds)
    repeated = server.reads() - reads
    took |= measure([cold], max(3, rounds // 8))
    ratio = took[warm.name].times(took[BARE.name])
    return Group(
        f"{SMALL} Vault secrets through the agent",
        {name: one for name, one in took.items() if name != cold.name},
        [
            Bar(f"{warm.name} / {BARE.name}", ratio, 1.6),
            Bar(
                f"{warm.name} / cold",
                min(took[warm.name].wall_ms) / min(took[cold.name].wall_ms),
                0.2,
            ),
            Bar("reads of the store", repeated, 0),
        ],
    )


def _others(project: Project, rounds: int) -> Group:
    """Compare the starts that the chart in the documentation shows; see `_exec` for the secrets."""
    wanted = values(SMALL)
    project.profile("files.env", {name: f"{{{{ {name} }}}}" for name in wanted})
    file = str(project.dotenv("files", wanted))
    warm = project.envkit("envkit exec, agent", "paths", ENVKIT_AGENT="require")
    dotenv_run = Command(
        "dotenv run", (str(BIN / "dotenv"), "-f", file, "run", "--"), project.environ
    )
    commands = [
        warm,
        project.envkit("envkit exec, .env file", "files"),
        project.envkit(f"envkit exec, {SMALL} Vault secrets", "paths"),
        dotenv_run,
        *project.fnox("fnox exec, plain values", 'type = "plain"', wanted),
    ]
    if dotenvx := peer("dotenvx"):
        argv = (dotenvx, "run", "-q", "-f", file, "--")
        commands.append(Command("dotenvx run", argv, project.environ))
    for command in commands:
        command.check(wanted)
    took = measure([BARE, *commands], rounds)
    ratio = took[warm.name].times(took[dotenv_run.name])
    return Group(
        f"a program with {SMALL} variables",
        took,
        [Bar(f"{warm.name} / {dotenv_run.name}", ratio, 0.4)],
    )


def _many(project: Project, rounds: int) -> Group:
    commands = []
    for count in (SMALL, *MANY):
        wanted = values(count)
        project.profile(f"many-{count}.env", {key: f"{{{{ {key} }}}}" for key in wanted})
        project.dotenv(f"many-{count}", wanted)
        time.sleep(0.1)
        commands.append(project.envkit(f"warm, {count:,}", f"many-{count}", ENVKIT_AGENT="require"))
        commands[-1].check(wanted)
    took = measure(commands, rounds)
    few = took[commands[0].name]
    bars = [
        Bar(f"{command.name} / {SMALL}", took[command.name].times(few), limit)
        for command, limit in zip(commands[1:], (2, 6), strict=True)
    ]
    return Group("many variables through the agent", took, bars)


def _server(project: Project, pid: int) -> Group:
    """Return the time of a request and the memory of the agent."""
    words = ["--profiles", str(project.folder / "profiles"), "--env", "paths"]
    question = asking.question_items(__version__, os.getcwd(), "exec", words)
    environ = {name.encode(): value.encode() for name, value in project.environ.items()}
    path = control.socket_path(project.environ)
    began = time.perf_counter()
    for _ in range(REQUESTS):
        connection = asking.Connection(path)
        connection.ask(question, environ)
        wire.receive_answer(connection)
    each_us = (time.perf_counter() - began) / REQUESTS * 1e6
    status = Path(f"/proc/{pid}/status").read_text()
    memory = dict(line.split(":\t") for line in status.splitlines())
    own = int(memory["RssAnon"].split()[0]) / 1024
    resident = int(memory["VmRSS"].split()[0]) / 1024
    return Group(
        "the agent",
        {},
        [
            Bar("one question and answer with its client, us", each_us, 2_000),
            Bar("its own memory, MiB", own, 11),
            Bar("its resident memory with libraries, MiB", resident, 20),
        ],
    )
