"""`exec`, `get` and `export`, which must start fast: no typer, no rich."""

from __future__ import annotations

import os
import sys

from envkit._internal.clock import Deadline
from envkit.arguments import WATCHING, parse, takes_next_word
from envkit.audit.session import Access
from envkit.cli.boundary import guarded
from envkit.errors import AbsentError, EnvkitError, IncompleteError, UsageError
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import USE, resolve_prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from typing import NoReturn

    from envkit.arguments import Arguments
    from envkit.launch.overlay import FileContent
    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile


# exec replaces the process soon, and freeing 10,000 variables first would take 5 ms
_kept: list[object] = []


def run(command: str, arguments: Sequence[str], *, spent_seconds: float = 0.0) -> int:
    """Run a hot command and return its exit status; `exec` returns only if it fails.

    Args:
        command: `exec`, `get` or `export`.
        arguments: the words that follow it on the command line.
        spent_seconds: what the agent has taken of the timeout.
    """

    def run_() -> int:
        given = parse(command, arguments)
        given.spent_seconds = spent_seconds
        return _RUN[command](given)

    status = guarded(run_, (command, *arguments))
    if status and command == "export":
        return guarded(lambda: _fail_shell(arguments, status))
    return status


def interrupted(command: str, arguments: Sequence[str]) -> int:
    """End a command as Ctrl-C does while it reads, and return the exit status."""
    try:
        given = parse(command, arguments)
    except UsageError:
        return run(command, arguments)  # which fails before it reads
    from envkit.cli.exec.interrupted import end

    deadline = Deadline(given.timeout_seconds)
    names = given.rest[:1] if command == "get" else ()
    return end(
        command,
        given.one("reason"),
        lambda: _prepare(given, deadline, names=names, locating=True),
    )


def asks_for_help(command: str, arguments: Sequence[str]) -> bool:
    """Return whether `--help` is meant for envkit and not for the app."""
    words = iter(arguments)
    for word in words:
        if word in ("--help", "-h"):
            return True
        if word == "--" or (command == "exec" and not word.startswith("-")):
            return False
        if takes_next_word(command, word):
            next(words, None)
    return False


def _prepare(
    given: Arguments, deadline: Deadline, *, names: Sequence[str] = (), locating: bool = False
) -> list[PreparedProfile]:
    return prepare(
        given.many("env"),
        profiles=given.one("profiles"),
        only=given.many("only"),
        exclude=given.many("except"),
        names=names,
        overrides=given.overrides,
        environ=os.environ,
        deadline=deadline,
        locating=locating,
    )


def _resolve(
    command: str, given: Arguments, name: str | None = None, *, into: str = ""
) -> Environment:
    """Resolve one or all variables and record the access.

    `into` says what receives the values: a `process`, or a `shell`, where they remain set.
    """
    deadline = Deadline(given.timeout_seconds)
    deadline.spend(given.spent_seconds)
    with _access(command, given) as access:
        prepared = _prepare(given, deadline, names=() if name is None else [name])
        if into:
            _require_loading(prepared, deadline, lasting=into == "shell")
        access.begin(prepared)
        environment = resolve_prepared(prepared, deadline, saved=USE)
        if name is not None and name not in environment:
            raise AbsentError(f"{name} is optional and not set in {environment.name}")
        access.succeed(environment.variables(), stale=environment.stale_seconds is not None)
    _warn_of_age(environment.stale_seconds)
    if into == "process":
        _kept.append(prepared)
    return environment


def _warn_of_age(stale_seconds: float | None) -> None:
    if stale_seconds is not None:
        from envkit.cli.error_text import print_labelled
        from envkit.resolution.resolve import stale_text

        print_labelled("warning", stale_text(stale_seconds))


def _require_loading(
    prepared: Sequence[PreparedProfile], deadline: Deadline, *, lasting: bool
) -> None:
    """Refuse variables that load code into programs unless the user trusts them."""
    from envkit.launch.loaders import loading_variables

    names = [name for one in prepared for name in one.plan.selected]
    if loading_variables(names, lasting=lasting):
        from envkit.cli.interaction.trusting import require_loading

        if require_loading(prepared, lasting=lasting):
            deadline.restart()


def _access(command: str, given: Arguments) -> Access:
    return Access(
        command,
        reason=given.one("reason"),
        ask=_ask_reason,
        break_glass=given.flag("break-glass"),
        warn=_warn,
    )


def _warn(error: EnvkitError) -> None:
    from envkit.cli.error_text import print_labelled

    print_labelled("warning", error.message)


def _ask_reason(protected: Sequence[str]) -> str:
    from envkit.cli.interaction.prompt import ask_reason

    return ask_reason(protected)


def _exec(given: Arguments) -> int:
    if any(map(given.flag, WATCHING)):
        return _watch_app(given)
    return _dry_run(given) if given.flag("dry-run") else _run_app(given)


def _command_of(given: Arguments) -> list[str]:
    command = given.rest
    if not command:
        raise IncompleteError(
            "no command given", hint="run: envkit exec --env NAME -- COMMAND [ARGS]..."
        )
    if not command[0]:
        raise UsageError(
            "the command is empty: your shell expanded a variable before envkit ran",
            hint="let a shell in the environment expand it: envkit exec ... -- sh -c '\"$APP\"'",
        )
    return command


