"""A short-lived child process that does one thing and sends what it found, in parts.

    job = Job(lambda send: send(("found", 1)), seconds=15.0)
    wait_readable([job.fileno()], job.late_at)
    job.receive()                                 # [("found", 1)], and job.state says how it ended

The child has the parent's memory, so it needs no arguments, and its own clients of stores, whose
memory returns to the system when it ends. A part is sent as its length and then its `marshal`;
values are in no file. A child that crashes has failed, whatever it sent.
"""

from __future__ import annotations

import _thread  # `threading` would delay the start of the app
import marshal
import os
import select
import sys
from time import monotonic

from envkit._internal.os_errors import reason_of
from envkit.errors import UnavailableError
from envkit.launch.exec import signal_module
from envkit.resident.kernel import end_with_parent
from envkit.resident.signals import Held
from envkit.resident.str_enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, NoReturn, TypeAlias

    Part: TypeAlias = tuple[Any, ...]  # plain data
    Send: TypeAlias = Callable[[Part], None]

signal: Any = signal_module()

LIMITS_HINT = "raise the limits of processes and open files (ulimit -u, ulimit -n)"
SPARE_SECONDS = 2.0  # after its deadline, for the child to report that it has passed
_LENGTH_BYTES = 8
_END = ("end",)  # the last part


class JobState(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    CRASHED = "crashed"
    LATE = "late"


class Job:
    """One child process.

    Args:
        work: runs in the child; sends tuples of plain data.
        seconds: after them, and a few spare ones, the child is killed.
        attached: whether it keeps the terminal and the standard streams, so that a program that
            a store's client starts can ask a person, and Ctrl-C ends it.

    Raises:
        OSError: this process may start no other one, or open no other file.

    Attributes:
        state: how far it is, as of the last `receive`.
        late_at: when it is killed.
        pid: of the child.
    """

    def __init__(
        self, work: Callable[[Send], None], *, seconds: float, attached: bool = False
    ) -> None:
        self.state = JobState.RUNNING
        self.late_at = monotonic() + seconds + SPARE_SECONDS
        self._attached = attached
        self._received = bytearray()
        if attached:
            sys.stderr.flush()  # what is in its buffer is written once
        parent = os.getpid()
        self._pipe, writing = os.pipe()
        try:
            with Held():  # no signal may reach the parent's handlers in the child
                self.pid = os.fork()
                if self.pid == 0:
                    _run(work, writing, parent, seconds=seconds + SPARE_SECONDS, attached=attached)
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(writing)
        os.set_blocking(self._pipe, False)

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when there is something to receive."""
        return self._pipe

    def receive(self) -> list[Part]:
        """Return the parts that have arrived, without blocking, and update `state`."""
        if self.state is not JobState.RUNNING:
            return []
        ended = self._read()
        parts = list(self._parts())
        if parts and parts[-1] == _END:
            parts.pop()
            self._end(JobState.DONE)
        elif ended:
            self._end(JobState.CRASHED)
        elif monotonic() >= self.late_at:
            self._end(JobState.LATE)
        return parts

    def close(self) -> None:
        """Kill the child, if it still runs."""
        if self.state is JobState.RUNNING:
            self._end(JobState.LATE)

    def _read(self) -> bool:
        """Read what is in the pipe; return whether it has ended."""
        while True:
            try:
                data = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                return False
            if not data:
                return True
            self._received += data

    def _parts(self) -> list[Part]:
        parts, at = [], 0
        data = self._received
        while len(data) - at >= _LENGTH_BYTES:
            end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES])
            if len(data) < end:
                break
            parts.append(marshal.loads(data[at + _LENGTH_BYTES : end]))  # noqa: S302 - our child's
            at = end
        del data[:at]
        return parts

    def _end(self, state: JobState) -> None:
        self.state = state
        os.close(self._pipe)
        self._received.clear()
        if state is JobState.LATE:
            if not self._attached:
                _kill(-self.pid)  # with the programs that it has started
            _kill(self.pid)
        try:  # noqa: SIM105
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # a supervisor that reaps every child was quicker


def start_job(work: Callable[[Send], None], seconds: float, *, attached: bool = False) -> Job:
    """Return a new `Job`.

    Raises:
        UnavailableError: the system allows no other process or open file.
    """
    try:
        return Job(work, seconds=seconds, attached=attached)
    except OSError as error:
        raise UnavailableError(
            f"cannot start a process that asks the stores: {reason_of(error)}", hint=LIMITS_HINT
        ) from None


def all_parts(job: Job) -> Iterator[Part]:
    """Yield what a job sends until it has ended; end it if the caller stops."""
    try:
        while job.state is JobState.RUNNING:
            wait_readable([job.fileno()], job.late_at)
            yield from job.receive()
    finally:
        job.close()


def wait_readable(descriptors: Iterable[int], until: float) -> None:
    """Wait until a file descriptor is readable, or until a time on `monotonic`."""
    poll = select.poll()  # `select.select` takes no descriptor above 1023
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    # rounded up: a loop that wakes a moment early would spin
    left = until - monotonic()
    poll.poll(None if left == float("inf") else max(0, int(left * 1000) + 1))


def _kill(pid: int) -> None:
    try:  # noqa: SIM105
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _run(
    work: Callable[[Send], None], pipe: int, parent: int, *, seconds: float, attached: bool
) -> NoReturn:
    """Do the work in the child, and end it."""
    status = 1
    try:
        _become_own(parent, seconds, attached=attached)
        lock = _thread.allocate_lock()

        def send(part: Part) -> None:
            data = marshal.dumps(part)
            rest = memoryview(len(data).to_bytes(_LENGTH_BYTES) + data)
            with lock:
                while rest:
                    rest = rest[os.write(pipe, rest) :]

        work(send)
        send(_END)
        status = 0
    except BaseException:  # noqa: BLE001, S110 - what it says may show a value
        pass
    finally:
        os._exit(status)  # without the parent's exit handlers and buffers


def _become_own(parent: int, seconds: float, *, attached: bool) -> None:
    """Detach the child from what is the parent's: signals, and the terminal."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)  # it ends also if the parent is stopped
    if not attached:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.close(null)
        end_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
