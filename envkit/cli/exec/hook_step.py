"""What a shell evaluates when the folder or a file has changed; a prompt waits for it.

It runs without typer. With an answer of the agent, it loads no profile either.
"""

from __future__ import annotations

import os
import sys
import time

from envkit import __version__
from envkit._internal.paths import state_folder
from envkit._internal.processes import started_at
from envkit.agent.asking import Asking, Unusable, question_items
from envkit.errors import EnvkitError, ProfileError, UntrustedError, UsageError
from envkit.launch import shell_hook
from envkit.launch.export import render
from envkit.launch.shell_hook import SHELLS, Loaded
from envkit.profile.discovery import FORMS, profiles_folder
from envkit.secret import Secret
from envkit.trust.hooks import HookStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.agent.wire import Answer
    from envkit.resolution.prepare import PreparedProfile

    # of the folder of profiles, an environment, and files to which to add those that it is made of
    Resolve = Callable[[str, str, list[str]], dict[str, Secret]]

TIMEOUT_SECONDS = 5.0  # a prompt waits for it
INTERRUPTED = 130
STAMPS = "hook"  # a folder of envkit's state with an empty file for each shell
EARLIER_NS = 50_000_000  # the clock of files is coarser than this


def run(shell: str, pid: int, mode: str, *, load: bool) -> int:
    """Do what `envkit hook SHELL --step PID` and `--unload PID` do; return the exit status.

    Args:
        shell: one of SHELLS.
        pid: of the shell.
        load: whether to load, or only to unload.
        mode: the value of `ENVKIT_AGENT`, or what the user's configuration says.
    """
    began = time.monotonic()
    if mode != "off" and shell in SHELLS:
        before = dict(os.environ)

        def from_agent(folder: str, name: str, files: list[str]) -> dict[str, Secret]:
            return _from_agent(folder, name, files, mode)

        try:
            _write(_step(shell, pid, from_agent, load=load))
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception:  # noqa: BLE001 - it is done again without the agent
            os.environ.clear()
            os.environ.update(before)
        else:
            return 0
    from envkit.cli.boundary import guarded

    spent_seconds = time.monotonic() - began
    return guarded(lambda: write(shell, pid, load=load, spent_seconds=spent_seconds))


def check_shell(shell: str) -> None:
    """Refuse a shell that has no hook.

    Raises:
        UsageError: the hint suggests the closest one.
    """
    if shell not in SHELLS:
        from envkit._internal.suggestions import did_you_mean

        raise UsageError(f"envkit has no hook for '{shell}'", hint=did_you_mean(shell, SHELLS))


def write(shell: str, pid: int, *, load: bool, spent_seconds: float = 0.0) -> int:
    """Print the code that the shell evaluates, without the agent.

    Args:
        shell: one of SHELLS.
        pid: of the shell.
        load: whether to load, or only to unload.
        spent_seconds: what the agent has taken of the timeout.
    """
    from envkit._internal.clock import Deadline
    from envkit.sources.registry import never_ask

    check_shell(shell)
    never_ask()
    deadline = Deadline(TIMEOUT_SECONDS)
    deadline.spend(spent_seconds)

    def read(folder: str, name: str, files: list[str]) -> dict[str, Secret]:
        return _read(folder, name, files, deadline)

    _write(_step(shell, pid, read, load=load))
    return 0


def _write(code: str) -> None:
    sys.stdout.buffer.write(code.encode("utf-8", "surrogateescape"))


def _say(kind: str, text: str) -> None:
    from envkit.cli.error_text import print_labelled

    print_labelled(kind, text)


def real_folder(folder: str) -> str:
    """Return the real path by which a folder of profiles is known."""
    return os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))


def _step(shell: str, pid: int, resolve: Resolve, *, load: bool) -> str:
    """Return what the shell evaluates: what unloads, what loads, and what it looks at then."""
    stamp = _stamp(pid)
    current = dict(os.environ)
    before = shell_hook.take_out(os.environ)
    code = "" if before is None else shell_hook.restoring(shell, before)
    store = HookStore(state_folder(os.environ))
    files = [store.path]
    loaded: Loaded | None = None
    try:
        found = _allowed_here(store) if load else None
        if found is not None:
            values = resolve(*found, files)
            loaded = Loaded(*found, {name: os.environ.get(name) for name in values})
            code += shell_hook.loading(render("shell", values), loaded)
            if any(current.get(name) != value.reveal() for name, value in values.items()):
                count = "1 variable" if len(values) == 1 else f"{len(values)} variables"
                _say("note", f"loaded {loaded.environment} ({count})")
    except EnvkitError as error:
        _say("warning", f"no environment is loaded: {error.lines()[0]}")
    else:
        if loaded is None and before is not None:
            _say("note", f"unloaded {before.environment}")
    if stamp is None:  # without it, all files would be new at each prompt
        files = []
    present = [file for file in dict.fromkeys(files) if os.path.exists(file)]
    absent = [file for file in dict.fromkeys(files) if not os.path.exists(file)]
    return code + shell_hook.watching(shell, stamp or "", present, absent)


