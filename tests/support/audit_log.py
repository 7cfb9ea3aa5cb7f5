"""An audit log in a file: its setting and its records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envkit.audit.log import Entry

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = Entry("get", ["prod"], ["URL", "KEY"], {"URL": ["3", "7"]}, reason="INC-7")


def environ(log: Path) -> dict[str, str]:
    """Return the environment of a process that writes to this log."""
    return {"ENVKIT_AUDIT": str(log)}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of one file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
