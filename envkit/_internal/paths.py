"""Format paths for people, and name envkit's own files."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def display_path(path: str) -> str:
    """Return a path as a person would write it: relative if it is below the working folder."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if relative.split(os.sep, 1)[0] == os.pardir else relative


def state_folder(environ: Mapping[str, str]) -> str:
    """Return the absolute path of the folder for envkit's state on this machine."""
    state = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # the specification says to ignore relative paths
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "envkit")


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


def has_loose_link(path: str, root: str) -> bool:
    """Return whether a file is missing because of a dangling link, so that it should exist."""
    while path not in (root, os.path.dirname(path)):
        if os.path.islink(path) and not os.path.exists(path):
            return True
        path = os.path.dirname(path)
    return False