def _allowed_here(store: HookStore) -> tuple[str, str] | None:
    """Return the folder of profiles here and the environment to load; None if there is none."""
    try:
        folder = real_folder(profiles_folder(None, {}))
    except ProfileError:  # there is none, or it is another user's
        return None
    name = store.environment(folder)
    return None if name is None else (folder, name)


def _from_agent(folder: str, name: str, files: list[str], mode: str) -> dict[str, Secret]:
    """Return what a shell gets, with an answer of the agent; add the files also if recording fails.

    Raises:
        Unusable: there is no answer.
        AgentError: the mode requires one.
        UsageError: `ENVKIT_AUDIT` does not name a log, or it is not a mode.
    """
    try:
        answer = _answer(folder, name, mode)
        files += [os.path.join(folder, name + form) for form in FORMS]
        files += map(os.fsdecode, answer.files)
        if answer.unrecorded:
            from envkit.agent.auditing import record

            record("hook", answer, None, os.environ)
    except KeyboardInterrupt:
        _record_interrupt(folder, name)
        raise
    pairs = zip(answer.names, answer.values, strict=True)
    return {key.decode(): Secret.from_bytes(value) for key, value in pairs}


def _answer(profiles: str, environment: str, mode: str) -> Answer:
    """Return the agent's answer.

    Raises:
        Unusable: there is none.
        AgentError: the mode requires the agent, which cannot be used.
        UsageError: it is not a mode.
    """
    if mode not in ("auto", "require"):
        from envkit.agent.errors import wrong_mode

        raise wrong_mode(mode)

    def start(reason: Unusable) -> None:
        from envkit.agent.control import start_on_demand

        start_on_demand(reason, required=mode == "require")

    from envkit.agent.wire import receive_answer

    asking = Asking()
    words = ("--profiles", profiles, "--env", environment, "--timeout", str(TIMEOUT_SECONDS))
    question = question_items(__version__, os.path.dirname(profiles), "hook", words)
    try:
        return receive_answer(asking.ask(question, os.environb, start), TIMEOUT_SECONDS)
    except Unusable as unanswered:
        if mode == "require" and not unanswered.declined:
            from envkit.agent.errors import unusable

            raise unusable(unanswered) from None
        raise


def _record_interrupt(folder: str, name: str) -> None:
    from envkit._internal.clock import Deadline
    from envkit.cli.exec.interrupted import end
    from envkit.resolution.prepare import prepare

    def prepare_() -> list[PreparedProfile]:
        deadline = Deadline(TIMEOUT_SECONDS)
        return prepare(
            [name], profiles=folder, environ=os.environ, deadline=deadline, locating=True
        )

    end("hook", None, prepare_)


def _read(folder: str, name: str, files: list[str], deadline: Deadline) -> dict[str, Secret]:
    """Return what a shell gets, without the agent; add the files also if that fails.

    Variables that an app gets as files are left out.
    """
    from envkit.audit.session import Access
    from envkit.launch.loaders import loading_variables
    from envkit.resolution.prepare import prepare
    from envkit.resolution.resolve import resolve_prepared
    from envkit.resolution.value_files import value_files

    profiles = [folder, *_entries(folder)]
    files += profiles  # until it can be loaded, the profile may be made of any of them
    with Access("hook") as access:
        prepared = prepare([name], profiles=folder, environ=os.environ, deadline=deadline)
        files[-len(profiles) :] = [os.path.join(folder, name + form) for form in FORMS]
        files += value_files(prepared)
        for one in prepared:
            if one.profile.guarded:
                raise UntrustedError(f"{one.profile.name} has access rules")
        if loading_variables([v for one in prepared for v in one.plan.selected], lasting=True):
            from envkit.cli.interaction.trusting import require_loading

            require_loading(prepared, lasting=True)
        access.begin(prepared)
        environment = resolve_prepared(prepared, deadline)
        access.succeed(environment.variables())
    return {one.name: one.value for one in environment.variables() if one.file_mode is None}


def _entries(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:  # it cannot be listed; its profiles may still be read
        return []


def _stamp(pid: int) -> str | None:
    """Return the path of the shell's stamp, with the time of now; None if it cannot be written.

    The stamps of shells that have ended are removed.
    """
    folder = os.path.join(os.path.realpath(state_folder(os.environ)), STAMPS)
    path = os.path.join(folder, str(pid))
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in os.listdir(folder):
            if name.isdecimal() and started_at(int(name)) is None:
                os.unlink(os.path.join(folder, name))
        descriptor = os.open(path, flags, 0o600)
        try:
            then = time.time_ns() - EARLIER_NS
            os.utime(descriptor, ns=(then, then))
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return path
