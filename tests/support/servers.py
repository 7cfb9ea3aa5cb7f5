"""The base of the test servers: a process on a free port, stopped by its pid.

    with Valkey(folder) as server:          # starts it, and stops it whatever happens
        server.stop()
        server.start()                      # again on the same port

Fixtures, torture and bench programs use the same classes, below `support`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import TYPE_CHECKING, Any, ClassVar

from support.fault_proxy import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

START_SECONDS = 30
PORTS = 3  # to try: another process may take a port between the choice and the start


class Server:
    """One server process.

    Args:
        folder: its own.

    Attributes:
        log: what it prints.
        port: where it listens; 0 before the first start.
    """

    stop_signal: ClassVar = signal.SIGKILL
    not_yet: ClassVar[tuple[type[Exception], ...]] = (OSError,)  # raised by `ping` at first

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def command(self) -> Sequence[str | Path]:
        """Return the program and its arguments, with `port`."""
        raise NotImplementedError

    def surroundings(self) -> dict[str, Any]:
        """Return its environment and user, as `subprocess.Popen` takes them."""
        return {}

    def ping(self) -> None:
        """Send a request that the server answers as soon as it is ready.

        Raises:
            Exception: one of `not_yet`, until then.
        """
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers; on another port if this one was taken."""
        for _ in range(PORTS):
            self.port = self.port or free_port()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **self.surroundings(),
                )
            if self._answers():
                return
            self.stop()
            self.port = 0
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        """Stop the server, if it runs; its children end with it."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the server as a crash would."""
        assert self._process is not None
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        """Wait until the server answers; return False if it ended instead."""
        assert self._process is not None
        for _ in range(START_SECONDS * 50):
            with contextlib.suppress(*self.not_yet):
                self.ping()
                return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                return False
        raise TimeoutError(f"{type(self).__name__} does not answer on port {self.port}")
