"""What only Linux offers to a parent: prctl(2) and /proc. Elsewhere each function says so.

Reference: prctl(2), proc_pid_stat(5)
"""

from __future__ import annotations

import os
import sys

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One process of this machine or container.

    Attributes:
        pid: its id.
        state: one letter: `Z` for one that has ended.
        parent: the id of its parent.
        group: the id of its process group.
    """

    pid: int
    state: str
    parent: int
    group: int


def end_with_parent(number: int) -> bool:
    """Let the kernel send a signal to this process when the thread that forked it ends."""
    return _prctl(PR_SET_PDEATHSIG, number)


def adopt_orphans() -> bool:
    """Become the parent of all descendants whose own parent ends, as process 1 is."""
    return os.getpid() == 1 or _prctl(PR_SET_CHILD_SUBREAPER, 1)


def forbid_core() -> None:
    """Let this process leave no core behind; a limit of 0 alone would not stop a collector."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, ValueError, OSError):  # no file may be opened any more
        pass
    _prctl(PR_SET_DUMPABLE, 0)


def set_name(name: str) -> None:
    """Name this process for `ps` and `pkill`, with at most 15 bytes."""
    try:
        with open("/proc/self/comm", "w") as file:
            file.write(name)
    except OSError:
        pass


def processes() -> dict[int, Process]:
    """Return all processes by their ids; none where this machine has no /proc of its own."""
    found: dict[int, Process] = {}
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return {}  # it is that of another namespace
        entries = os.listdir("/proc")
    except OSError:
        return {}
    for entry in entries:
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    # the name, in parentheses, may contain anything
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:  # it has ended
                continue
            pid = int(entry)
            found[pid] = Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]))
    return found


def descendants(table: Mapping[int, Process], root: int, without: frozenset[int]) -> list[Process]:
    """Return the living descendants of a process.

    Args:
        table: from `processes`.
        root: the id of the process, which is not part of the result.
        without: processes to leave out with all of their descendants.
    """
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    waiting, found = [root], []
    for pid in waiting:
        for child in children.get(pid, ()):
            if child.pid not in without:
                waiting.append(child.pid)
                if child.state not in "ZX":
                    found.append(child)
    return found


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        import _ctypes as c  # `ctypes` itself would delay the start of the app

        prctl = c.dlsym(c.dlopen(None, 0), "prctl")  # type: ignore[arg-type] # as `ctypes.CDLL(None)`
        return int(c.call_function(prctl, (option, value, 0, 0, 0))) == 0
    except (ImportError, OSError, AttributeError):  # a Python without it, or another libc
        return False
