"""The `envkit` command: dispatch before importing.

`exec`, `get` and `export` run before an app starts, so they run without typer, which alone
takes longer than they do. `exec` and `get` first ask the agent. With its answer, nothing is loaded
that reads a profile or a store; without one, `cli.hot` does what it would have done without an
agent, so the result is the same. In a locale that is not UTF-8, envkit first restarts itself in
Python's UTF-8 mode.
"""

# no module that a warm `exec` loads has `from __future__ import annotations`: it imports a module
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.agent.wire import Answer
    from envkit.arguments import Arguments

HOT = ("exec", "get", "export")
AUTO, REQUIRE, OFF = "auto", "require", "off"  # the values of `ENVKIT_AGENT`
INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:]
    if sys.getfilesystemencoding() != "utf-8":
        from envkit.cli.utf8_mode import restart

        restart(arguments)
    if "ENVKIT_HOOK_STATE" in os.environ and arguments[:1] != ["hook"]:
        from envkit.launch.shell_hook import take_out

        take_out(os.environ)
    if arguments and arguments[0] in HOT:
        import gc

        gc.disable()  # saves a tenth of the run time; the process ends before there is garbage
        spent_seconds = 0.0
        mode = _agent_mode()
        if mode != OFF:
            status, spent_seconds = _run_with_agent(arguments[0], arguments[1:], mode)
            if status is not None:
                sys.exit(status)
        from envkit.cli.hot import asks_for_help, run

        if not asks_for_help(arguments[0], arguments[1:]):
            sys.exit(run(arguments[0], arguments[1:], spent_seconds=spent_seconds))
        arguments = [arguments[0], "--help"]
    if len(arguments) == 4 and arguments[0] == "hook" and arguments[3].isdecimal():
        from envkit.cli.exec.hook_step import run as run_step

        step = arguments[2]
        if step in ("--step", "--unload"):
            load = step == "--step"
            sys.exit(run_step(arguments[1], int(arguments[3]), _agent_mode(), load=load))
    from envkit.cli.app import run_app

    sys.exit(run_app(arguments))


def _agent_mode() -> str:
    return os.environ.get("ENVKIT_AGENT") or _configured_mode()


def _configured_mode() -> str:
    """Return `auto` if the user's configuration has a line `agent = true` above its tables.

    Most users have no such file, and `tomllib` takes longer than the rest of a warm `exec`.
    `trust.user_config` reports what is wrong with the file.
    """
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        folder = os.environ.get("HOME", "") + "/.config"
    try:
        descriptor = os.open(f"{folder}/envkit/config.toml", os.O_RDONLY | os.O_NONBLOCK)
        try:
            state = os.fstat(descriptor)
            if state.st_uid != os.geteuid() or state.st_mode & 0o022:
                return OFF
            head = (b"\n" + os.read(descriptor, 1 << 16)).partition(b"\n[")[0]
        finally:
            os.close(descriptor)
    except OSError:
        return OFF
    lines = (line.partition(b"#")[0].replace(b" ", b"").strip() for line in head.split(b"\n"))
    return AUTO if b"agent=true" in lines else OFF


def _run_with_agent(
    command: str, arguments: "Sequence[str]", mode: str
) -> tuple[int | None, float]:
    """Run `exec` or `get` with the answer of the agent, if it has one.

    Args:
        command: a hot command.
        arguments: the words that follow it on the command line.
        mode: the value of `ENVKIT_AGENT`, or what the user's configuration says.

    Returns:
        the exit status, or None if the command must run without the agent; and the seconds that
        the agent has taken of its timeout.
    """
    if mode not in (AUTO, REQUIRE):
        from envkit.agent.errors import wrong_mode

        return _report(wrong_mode(mode), command, arguments), 0.0
    if command == "export" or None in (sys.stdin, sys.stdout, sys.stderr):
        return None, 0.0
    if os.getpid() == 1:
        from envkit.launch.exec import end_on_signals

        end_on_signals()
    from time import monotonic

    from envkit.agent.client import Asking, Unusable

    began = monotonic()
    asking = Asking()  # the agent wakes up while the command line is parsed
    environ = dict(os.environb)
    question = _question(command, arguments)
    if question is None:
        asking.close()
        return None, 0.0
    given, items, timeout_seconds = question
    status: int | None = None
    try:
        answer = asking.answer(items, environ, timeout_seconds, required=mode == REQUIRE)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            from envkit.agent.errors import unusable

            status = _report(unusable(reason), command, arguments)
    except KeyboardInterrupt:
        from envkit.cli.hot import interrupted

        status = interrupted(command, given)
    else:
        status = _finish(command, arguments, given, environ, answer)
    return status, monotonic() - began


def _question(
    command: str, arguments: "Sequence[str]"
) -> "tuple[Arguments, list[bytes], float | None] | None":
    """Return the arguments, the items of the question and the timeout in seconds.

    The result is None if the agent does not answer such a command line.
    """
    from envkit import __version__
    from envkit.agent.wire import question_items
    from envkit.arguments import WATCHING, parse

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


def _finish(
    command: str,
    arguments: "Sequence[str]",
    given: "Arguments",
    environ: dict[bytes, bytes],
    answer: "Answer",
) -> int:
    try:
        if answer.unrecorded:
            from envkit.agent.auditing import record

            record(command, answer, _reason(given.one("reason")), os.environ)
        return _exec(given, environ, answer) if command == "exec" else _get(answer)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - `guarded` reports each kind of error
        return _report(error, command, arguments)


def _exec(given: "Arguments", environ: dict[bytes, bytes], answer: "Answer") -> int:
    from envkit.launch.exec import merged, parent_environment, replace_process

    passed = merged(
        dict(zip(answer.names, answer.values, strict=True)),
        frozenset(answer.bootstrap),
        parent_environment(environ),
        pristine=given.flag("pristine"),
    )
    if sys.stderr.isatty() and any("$" in argument for argument in given.rest):
        from envkit.cli.exec.literal_arguments import warn

        warn(given.rest, [name.decode("utf-8", "surrogateescape") for name in answer.names])
    replace_process(given.rest, passed)


def _get(answer: "Answer") -> int:
    from envkit.cli.boundary import guarded

    value = answer.values[0]

    def write() -> int:
        sys.stdout.flush()
        ending = b"\n" if sys.stdout.isatty() else b""
        sys.stdout.buffer.write(value + ending)
        return 0

    return guarded(write)


def _report(error: Exception, command: str, arguments: "Sequence[str]") -> int:
    from envkit.cli.boundary import guarded

    def fail() -> int:
        raise error

    return guarded(fail, (command, *arguments))


if __name__ == "__main__":
    main()
