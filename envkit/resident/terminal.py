"""The controlling terminal, and the witness of which signals reach the whole process group.

With a terminal the app shares envkit's process group: otherwise neither `... | less` nor Ctrl-C
in a loop of a shell would work. A signal may then be sent to the group, and so to the app too
(Ctrl-C, `kill %1`), or to envkit alone (`kill PID`), and the kernel does not say which. The
witness is a small process in the same group. What it receives, the app has received.

It tells envkit by a pipe: the number of each signal, and 0 as the answer to a question. A signal
to the group is pending for all of its members before envkit can ask, so what precedes the
answer is complete. Envkit asks twice, for a machine that pauses in the middle.
"""

from __future__ import annotations

import os

from envkit.resident import signals as sig
from envkit.resident.kernel import set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUESTIONS = 2
ASK_AGAIN_SECONDS = 0.02
FORGET_SECONDS = 1.0  # after which a signal that only the witness received is dropped
ANSWER = 0
WITNESS_NAME = "signal-witness"


class Witness:
    """The witness, for one event loop; see the module's docstring."""

    def __init__(self) -> None:
        self._heard: dict[int, float] = {}
        self._unclear: dict[int, tuple[int, float]] = {}  # questions left, time of the next
        self._asked = 0
        self.pid = 0
        self._start()

    def fileno(self) -> int:
        """Return the file descriptor to wait on until it is readable."""
        return self._reading

    def next_time(self) -> float | None:
        """Return when `settle` must be called even if nothing is readable."""
        if self._asked:
            return None
        return min((at for _, at in self._unclear.values()), default=None)

    def ask(self, number: int, now: float) -> None:
        """Find out who received a signal that has reached envkit; see `settle`."""
        self._unclear[number] = (QUESTIONS, now)

    def settle(self, now: float) -> list[tuple[int, bool]]:
        """Return signals of which it is clear by now whether the whole group received them."""
        answered = self._read(now)
        found = []
        for number, (left, at) in list(self._unclear.items()):
            if number in self._heard:
                found.append((number, True))
            elif answered and left == 0:
                found.append((number, False))
            elif now >= at and not self._asked and left:
                self._question()
                self._unclear[number] = (left - 1, now + ASK_AGAIN_SECONDS)
        for number, shared in found:
            del self._unclear[number]
            if shared:
                del self._heard[number]
        self._heard = {n: at for n, at in self._heard.items() if now - at < FORGET_SECONDS}
        return found

    def close(self) -> None:
        """End the witness."""
        os.close(self._writing)
        os.close(self._reading)

    def again(self) -> None:
        """Start another witness: this one was killed."""
        self.close()
        self._start()
        self._asked = 0
        self._unclear = {number: (QUESTIONS, at) for number, (_, at) in self._unclear.items()}

    def _question(self) -> None:
        try:
            os.write(self._writing, b"?")
            self._asked += 1
        except OSError:  # it was killed; the supervisor starts another one
            pass

    def _read(self, now: float) -> bool:
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return False
        for number in data:
            if number == ANSWER:
                self._asked = max(0, self._asked - 1)
            else:
                self._heard[number] = now
        return ANSWER in data or not data

    def _start(self) -> None:
        self._reading, told = os.pipe()
        asked, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(told, False)
        with sig.Held():
            self.pid = os.fork()
            if self.pid == 0:
                _witness(asked, told)
        os.close(told)
        os.close(asked)


def _witness(asked: int, told: int) -> None:
    try:
        sig.watch_signals(told)
        set_name(WITNESS_NAME)
        _close_all_but(asked, told)  # the reader of a pipe may wait for its end
        while os.read(asked, 1):  # ends with envkit
            os.write(told, bytes([ANSWER]))
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    try:
        opened = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        opened = list(range(256))
    for descriptor in opened:
        if descriptor not in kept:
            try:  # noqa: SIM105 - contextlib would delay the start of the app
                os.close(descriptor)
            except OSError:  # of the folder itself
                pass


class Terminal:
    """The controlling terminal of this process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._modes = self._read_modes()

    def take_back(self) -> None:
        """Become the foreground group again if the group that was it has ended.

        An interactive shell that is killed cannot give the terminal back. SIGTTOU is ignored.
        """
        try:
            group = os.tcgetpgrp(self._descriptor)
            if group != os.getpgrp() and not _exists(group):
                os.tcsetpgrp(self._descriptor, os.getpgrp())
        except OSError:  # it was closed
            pass

    def pass_on(self, pid: int) -> None:
        """Make the group of a process the foreground, if this one is."""
        try:
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                os.tcsetpgrp(self._descriptor, os.getpgid(pid))
        except OSError:  # one of them has ended
            pass

    def restore_modes(self) -> None:
        """Undo what a full-screen program that was stopped did to the terminal."""
        import termios

        try:
            if self._modes is not None and os.tcgetpgrp(self._descriptor) == os.getpgrp():
                # not TCSADRAIN, which waits while Ctrl-S stops the output
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._modes)
        except (OSError, termios.error):
            pass

    def _read_modes(self) -> list[Any] | None:
        import termios

        try:
            return termios.tcgetattr(self._descriptor)
        except termios.error:
            return None


def controlling_terminal() -> Terminal | None:
    """Return the controlling terminal; None for a service, a job of CI or a container without."""
    try:
        return Terminal(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None


def stop_here() -> None:
    """Stop this process as Ctrl-Z does, until something continues it."""
    os.kill(os.getpid(), sig.SIGSTOP)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
