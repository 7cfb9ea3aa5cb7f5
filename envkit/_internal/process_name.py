"""Name a process so that its name is never another one's: pids are used again."""

from __future__ import annotations

import os


def process_name(pid: int) -> str:
    """Return `PID-START` of the process that has this pid now; empty if none has."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            started = file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return ""
        try:  # a system without /proc does not say when it started
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        started = "0"
    return f"{pid}-{started}"


def host_name() -> str:
    """Return what differs where the same pid may be another process: on the host and in it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{os.uname().nodename} {space}"
