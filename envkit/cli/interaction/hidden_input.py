"""Hide what a person types, and show it again however the process ends or stops.

A signal that ends or stops the process first turns the terminal's echo on again, and then has its
usual effect. When the person continues the process in the foreground, the echo is off again.

Only the process in the foreground changes the terminal: the others would change it for the shell,
or be stopped for the attempt.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_HANDLED = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)


@contextlib.contextmanager
def hidden_input(terminal: int, question: str) -> Iterator[None]:
    """Hide what is typed, and enter the context when there is a line to read.

    Args:
        terminal: the descriptor that is read.
        question: shown now, and again when a stopped process continues.

    Raises:
        termios.error: the terminal cannot hide it.
    """
    shown = termios.tcgetattr(terminal)
    hidden = [*shown[:3], shown[3] & ~termios.ECHO, *shown[4:]]
    # only the main thread may change how signals are handled
    on_main_thread = threading.current_thread() is threading.main_thread()
    usual = {number: signal.getsignal(number) for number in _HANDLED if on_main_thread}
    usual = {number: how for number, how in usual.items() if how not in (None, signal.SIG_IGN)}

    def end(signal_number: int, _: FrameType | None) -> None:
        number = signal.Signals(signal_number)
        _set(terminal, termios.TCSAFLUSH, shown)  # the shell does not get what is half typed
        signal.signal(number, usual[number])
        signal.raise_signal(number)
        # the process was stopped, and continues; or the signal had no effect
        signal.signal(number, end)
        _set(terminal, termios.TCSADRAIN, hidden)

    def resume(*_: object) -> None:
        if _set(terminal, termios.TCSADRAIN, hidden):
            _write(question)

    try:
        for number in usual:
            signal.signal(number, end)
        termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
        if on_main_thread:  # only now: a process that waits for the foreground is not interrupted
            usual[signal.SIGCONT] = signal.signal(signal.SIGCONT, resume)
        _write(question)
        _wait_for_line(terminal, wakes=on_main_thread)
        yield
    finally:
        _set(terminal, termios.TCSAFLUSH, shown)
        for number, how in usual.items():
            signal.signal(number, how)


def _wait_for_line(terminal: int, *, wakes: bool) -> None:
    """Wait until a line can be read; on the main thread, no signal is missed meanwhile.

    Python handles signals between two steps. Without the pipe, one that arrives just before the
    wait would be handled after it.
    """
    if not wakes:
        return
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        while terminal not in select.select([terminal, woken], [], [])[0]:
            os.read(woken, 4096)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


def _set(terminal: int, when: int, state: list[Any]) -> bool:
    """Set the state of the terminal, and return whether this process may."""
    with contextlib.suppress(termios.error):  # the terminal is gone
        if _in_foreground(terminal):
            termios.tcsetattr(terminal, when, state)
            return True
    return False


def _in_foreground(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True  # it does not control this process, and so does not stop it


def _write(text: str) -> None:
    """Write to stderr, also from a signal handler that interrupts a `print`."""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding, "backslashreplace"))
