"""Whether a process acts for a person.

A process acts for a person if it has a controlling terminal, or if `--reason` is on its command
line. A service, a cron job and a CI job have neither: they give a reason in `ENVKIT_REASON`.
"""

from __future__ import annotations

import os

_TERMINAL = "/dev/tty"  # the controlling terminal of the process that opens it


def is_person(reason_option: str | None) -> bool:
    """Return whether the process acts for a person.

    Args:
        reason_option: the value of `--reason`, or None without it.
    """
    return bool((reason_option or "").strip()) or has_terminal()


def has_terminal() -> bool:
    """Return whether the process has a controlling terminal, also if no stream is one."""
    try:
        descriptor = os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    os.close(descriptor)
    return True
