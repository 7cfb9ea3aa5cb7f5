"""What the agent answers is in the audit log before a client uses it, as if the client had done it.

Nothing waits here: where the log is not a file, or another process has it locked, the client adds
the line itself. So it does where the same path could be another file for the client.
"""

from __future__ import annotations

from envkit.agent.wire import os_decode
from envkit.audit import log
from envkit.audit.file_log import append
from envkit.errors import AuditError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.agent.question import Question
    from envkit.agent.wire import Answer

LOCK_SECONDS = 0.02  # other clients wait for it, too
_OF_ONE_PROCESS = ("/dev/fd/", "/proc/")
_VARIABLES = (log.VARIABLE.encode(), b"HOME", b"XDG_STATE_HOME")


def unrecorded(
    question: Question, variables: Mapping[bytes, bytes], pid: int, used: bytes
) -> bytes:
    """Record an answer; return what its client has to record, which is nothing or `used`.

    Args:
        question: what the client has asked.
        variables: of the client.
        pid: of the client.
        used: what `log.used` returns, in bytes.
    """
    if not variables.get(b"HOME", b"").startswith(b"/"):
        return used
    environ = {os_decode(n): os_decode(variables[n]) for n in _VARIABLES if n in variables}
    try:
        where = log.destination(environ)
        if where == log.SYSLOG or where.startswith(_OF_ONE_PROCESS):
            return used
        if where != log.OFF:
            text = log.line_of(question.command, os_decode(used), question.reason or None, pid=pid)
            append(where, text, lock_seconds=LOCK_SECONDS)
    except Exception:  # noqa: BLE001 - what one client has sent must not end the agent
        return used
    return b""


def record(command: str, answer: Answer, reason: str | None, environ: Mapping[str, str]) -> None:
    """Record an answer in its client, where the agent could not do that.

    Args:
        command: `exec`, `get` or `hook`.
        answer: what the agent has answered.
        reason: given on the command line. [default: `ENVKIT_REASON`]
        environ: of the process.

    Raises:
        UsageError: `ENVKIT_AUDIT` does not name a log.
    """
    reason = (reason or environ.get("ENVKIT_REASON", "")).strip() or None
    try:
        log.record_line(log.line_of(command, os_decode(answer.unrecorded), reason), environ)
    except AuditError:
        return  # only a protected profile requires the record, and the agent keeps none
