"""What a shell evaluates when the folder or a file has changed; a prompt waits for it.

It runs without typer. With an answer of the agent, it loads no profile either.
"""

from __future__ import annotations

import os
import sys
import time

from envkit._internal.paths import state_folder
from envkit._internal.processes import started_at
from envkit.errors import EnvkitError, ProfileError, UntrustedError, UsageError
from envkit.launch import shell_hook
from envkit.launch.export import render
from envkit.launch.shell_hook import SHELLS, STATE, Loaded
from envkit.profile.discovery import FORMS, profiles_folder
from envkit.secret import Secret
from envkit.trust.hooks import HookStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # of the folder of profiles, an environment, and files to which to add those that it is made of
    Resolve = Callable[[str, str, list[str]], dict[str, Secret]]

TIMEOUT_SECONDS = 5.0  # a prompt waits for it
STAMPS = "hook"  # a folder of envkit's state with an empty file for each shell
EARLIER_NS = 50_000_000  # the clock of files is coarser than this


def run(shell: str, pid: int, mode: str) -> int:
    """Do what `envkit hook SHELL --step PID` does; return the exit status.

    Args:
        shell: one of SHELLS.
        pid: of the shell.
        mode: the value of `ENVKIT_AGENT`, or what the user's configuration says.
    """
    if mode != "off" and shell in SHELLS:
        before = dict(os.environ)
        try:
            _write(_step(shell, pid, _from_agent))
        except Exception:  # noqa: BLE001 - it is done again without the agent
            os.environ.clear()
            os.environ.update(before)
        else:
            return 0
    from envkit.cli.boundary import guarded

    return guarded(lambda: write(shell, pid))


def check_shell(shell: str) -> None:
    """Refuse a shell that has no hook.

    Raises:
        UsageError: the hint suggests the closest one.
    """
    if shell not in SHELLS:
        from envkit._internal.suggestions import did_you_mean

        raise UsageError(f"envkit has no hook for '{shell}'", hint=did_you_mean(shell, SHELLS))


def write(shell: str, pid: int) -> int:
    """Print the code that the shell evaluates, without the agent."""
    from envkit.sources.registry import never_ask

    check_shell(shell)
    never_ask()
    _write(_step(shell, pid, _read))
    return 0


def _write(code: str) -> None:
    sys.stdout.buffer.write(code.encode("utf-8", "surrogateescape"))


def _say(kind: str, text: str) -> None:
    from envkit.cli.error_text import print_labelled

    print_labelled(kind, text)


def real_folder(folder: str) -> str:
    """Return the real path by which a folder of profiles is known."""
    return os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))


def _step(shell: str, pid: int, resolve: Resolve) -> str:
    """Return what the shell evaluates: what unloads, what loads, and what it looks at then."""
    store = HookStore(state_folder(os.environ))
    stamp = _stamp(pid)
    before = shell_hook.decoded(os.environ.get(STATE))
    current = dict(os.environ)
    code = ""
    if before is not None:
        code = shell_hook.restoring(shell, before)
        _restore(before)
    files = [store.path]
    loaded: Loaded | None = None
    try:
        found = _allowed_here(store)
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
    present = [file for file in dict.fromkeys(files) if os.path.lexists(file)]
    absent = [file for file in dict.fromkeys(files) if not os.path.lexists(file)]
    return code + shell_hook.watching(shell, stamp, present, absent)


def _allowed_here(store: HookStore) -> tuple[str, str] | None:
    """Return the folder of profiles here and the environment to load; None if there is none."""
    try:
        folder = real_folder(profiles_folder(None, {}))
    except ProfileError:  # there is none, or it is another user's
        return None
    name = store.environment(folder)
    return None if name is None else (folder, name)


def _from_agent(folder: str, name: str, files: list[str]) -> dict[str, Secret]:
    """Return what a shell gets, with an answer of the agent.

    Raises:
        Unusable: there is no answer.
    """
    from envkit.cli import warm

    answer = warm.answer_for_hook(folder, name, TIMEOUT_SECONDS)
    files += [os.path.join(folder, name + form) for form in FORMS]
    files += map(os.fsdecode, answer.files)
    pairs = zip(answer.names, answer.values, strict=True)
    return {key.decode(): Secret.from_bytes(value) for key, value in pairs}


def _read(folder: str, name: str, files: list[str]) -> dict[str, Secret]:
    """Return what a shell gets, without the agent; add the files also if that fails.

    Variables that an app gets as files are left out.
    """
    from envkit._internal.clock import Deadline
    from envkit.audit.session import Access
    from envkit.launch.loaders import loading_variables
    from envkit.resolution.prepare import prepare
    from envkit.resolution.resolve import resolve_prepared
    from envkit.resolution.value_files import value_files

    files += [os.path.join(folder, name + form) for form in FORMS]
    deadline = Deadline(TIMEOUT_SECONDS)
    with Access("hook") as access:
        prepared = prepare([name], profiles=folder, environ=os.environ, deadline=deadline)
        files += value_files(prepared)
        for one in prepared:
            if one.profile.protected:
                raise UntrustedError(f"{one.profile.name} is protected")
        if loading_variables([v for one in prepared for v in one.plan.selected], lasting=True):
            from envkit.cli.interaction.trusting import require_loading

            require_loading(prepared, lasting=True)
        access.begin(prepared)
        environment = resolve_prepared(prepared, deadline)
        access.succeed(environment.variables())
    return {one.name: one.value for one in environment.variables() if one.file_mode is None}


def _restore(before: Loaded) -> None:
    """Give this process the environment from before, so that nothing is made of loaded values."""
    for name, value in before.before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.environ.pop(STATE, None)


def _stamp(pid: int) -> str:
    """Return the path of the shell's stamp, with the time of now; remove those of ended shells."""
    folder = os.path.join(os.path.realpath(state_folder(os.environ)), STAMPS)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.isdecimal() and started_at(int(name)) is None:
            os.unlink(os.path.join(folder, name))
    path = os.path.join(folder, str(pid))
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        then = time.time_ns() - EARLIER_NS
        os.utime(descriptor, ns=(then, then))
    finally:
        os.close(descriptor)
    return path
