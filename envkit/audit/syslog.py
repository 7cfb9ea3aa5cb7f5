"""The audit log as messages to the system log.

`syslog(3)` does not report whether a daemon listens, and a protected profile must not be
used unrecorded. So the message is sent directly to the socket of the system log.

Reference: RFC 3164, as `/dev/log` accepts it
"""

from __future__ import annotations

import os
import time

from envkit._internal.os_errors import reason_of
from envkit.errors import AuditError

SOCKETS = ("/dev/log", "/var/run/syslog")  # Linux and the BSDs; macOS
TIMEOUT_SECONDS = 5.0
AUTHPRIV_INFO = 10 << 3 | 6  # facility and severity


def send(text: str, sockets: tuple[str, ...] = SOCKETS) -> None:
    """Send one message.

    Args:
        text: one line.
        sockets: where the system log may listen; the first one that exists is used.

    Raises:
        AuditError: the system log does not accept it.
    """
    when = time.strftime("%b %e %H:%M:%S")
    message = f"<{AUTHPRIV_INFO}>{when} envkit[{os.getpid()}]: {text}".encode()
    _reach(sockets, message)


def check(sockets: tuple[str, ...] = SOCKETS) -> None:
    """Check that the system log accepts messages.

    Raises:
        AuditError: the system log does not accept messages.
    """
    _reach(sockets, None)


def _reach(sockets: tuple[str, ...], message: bytes | None) -> None:
    import socket

    path = next(filter(os.path.exists, sockets), sockets[0])
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(TIMEOUT_SECONDS)
            sender.connect(path)
            if message is not None:
                sender.sendall(message)
    except OSError as error:
        reason = reason_of(error, "no answer")
        raise AuditError(
            f"cannot write to the system log at {path}: {reason}",
            hint="start the system log, or set ENVKIT_AUDIT to the absolute path of a file",
        ) from None
