"""The signals that a supervisor receives: handlers only note them and wake the event loop.

    signals = Signals()
    signals.catch()
    poll([signals.fileno()])
    for number in signals.take(): ...

In a child between fork and exec, `restore` gives back what envkit was started with. `Held`
blocks all signals around the fork, so that none is lost or handled by the wrong process.
"""

from __future__ import annotations

import os

from envkit.launch.exec import signal_module
from envkit.resident.kernel import forbid_core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_signal: Any = signal_module()

SIGCHLD = int(_signal.SIGCHLD)
SIGCONT = int(_signal.SIGCONT)
SIGHUP = int(_signal.SIGHUP)
SIGINT = int(_signal.SIGINT)
SIGKILL = int(_signal.SIGKILL)
SIGQUIT = int(_signal.SIGQUIT)
SIGSTOP = int(_signal.SIGSTOP)
SIGTERM = int(_signal.SIGTERM)
SIGTSTP = int(_signal.SIGTSTP)
SIGTTIN = int(_signal.SIGTTIN)
SIGTTOU = int(_signal.SIGTTOU)
SIGUSR1 = int(_signal.SIGUSR1)
SIGUSR2 = int(_signal.SIGUSR2)
SIGWINCH = int(_signal.SIGWINCH)

FORWARDED = (
    *(SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2),
    *(SIGCONT, SIGWINCH, SIGTSTP),
)


def number_of(name: str) -> int | None:
    """Return the number of a signal, such as `HUP` or `SIGHUP`; None if there is none."""
    return signal_numbers().get(name.upper().removeprefix("SIG"))


def signal_numbers() -> dict[str, int]:
    """Return the numbers of all signals by their names without `SIG`."""
    return {
        name.removeprefix("SIG"): int(getattr(_signal, name))
        for name in dir(_signal)
        if name.startswith("SIG") and not name.startswith(("SIG_", "SIGRT", "SIGCLD", "SIGPOLL"))
    }


def name_of(number: int) -> str:
    """Return the name of a signal, such as `SIGHUP`."""
    known = {value: name for name, value in signal_numbers().items()}
    return f"SIG{known[number]}" if number in known else f"signal {number}"


class Signals:
    """The signals of this process; see the module's docstring. Created once, by its main thread."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._mask: set[int] = set()
        self._noted: set[int] = set()
        self._reading = -1

    def catch(self) -> None:
        """Note the forwarded signals and SIGCHLD from now on; a background process may write."""
        self._mask = set(_signal.pthread_sigmask(_signal.SIG_BLOCK, []))
        self._reading, writing = os.pipe()
        for end in (self._reading, writing):
            os.set_blocking(end, False)
        _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (*FORWARDED, SIGCHLD):
            self._set(number, self._note)
        self._set(SIGTTOU, _signal.SIG_IGN)
        # what the caller blocked stays blocked for the app alone
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (*FORWARDED, SIGCHLD))

    def fileno(self) -> int:
        """Return a file descriptor that is readable after a signal."""
        return self._reading

    def take(self) -> list[int]:
        """Return the signals since the last call, each once."""
        try:
            while os.read(self._reading, 4096):
                pass
        except BlockingIOError:
            pass
        noted, self._noted = self._noted, set()
        return sorted(noted)

    def was_ignored(self, number: int) -> bool:
        """Return whether envkit was started with the signal ignored, as `nohup` does."""
        return bool(self._before.get(number) == _signal.SIG_IGN)

    def restore(self) -> None:
        """Give a new child the dispositions and the mask that envkit was started with."""
        _signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            default = _signal.SIG_DFL
            _signal.signal(number, handler if handler == _signal.SIG_IGN else default)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)

    def _set(self, number: int, handler: Any) -> None:
        self._before[number] = _signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        self._noted.add(number)


class Held:
    """Blocks all signals around a fork; they arrive afterwards. A child sets a mask within."""

    def __enter__(self) -> None:
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())

    def __exit__(self, *_: object) -> None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)


def watch_signals(descriptor: int) -> None:
    """Write the number of each forwarded signal to `descriptor` from now on, and do nothing else.

    Args:
        descriptor: of a pipe that does not block.
    """
    for number in FORWARDED:
        _signal.signal(number, _nothing)
    for number in (SIGTTOU, SIGTTIN, SIGCHLD):
        _signal.signal(number, _signal.SIG_IGN)
    _signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])


def die_of(number: int) -> int:
    """End this process by a signal; return the exit status for one that it survives.

    Process 1 of a container survives every signal of its own.
    """
    forbid_core()  # it would contain values
    if number not in (SIGKILL, SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    return 128 + number


def _nothing(_number: int, _frame: object) -> None:
    pass
