"""The app as a child process, with its process group and everything that it has started.

Without a terminal the app leads a process group of its own, which receives stop signals as a
whole. With one it shares envkit's group, in which other programs may be; stop signals then go
to the app and to those of its descendants that are in its group.
"""

from __future__ import annotations

import os
import sys

from envkit import errors
from envkit._internal.os_errors import reason_of
from envkit.errors import EnvkitError
from envkit.launch.exec import replace_process
from envkit.resident.forked import LIMITS_HINT
from envkit.resident.kernel import descendants, end_with_parent, processes
from envkit.resident.signals import SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from envkit.resident.kernel import Process
    from envkit.resident.signals import Signals

# end the app, or its job: they concern everything that it has started. The others mean the
# program itself: a worker of gunicorn would die of its master's HUP
OF_THE_GROUP = frozenset((SIGTERM, SIGINT, SIGQUIT, SIGCONT))


def fork_app(
    command: Sequence[str],
    environ: Mapping[bytes, bytes],
    *,
    own_group: bool,
    signals: Signals,
    with_input: bool = True,
) -> int:
    """Start a program with the signals that envkit was started with; return its process id.

    Args:
        command: the program and its arguments.
        environ: its complete environment.
        own_group: whether it leads a new process group.
        signals: of this process.
        with_input: whether it reads envkit's stdin, and not an empty one.

    Raises:
        LimitError, CommandNotFoundError, NotExecutableError: as `replace_process`.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    reading = writing = -1
    try:
        reading, writing = os.pipe()
        with Held():
            pid = os.fork()
            if pid == 0:
                _become(
                    *(command, environ, parent, writing, signals),
                    own_group=own_group,
                    with_input=with_input,
                )
    except OSError as error:
        if reading >= 0:
            os.close(reading)
        raise errors.NotExecutableError(
            f"cannot start {command[0]}: {reason_of(error)}",
            hint=LIMITS_HINT,
        ) from None
    finally:
        if writing >= 0:
            os.close(writing)
    if own_group:
        try:  # noqa: SIM105 - contextlib would delay the start of the app
            os.setpgid(pid, pid)
        except OSError:  # it has done so itself, or has ended
            pass
    with os.fdopen(reading, "rb") as pipe:
        failure = pipe.read()
    if failure:
        os.waitpid(pid, 0)
        raise _error(failure)
    return pid


def _become(
    command: Sequence[str],
    environ: Mapping[bytes, bytes],
    parent: int,
    writing: int,
    signals: Signals,
    *,
    own_group: bool,
    with_input: bool,
) -> NoReturn:
    try:
        if not with_input:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if own_group:
            os.setpgid(0, 0)
        end_with_parent(SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(128 + SIGKILL)
        signals.restore()
        replace_process(command, environ)
    except EnvkitError as error:
        parts = (type(error).__name__, error.message, error.hint or "")
        os.write(writing, "\0".join(parts).encode("utf-8", "surrogateescape"))
    except BaseException as bug:  # noqa: BLE001 - nothing of the parent may run here
        os.write(writing, f"EnvkitError\0cannot start the app: {type(bug).__name__}\0".encode())
    finally:
        os._exit(errors.NotExecutableError.exit_status)


def _error(failure: bytes) -> EnvkitError:
    kind, message, hint = failure.decode("utf-8", "surrogateescape").split("\0", 2)
    error: EnvkitError = getattr(errors, kind)(message, hint=hint or None)
    return error


class App:
    """A running app.

    Args:
        pid: of its main process.
        own_group: whether it leads its process group.
        foreign: returns the children of envkit that are not of the app.
    """

    def __init__(self, pid: int, *, own_group: bool, foreign: Callable[[], frozenset[int]]) -> None:
        self.pid = pid
        self.own_group = own_group
        self.alive = True
        self._foreign = foreign
        self._told: set[int] = set()

    def send(self, number: int) -> None:
        """Send a signal that envkit received to the app: to its group, or to its main process."""
        if number in OF_THE_GROUP:
            self._send_to_group(number)
        else:
            self.send_to_main(number)

    def send_to_main(self, number: int) -> None:
        """Send a signal to the main process alone."""
        if self.alive:
            send_signal(self.pid, number)

    def stop(self, number: int) -> None:
        """Send a stop signal to the app and what it has started in its group."""
        self.note_told()
        self._send_to_group(number)
        self._send_to_group(SIGCONT)  # a process that is stopped handles no signal

    def note_told(self) -> None:
        """Remember who is in the app's group: they have received a signal that ends the app."""
        self._told = self._members(processes())

    def remaining(self, *, adopted: bool) -> set[int]:
        """Return the processes that belong to the app: its main process and its own group.

        Args:
            adopted: whether all other descendants count, too, also those that have left the
                group. Those whose parent ended are children of envkit by now.
        """
        found = {self.pid} if self.alive else set()
        in_group = self.own_group and send_signal(-self.pid, 0)
        if not in_group and not adopted:
            return found  # without a look at every process of the machine
        table = processes()
        if in_group:
            found |= self._members(table)
        if adopted:
            own = descendants(table, os.getpid(), self._foreign())
            found |= {one.pid for one in own if one.pid != self.pid}
        return found

    def stop_rest(self, number: int, *, adopted: bool) -> None:
        """Send a signal to what the main process has left behind and was not told to stop."""
        for pid in self.remaining(adopted=adopted) - self._told:
            send_signal(pid, number)

    def kill(self, *, adopted: bool) -> None:
        """Kill everything that belongs to the app."""
        if self.own_group:
            send_signal(-self.pid, SIGKILL)
        for pid in self.remaining(adopted=adopted):
            send_signal(pid, SIGKILL)

    def shares_group(self) -> bool:
        """Return whether a signal to envkit's group reaches the app: a shell leaves it."""
        try:
            return os.getpgid(self.pid) == os.getpgrp()
        except ProcessLookupError:
            return False

    def _send_to_group(self, number: int) -> None:
        if self.own_group:
            send_signal(-self.pid, number)
        else:
            for pid in self._members(processes()):
                send_signal(pid, number)

    def _members(self, table: Mapping[int, Process]) -> set[int]:
        """Return the living processes of the app's group; of a shared one those of the app."""
        if self.own_group:
            found = {
                one.pid for one in table.values() if one.group == self.pid and one.state != "Z"
            }
            if not table and send_signal(-self.pid, 0):  # there is no /proc
                found.add(-self.pid)
            return found
        if not self.alive:
            return set()
        try:
            group = os.getpgid(self.pid)
        except ProcessLookupError:
            return set()
        own = descendants(table, self.pid, frozenset())
        return {self.pid, *(one.pid for one in own if one.group == group)}


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; return whether there was a process to receive it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it has changed its user
        return True
    return True
