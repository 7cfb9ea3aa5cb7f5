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
        home = environ.get("HOME") or os.path.expanduser("~")
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "envkit")


def has_loose_link(path: str, root: str) -> bool:
    """Return whether a file is missing because of a dangling link, so that it should exist."""
    while path not in (root, os.path.dirname(path)):
        if os.path.islink(path) and not os.path.exists(path):
            return True
        path = os.path.dirname(path)
    return False
