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

    from envkit import __version__
    from envkit.agent.asking import Asking, Unusable, question_items

    def start(reason: Unusable) -> None:
        from envkit.agent.control import start_on_demand

        start_on_demand(reason, required=mode == REQUIRE)

    began = monotonic()
    asking = Asking()  # the agent wakes up meanwhile
    environ = dict(os.environb)
    status: int | None = None
    try:
        words, app, seconds = _split(command, arguments)
        question = question_items(__version__, os.getcwd(), command, words)
        connection = asking.ask(question, environ, start)
        # while the agent works
        import envkit.launch.exec  # noqa: F401 - what is needed next
        from envkit.agent.wire import receive_answer

        answer = receive_answer(connection, seconds)
    except Unusable as reason:
        if mode == REQUIRE and not reason.declined:
            from envkit.agent.errors import unusable

            status = _report(unusable(reason), command, arguments)
    except KeyboardInterrupt:
        from envkit.cli.hot import interrupted

        status = interrupted(command, arguments)
    except Exception:  # noqa: BLE001 - it is raised again without the agent
        asking.close()
    else:
        status = _finish(command, arguments, app, environ, answer)
    return status, monotonic() - began


def _split(
    command: str, arguments: "Sequence[str]"
) -> "tuple[Sequence[str], Sequence[str], float | None]":
    """Return the words for the agent, the command that `exec` runs, and the timeout in seconds.

    The agent parses its words, and refuses them if it finds the beginning of a command there.

    Raises:
        UsageError, ValueError: the command line is not valid; `hot` says what is wrong.
    """
    words, app = arguments, arguments[:0]
    parsed = None
    if command == "exec" and "--" in arguments:
        end = arguments.index("--")
        words, app = arguments[:end], arguments[end + 1 :]
    elif command == "exec":
        parsed = _parsed(command, arguments)
        app = parsed.rest
        words = arguments[: len(arguments) - len(app)]
    if command == "exec" and not (app and app[0]):
        raise ValueError("no command")
    seconds = None
    if any(word.startswith("--timeout") for word in words):
        seconds = (parsed or _parsed(command, arguments)).timeout_seconds
    return words, app, seconds


def _parsed(command: str, arguments: "Sequence[str]") -> "Arguments":
    from envkit.arguments import parse

    return parse(command, arguments)


def _finish(
    command: str,
    arguments: "Sequence[str]",
    app: "Sequence[str]",
    environ: dict[bytes, bytes],
    answer: "Answer",
) -> int:
    try:
        if answer.unrecorded:
            from envkit.agent.auditing import record

            record(command, answer, _parsed(command, arguments).one("reason"), os.environ)
        return _exec(app, environ, answer) if command == "exec" else _get(answer)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - `guarded` reports each kind of error
        return _report(error, command, arguments)


def _exec(app: "Sequence[str]", environ: dict[bytes, bytes], answer: "Answer") -> int:
    from envkit.launch.exec import merged, parent_environment, replace_process

    passed = merged(
        dict(zip(answer.names, answer.values, strict=True)),
        frozenset(answer.bootstrap),
        parent_environment(environ),
        pristine=answer.pristine,
    )
    if sys.stderr.isatty() and any("$" in word for word in app):
        from envkit.agent.wire import os_decode
        from envkit.cli.exec.literal_arguments import warn

        warn(app, set(map(os_decode, answer.names)))
    replace_process(app, passed)


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
