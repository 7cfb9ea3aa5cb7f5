"""`exec` and `get` through the agent: nothing is loaded that reads a profile or a store.

`run` returns None where the agent has no answer; then `hot` does what it would have done without
an agent, so the result is the same. A command line that is not valid is also left to it.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from envkit import __version__
from envkit.agent.client import Connection
from envkit.agent.folder import Unusable, socket_path
from envkit.agent.wire import question_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.agent.wire import Answer
    from envkit.cli.options import Arguments
    from envkit.errors import AgentError, UsageError

    Question = tuple[list[bytes], float | None]  # its items, and the timeout in seconds

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
    if command not in _FINISH or None in (sys.stdin, sys.stdout, sys.stderr):
        return Outcome(None)
    if os.getpid() == 1:
        from envkit.launch.exec import end_on_signals

        end_on_signals()
    began = monotonic()
    first = _First()  # the agent wakes up while the command line is parsed
    question = _question(command, arguments)
    if question is None:
        first.close()
        return Outcome(None)
    given, asked = question
    status: int | None = None
    try:
        answer = _answer(first, *asked, mode)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            status = _report(_unusable(reason), command, arguments)
    except KeyboardInterrupt:
        from envkit.cli.hot import interrupted

        status = interrupted(command, given)
    else:
        status = _finish(command, arguments, given, answer)
    return Outcome(status, monotonic() - began)


def answer_for_hook(profiles: str, environment: str, timeout_seconds: float, mode: str) -> Answer:
    """Return what the shell hook loads, once it is recorded.

    Raises:
        Unusable: the agent has no answer.
        AgentError: the mode requires the agent, which cannot be used.
        UsageError: `ENVKIT_AUDIT` does not name a log, or it is not a mode.
    """
    if mode not in (AUTO, REQUIRE):
        raise _wrong_mode(mode)
    first = _First()
    folder = os.path.dirname(profiles)
    last = ("hook", _reason() or "", str(timeout_seconds))
    items = question_items(__version__, folder, ((profiles,), (environment,), *[()] * 4), *last)
    try:
        answer = _answer(first, items, timeout_seconds, mode)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            raise _unusable(reason) from None
        raise
    if answer.unrecorded:
        _record("hook", answer, _reason())
    return answer


def _question(command: str, arguments: Sequence[str]) -> tuple[Arguments, Question] | None:
    """Return what to ask the agent; None if it does not answer such a command line."""
    from envkit.cli.options import WATCHING, parse

    try:
        given = parse(command, arguments)
        if given.flag("dry-run") or any(given.flag(one.key) for one in WATCHING):
            return None
        if not given.rest or not given.rest[0] or (command == "get" and len(given.rest) > 1):
            return None
        overrides = [word for pair in given.overrides.items() for word in pair]
        seconds = None if given.one("timeout") is None else given.timeout_seconds
        items = question_items(
            __version__,
            os.getcwd(),
            (
                *(given.many("profiles")[-1:], given.many("env")),
                *(given.many("only"), given.many("except")),
                *(given.rest if command == "get" else (), overrides),
            ),
            *(command, _reason(given.one("reason")) or "", str(seconds or "")),
        )
    except Exception:  # noqa: BLE001 - it is raised again without the agent
        return None
    return given, (items, seconds)


def _reason(given: str | None = None) -> str | None:
    return (given or os.environ.get("ENVKIT_REASON", "")).strip() or None


class _First:
    """The connection to the agent, or the reason why there is none."""

    __slots__ = ("_agent", "_reason")

    def __init__(self) -> None:
        self._agent: Connection | None = None
        try:
            self._agent = Connection(socket_path(os.environ))
        except Unusable as reason:
            self._reason = reason
        except Exception as error:  # noqa: BLE001 - a command never fails because of the agent
            self._reason = _failed(error)

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()

    def agent(self) -> Connection:
        if self._agent is None:
            raise self._reason
        return self._agent


def _answer(
    first: _First, question: Sequence[bytes], timeout_seconds: float | None, mode: str
) -> Answer:
    """Ask the agent. If there is none, start one: for the next command, or if required for this."""
    try:
        with _connected(first, mode) as agent:
            agent.ask(question, os.environb)
            import envkit.launch.exec  # noqa: F401 - what follows is loaded while the agent works

            return agent.answer(timeout_seconds)
    except Unusable:
        raise
    except Exception as error:  # noqa: BLE001 - a command never fails because of the agent
        raise _failed(error) from None


def _connected(first: _First, mode: str) -> Connection:
    try:
        return first.agent()
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
    return Connection(socket_path(os.environ))


def _failed(error: Exception) -> Unusable:
    return Unusable(f"{type(error).__name__} in its client")


def _finish(command: str, arguments: Sequence[str], given: Arguments, answer: Answer) -> int:
    try:
        if answer.unrecorded:
            _record(command, answer, _reason(given.one("reason")))
        return _FINISH[command](given, answer)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - `guarded` reports each kind of error
        return _report(error, command, arguments)


def _record(command: str, answer: Answer, reason: str | None) -> None:
    """Add what was read to the audit log, where the agent could not do that."""
    from envkit.audit import log
    from envkit.errors import AuditError

    try:
        used = answer.unrecorded.decode("utf-8", "surrogateescape")
        log.record_line(log.line_of(command, used, reason), os.environ)
    except AuditError:
        return  # only a protected profile requires the record, and the agent keeps none


def _exec(given: Arguments, answer: Answer) -> int:
    from envkit.launch.exec import merged, parent_environment, replace_process

    passed = merged(
        dict(zip(answer.names, answer.values, strict=True)),
        frozenset(answer.bootstrap),
        parent_environment(),
        pristine=given.flag("pristine"),
    )
    if sys.stderr.isatty() and any("$" in argument for argument in given.rest):
        from envkit.cli.exec.literal_arguments import warn

        warn(given.rest, [name.decode("utf-8", "surrogateescape") for name in answer.names])
    replace_process(given.rest, passed)


def _get(_: Arguments, answer: Answer) -> int:
    from envkit.cli.boundary import guarded

    value = answer.values[0]

    def write() -> int:
        sys.stdout.flush()
        ending = b"\n" if sys.stdout.isatty() else b""
        sys.stdout.buffer.write(value + ending)
        return 0

    return guarded(write)


_FINISH: dict[str, Callable[[Arguments, Answer], int]] = {
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
