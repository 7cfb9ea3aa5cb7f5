"""`exec` and `get` through the agent: nothing is loaded that reads a profile or a store.

`run` returns None where the agent has no answer; then `hot` does what it would have done without
an agent, so the result is the same. A command line that is not valid is also left to it.
"""

import os
import sys
from time import monotonic

from envkit import __version__
from envkit.agent.client import Asking, Unusable
from envkit.agent.wire import question_items
from envkit.arguments import WATCHING, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.agent.wire import Answer
    from envkit.arguments import Arguments

# no module here, nor any that it imports, has `from __future__ import annotations`: it takes 0.1 ms
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


def run(command: str, arguments: "Sequence[str]", mode: str) -> Outcome:
    """Run `exec` or `get` with the answer of the agent, if it has one.

    Args:
        command: a hot command.
        arguments: the words that follow it on the command line.
        mode: the value of `ENVKIT_AGENT`, or what the user's configuration says.
    """
    if mode not in (AUTO, REQUIRE):
        from envkit.agent.errors import wrong_mode

        return Outcome(_report(wrong_mode(mode), command, arguments))
    if command not in _FINISH or None in (sys.stdin, sys.stdout, sys.stderr):
        return Outcome(None)
    if os.getpid() == 1:
        from envkit.launch.exec import end_on_signals

        end_on_signals()
    began = monotonic()
    asking = Asking()  # the agent wakes up while the command line is parsed
    question = _question(command, arguments)
    if question is None:
        asking.close()
        return Outcome(None)
    given, items, timeout_seconds = question
    status: int | None = None
    try:
        answer = asking.answer(items, timeout_seconds, required=mode == REQUIRE)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            from envkit.agent.errors import unusable

            status = _report(unusable(reason), command, arguments)
    except KeyboardInterrupt:
        from envkit.cli.hot import interrupted

        status = interrupted(command, given)
    else:
        status = _finish(command, arguments, given, answer)
    return Outcome(status, monotonic() - began)


def _question(
    command: str, arguments: "Sequence[str]"
) -> "tuple[Arguments, list[bytes], float | None] | None":
    """Return the arguments, the items of the question and the timeout in seconds.

    The result is None if the agent does not answer such a command line.
    """
    try:
        given = parse(command, arguments)
        if given.flag("break-glass") or given.flag("dry-run"):
            return None
        if any(map(given.flag, WATCHING)):
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
    return given, items, seconds


def _reason(given: str | None) -> str | None:
    return (given or os.environ.get("ENVKIT_REASON", "")).strip() or None


def _finish(command: str, arguments: "Sequence[str]", given: "Arguments", answer: "Answer") -> int:
    try:
        if answer.unrecorded:
            from envkit.agent.auditing import record

            record(command, answer, _reason(given.one("reason")), os.environ)
        return _FINISH[command](given, answer)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - `guarded` reports each kind of error
        return _report(error, command, arguments)


def _exec(given: "Arguments", answer: "Answer") -> int:
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


def _get(_: "Arguments", answer: "Answer") -> int:
    from envkit.cli.boundary import guarded

    value = answer.values[0]

    def write() -> int:
        sys.stdout.flush()
        ending = b"\n" if sys.stdout.isatty() else b""
        sys.stdout.buffer.write(value + ending)
        return 0

    return guarded(write)


_FINISH: "dict[str, Callable[[Arguments, Answer], int]]" = {
    "exec": _exec,
    "get": _get,
}


def _report(error: Exception, command: str, arguments: "Sequence[str]") -> int:
    from envkit.cli.boundary import guarded

    def fail() -> int:
        raise error

    return guarded(fail, (command, *arguments))
