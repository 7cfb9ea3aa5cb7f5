"""A user's agent: in a runtime folder of its own, and gone after the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envkit.agent import asking, control, wire
from envkit.agent.asking import Unusable
from envkit.agent.process import listening
from envkit.agent.server import Server
from support.process import run_envkit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit.agent.question import Question


class Agent:
    """The agent of commands with `environ`; the first one starts it.

    Attributes:
        environ: what makes commands use it.
    """

    def __init__(self, runtime: str) -> None:
        self.environ = {
            "ENVKIT_AGENT": "require",
            "XDG_RUNTIME_DIR": runtime,
            "HOME": os.environ["HOME"],
        }

    def start(self, *options: str) -> None:
        """Start it, as a person does."""
        done = run_envkit("agent", "start", *options, env=self.environ)
        assert done.returncode == 0, done.stderr

    def status(self) -> control.AgentStatus:
        """Return what it says of itself, also if it is slow.

        Raises:
            Unusable: there is none.
        """
        while True:
            try:
                return control.status_at(self.path())
            except Unusable as reason:
                if reason.absent:
                    raise

    def hits(self) -> int:
        """Return how many questions it has answered from memory."""
        return self.status().hits

    def path(self) -> str:
        """Return the path of its socket: that of the installed envkit."""
        found = [
            str(path)
            for path in Path(self.environ["XDG_RUNTIME_DIR"], "envkit").glob("agent-*")
            if path.suffix not in (".lock", ".log")
        ]
        return found[0] if found else "/nonexistent"

    def log(self) -> str:
        """Return its log."""
        return Path(f"{self.path()}.log").read_text("utf-8")


def items_of(question: Question) -> list[bytes]:
    """Return the items of a frame that asks this."""
    pairs = zip(question.overrides[::2], question.overrides[1::2], strict=True)
    options = {
        "--profiles": () if question.profiles is None else (question.profiles,),
        "--env": question.environments,
        "--only": question.only,
        "--except": question.exclude,
        "--set": [f"{name}={value}" for name, value in pairs],
        "--reason": (question.reason,),
        "--timeout": (str(question.timeout_seconds),),
    }
    words = [word for flag, texts in options.items() for text in texts for word in (flag, text)]
    words += ["--pristine"] * question.pristine
    return asking.question_items(
        question.release, question.folder, question.command, [*words, *question.names]
    )


def ask(
    path: str,
    question: Question,
    environ: Mapping[bytes, bytes],
    timeout_seconds: float | None = 15.0,
) -> wire.Answer:
    """Ask the agent at a path, as a client does.

    Raises:
        Unusable: there is no answer.
    """
    connection = asking.Connection(path)
    connection.ask(items_of(question), environ)
    return wire.receive_answer(connection, timeout_seconds)


@pytest.fixture
def runtime() -> Iterator[str]:
    """A folder for sockets, whose path is short enough for them."""
    folder = tempfile.mkdtemp(prefix="ek-", dir="/tmp")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def served(runtime: str) -> Iterator[str]:
    """The path of the socket of a server that runs in a thread of this process."""
    path = f"{runtime}/agent"
    listener = listening(path)
    assert listener is not None
    one = Server(listener, path, max_age_seconds=300, idle_seconds=300, life_seconds=300)
    thread = threading.Thread(target=one.serve, daemon=True)
    thread.start()
    yield path
    one.stop("the test is over")
    os.write(one.waker, b"x")
    thread.join(10)
    one.close()


@pytest.fixture
def agent(runtime: str) -> Iterator[Agent]:
    """The agent of one user."""
    found = Agent(runtime)
    yield found
    with contextlib.suppress(Unusable):
        os.kill(found.status().pid, signal.SIGKILL)
