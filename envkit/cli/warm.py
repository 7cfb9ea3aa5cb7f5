"""`exec` and `get` through the agent: nothing is loaded that reads a profile or a store.

`run` returns None where the agent has no answer; then `hot` does what it would have done without
an agent, so the result is the same. A command line that is not valid is also left to it.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from envkit import __version__
from envkit.agent.client import ask
from envkit.agent.folder import Unusable, socket_path
from envkit.agent.wire import Question, unpack
from envkit.audit import log
from envkit.audit.log import Entry
from envkit.cli.options import WATCHING, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.agent.wire import Answer
    from envkit.cli.options import Arguments
    from envkit.errors import AgentError, UsageError

AUTO, REQUIRE = "auto", "require"
INTERRUPTED = 130


class Outcome:
    """What came of a command.

    Attributes:
        status: its exit status; None if it must run without the agent.
        spent_seconds: what the agent has taken of its timeout.
    """

    __slots__ = ("spent_seconds", "status")

    def __init__(self, status: int | None, spent_seconds: float = 0.0) -> None:
        self.status = status
        self.spent_seconds = spent_seconds


def run(command: str, arguments: Sequence[str], mode: str) -> Outcome:
    """Run `exec` or `get` with the answer of the agent, if it has one.

    Args:
        command: a hot command.
        arguments: the words that follow it on the command line.
        mode: the value of `ENVKIT_AGENT`, or what the user's configuration says.
    """
    if mode not in (AUTO, REQUIRE):
        return Outcome(_report(_wrong_mode(mode), command, arguments))
    question = _question(command, arguments)
    if question is None or None in (sys.stdin, sys.stdout, sys.stderr):
        return Outcome(None)
    given, asked = question
    if os.getpid() == 1:
        from envkit.launch.exec import end_on_signals

        end_on_signals()
    began = monotonic()
    try:
        answer = _answer(asked, mode)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            return Outcome(_report(_unusable(reason), command, arguments))
        return Outcome(None, monotonic() - began)
    except KeyboardInterrupt:
        return Outcome(INTERRUPTED)
    return Outcome(_finish(command, arguments, given, answer))


def _question(command: str, arguments: Sequence[str]) -> tuple[Arguments, Question] | None:
    """Return what to ask the agent; None if it does not answer such a command line."""
    if command not in _FINISH:
        return None
    try:
        given = parse(command, arguments)
        if given.flag("dry-run") or any(given.flag(one.key) for one in WATCHING):
            return None
        if not given.rest or not given.rest[0] or (command == "get" and len(given.rest) > 1):
            return None
        log.destination(os.environ)
        overrides = [word for pair in given.overrides.items() for word in pair]
        return given, Question(
            __version__,
            os.getcwd(),
            given.one("profiles"),
            given.many("env"),
            given.many("only"),
            given.many("except"),
            given.rest if command == "get" else (),
            overrides,
            given.timeout_seconds,
        )
    except Exception:  # noqa: BLE001 - it is raised again without the agent
        return None


def _answer(question: Question, mode: str) -> Answer:
    """Ask the agent. If there is none, start one: for the next command, or if required for this."""
    try:
        return ask(socket_path(os.environ), question, os.environb)
    except Unusable as reason:
        if not reason.absent or (mode == AUTO and os.getpid() == 1):
            raise
        if mode == AUTO:
            socket_path(os.environ, create=True)
            from envkit.agent.spawn import spawn

            spawn(os.environ)
            raise
    from envkit.agent.control import start

    start(os.environ)
    return ask(socket_path(os.environ), question, os.environb)


def _finish(command: str, arguments: Sequence[str], given: Arguments, answer: Answer) -> int:
    names = [name.decode("utf-8", "surrogateescape") for name in answer.names]
    versions = {
        name: [one.decode("utf-8", "surrogateescape") for one in unpack(all_)]
        for name, all_ in zip(names, answer.versions, strict=True)
        if all_
    }
    profiles = [name.decode("utf-8", "surrogateescape") for name in answer.profiles]
    reason = (given.one("reason") or os.environ.get("ENVKIT_REASON", "")).strip() or None
    told = [text.decode("utf-8", "surrogateescape") for text in answer.logins]
    logins = dict(zip(told[::2], told[1::2], strict=True))
    try:
        entry = Entry(command, profiles, names, versions, reason, logins=logins)
        log.record(entry, os.environ)
    except Exception as error:
        from envkit.errors import AuditError

        if not isinstance(error, AuditError):
            raise
        # only a protected profile requires the record, and the agent keeps none
    try:
        return _FINISH[command](given, answer, names)
    except Exception as error:  # noqa: BLE001 - `guarded` reports each kind of error
        return _report(error, command, arguments)


def _exec(given: Arguments, answer: Answer, names: Sequence[str]) -> int:
    from envkit.launch.exec import merged, parent_environment, replace_process

    passed = merged(
        dict(zip(answer.names, answer.values, strict=True)),
        frozenset(answer.bootstrap),
        parent_environment(),
        pristine=given.flag("pristine"),
    )
    if sys.stderr.isatty() and any("$" in argument for argument in given.rest):
        from envkit.cli.exec.literal_arguments import warn

        warn(given.rest, names)
    replace_process(given.rest, passed)


def _get(given: Arguments, answer: Answer, names: Sequence[str]) -> int:  # noqa: ARG001
    from envkit.cli.boundary import guarded

    value = answer.values[0]

    def write() -> int:
        sys.stdout.flush()
        ending = b"\n" if sys.stdout.isatty() else b""
        sys.stdout.buffer.write(value + ending)
        return 0

    return guarded(write)


_FINISH: dict[str, Callable[[Arguments, Answer, Sequence[str]], int]] = {
    "exec": _exec,
    "get": _get,
}


def _report(error: Exception, command: str, arguments: Sequence[str]) -> int:
    from envkit.cli.boundary import guarded

    def fail() -> int:
        raise error

    return guarded(fail, (command, *arguments))


def _wrong_mode(mode: str) -> UsageError:
    from envkit.errors import UsageError

    return UsageError(
        f"ENVKIT_AGENT is '{mode}', which is not a mode", hint="set it to off, auto or require"
    )


def _unusable(reason: Unusable) -> AgentError:
    from envkit.errors import AgentError

    return AgentError(
        f"the agent cannot be used: {reason}",
        hint="run 'envkit agent start', or set ENVKIT_AGENT=auto",
    )
