"""A user's agent: in a runtime folder of its own, and gone after the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

from envkit.agent import control
from envkit.agent.folder import Unusable, socket_path

if TYPE_CHECKING:
    from collections.abc import Iterator


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

    def status(self) -> control.AgentStatus:
        """Return what it says of itself."""
        return control.status(self.environ)

    def hits(self) -> int:
        """Return how many questions it has answered from memory."""
        return self.status().hits

    def path(self) -> str:
        """Return the path of its socket."""
        return socket_path(self.environ, create=True)

    def log(self) -> str:
        """Return its log."""
        with open(f"{self.path()}.log", encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def runtime() -> Iterator[str]:
    """A folder for sockets, whose path is short enough for them."""
    folder = tempfile.mkdtemp(prefix="ek-", dir="/tmp")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def agent(runtime: str) -> Iterator[Agent]:
    """The agent of one user."""
    found = Agent(runtime)
    yield found
    with contextlib.suppress(Unusable):
        pid = found.status().pid
        control.stop(found.environ)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
