"""Collect children that have ended: those that envkit knows, and orphans that it has adopted.

There is one reaper. Children of the watcher are left to the watcher, which waits for them itself.
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Report(NamedTuple):
    """What has happened to a known child.

    Attributes:
        pid: of the child.
        status: as from `waitpid`: it ended, was stopped or continues.
    """

    pid: int
    status: int

    @property
    def ended(self) -> bool:
        """Whether the child has ended."""
        return os.WIFEXITED(self.status) or os.WIFSIGNALED(self.status)


def reap(known: AbstractSet[int], foreign: frozenset[int]) -> list[Report]:
    """Return what happened to known children, and collect all orphans that have ended.

    Args:
        known: the children to report on.
        foreign: children that another part of envkit waits for.
    """
    reports = []
    for pid in known:
        try:
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            continue
        if found:
            reports.append(Report(pid, status))
    ended = {report.pid for report in reports if report.ended}
    while True:
        try:
            next_one = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return reports
        if next_one is None or next_one.si_pid in foreign:
            return reports
        pid = next_one.si_pid
        _, status = os.waitpid(pid, 0)
        if pid in known and pid not in ended:  # it ended since the first look
            reports.append(Report(pid, status))
