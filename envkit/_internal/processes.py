"""Name a process so that a later one with the same id is another: its start is part of the name."""

from __future__ import annotations

import os


def process_name(pid: int) -> str:
    """Return a name that no other process on this host gets; empty if there is no such process."""
    started = started_at(pid)
    return "" if started is None else f"{pid}-{started}"


def started_at(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks; None if there is no such process.

    A process that has ended is none, even if its parent never asks how: in many containers,
    process 1 does not. A system without /proc does not say when; there it is `0` for every
    process that exists.

    Reference: proc_pid_stat(5)
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # the name, in parentheses, may contain anything
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:  # of another user
            return "0"
        return "0"
    # a main thread may have ended before the others
    ended = fields[0] in b"ZX" and int(fields[17]) < 2
    return None if ended else fields[19].decode()


def namespace() -> str:
    """Return what differs where the same id may be another process: host and PID namespace."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{os.uname().nodename} {space}"