def _run_app(given: Arguments) -> NoReturn:
    command = _command_of(given)
    from envkit.launch.exec import end_on_signals, parent_environment, replace_process
    from envkit.launch.overlay import overlay

    if os.getpid() == 1:
        end_on_signals()
    environment = _resolve("exec", given, into="process")
    contents: dict[bytes, FileContent] = {}
    passed = overlay(
        environment, parent_environment(), pristine=given.flag("pristine"), files=contents
    )
    _warn_of_literals(command, environment)
    if not contents:
        replace_process(command, passed)
    from envkit.launch.app_files import AppFiles
    from envkit.launch.memory_folder import files_folder

    files = AppFiles(*files_folder(given.one("files"), os.environ))
    try:
        replace_process(command, {**passed, **files.write(contents)})
    except EnvkitError:
        files.remove()
        raise


def _warn_of_literals(command: Sequence[str], names: Container[str]) -> None:
    if sys.stderr.isatty() and any("$" in argument for argument in command):
        from envkit.cli.exec.literal_arguments import warn

        warn(command, names)


def _watch_app(given: Arguments) -> int:
    """Run the app as `_run_app` does, stay its parent, and end as it does."""
    from envkit.audit import log as audit_log
    from envkit.cli.exec.watching import plan_of, supervise, watcher_of
    from envkit.launch.exec import end_on_signals

    plan = plan_of(given)
    if given.flag("dry-run"):
        return _dry_run(given)
    command = _command_of(given)
    if os.getpid() == 1:
        end_on_signals()
    watcher = watcher_of(given, command)
    try:
        with _access("exec", given) as access:
            prepared = watcher.prepare()
            _require_loading(prepared, watcher.deadline, lasting=False)
            access.begin(prepared)
            first = watcher.first()
            stale = first.stale_seconds is not None
            access.record(first.names, first.versions, audit_log.STALE if stale else audit_log.OK)
            access.stop_reporting()  # the app's own restarts are not uses by the person
        _warn_of_age(first.stale_seconds)
        _warn_of_literals(command, first.names)
        return supervise(given, command, first, watcher, plan, access)
    finally:
        watcher.close()  # what it has leased is revoked, also if the app never starts


def _dry_run(given: Arguments) -> int:
    deadline = Deadline(given.timeout_seconds)
    prepared = _prepare(given, deadline, locating=True)
    rows = []
    for one in prepared:
        for variable in one.plan.order:
            if variable.name in one.plan.selected:
                places = [
                    one.locate(ref) for refs in variable.references.values() for ref in refs
                ] + list(variable.variables.values())
                literal = "--set" if variable.declaration.on_command_line else "literal"
                file = "" if variable.declaration.file_mode is None else " (as a file)"
                rows.append((variable.name, (", ".join(places) or literal) + file))
    width = max((len(name) for name, _ in rows), default=0)
    for name, place in rows:
        print(f"{name:<{width}}  {place}")
    return 0


def _get(given: Arguments) -> int:
    if len(given.rest) != 1:
        raise UsageError(
            "envkit get needs exactly one variable", hint="run: envkit get NAME --env ENV"
        )
    name = given.rest[0]
    environment = _resolve("get", given, name)
    sys.stdout.flush()
    ending = b"\n" if sys.stdout.isatty() else b""
    sys.stdout.buffer.write(environment[name].to_bytes() + ending)
    return 0


def _export(given: Arguments) -> int:
    from envkit.launch.export import check_format, render

    if given.rest:
        raise UsageError(f"envkit export takes no argument '{given.rest[0]}'")
    format_name = given.one("format")
    if format_name is None:
        format_name = "dotenv"
    check_format(format_name)
    # a shell evaluates it, and GitHub passes it to all later steps: programs get the values at once
    into = "shell" if format_name in ("shell", "github") else ""
    environment = _resolve("export", given, into=into)
    text = render(format_name, environment, name=given.one("name") or environment.name)
    if format_name == "github":
        from envkit.cli.formats.github import print_masks

        print_masks(environment)
    elif format_name == "dotenv":
        from envkit.cli.misread import warn_of_export

        warn_of_export(environment)
    from envkit.cli.result import append_result, write_result

    # append to the variables of earlier steps
    write = append_result if format_name == "github" else write_result
    write(text.encode("utf-8", "surrogateescape"), given.one("output"), mode=0o600)
    return 0


def _fail_shell(arguments: Sequence[str], status: int) -> int:
    """Print a command that exits the shell which evaluates a failed export.

    `eval "$(envkit export --format shell)"` does not see the exit status.
    """
    try:
        given = parse("export", arguments)
        from envkit.launch.export import meant_format

        meant = meant_format(given.one("format") or "dotenv")  # `bash` is also evaluated
        to_shell = meant == "shell" and given.one("output") in (None, "-")
    except UsageError:
        to_shell = any(word.endswith(("shell", "sh")) for word in arguments)
    if to_shell and not sys.stdout.isatty():
        from envkit.launch.export import failing_shell_line

        sys.stdout.write(failing_shell_line(status))
    return status


_RUN = {"exec": _exec, "get": _get, "export": _export}
