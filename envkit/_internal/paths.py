"""How paths are shown to people."""

from __future__ import annotations

import os


def display_path(path: str) -> str:
    """Return `path` as a person would write it: relative where it is below the working folder."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if relative.split(os.sep, 1)[0] == os.pardir else relative
