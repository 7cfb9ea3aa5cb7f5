"""`envkit hook`: load the environment of a project when a shell enters it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.clock import Deadline
from envkit._internal.paths import state_folder
from envkit._internal.processes import started_at
from envkit.audit.session import Access
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.trusting import require_loading
from envkit.errors import EnvkitError, ProfileError, UntrustedError, UsageError
from envkit.launch import shell_hook
from envkit.launch.export import render
from envkit.launch.loaders import loading_variables
from envkit.launch.shell_hook import SHELLS, STATE, Loaded
from envkit.profile.discovery import FORMS, profiles_folder
from envkit.profile.loader import load
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import resolve_prepared
from envkit.sources.registry import never_ask
from envkit.trust.hooks import HookStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile

EXAMPLE = "envkit hook bash"

TIMEOUT_SECONDS = 5.0  # a prompt waits for it
STAMPS = "hook"  # a folder of envkit's state with an empty file for each shell
EARLIER_NS = 50_000_000  # the clock of files is coarser than this


def hook(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    step: Annotated[int, typer.Option("--step", hidden=True)] = 0,
) -> int:
    """Print shell code that loads the environment of a project."""
    if shell not in SHELLS:
        from envkit._internal.suggestions import did_you_mean

        raise UsageError(f"envkit has no hook for '{shell}'", hint=did_you_mean(shell, SHELLS))
    if not step:
        print(shell_hook.hook(shell), end="")
        return 0
    never_ask()
    code = _step(shell, step).encode("utf-8", "surrogateescape")
    sys.stdout.buffer.write(code)
    return 0


def allow(environments: Sequence[str], profiles: str | None, *, revoke: bool) -> int:
    """Do what `envkit trust --hook` says."""
    folder = real_folder(profiles_folder(profiles, os.environ))
    store = HookStore(state_folder(os.environ))
    if revoke:
        known = store.environment(folder)
        store.revoke(folder)
        print(f"the shell hook no longer loads '{known}' here" if known else "nothing was trusted")
        return 0
    names = list(environments) or [os.environ.get("ENVKIT_ENV", "")]
    if len(names) != 1 or not names[0]:
        raise UsageError("--hook needs one environment", hint="run: envkit trust --hook --env NAME")
    profile = load(names[0], folder)
    if profile.guarded:
        raise UntrustedError(
            f"{profile.name} is protected: the shell hook never loads it",
            hint=f"run: envkit exec --env {profile.name} --reason TEXT -- COMMAND",
        )
    store.allow(folder, profile.name)
    print(f"the shell hook loads '{profile.name}' in {os.path.dirname(folder)}")
    return 0


def real_folder(folder: str) -> str:
    """Return the real path by which a folder of profiles is known."""
    return os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))


def _step(shell: str, pid: int) -> str:
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
            environment = _resolve(*found, files)
            loaded = _loaded(found[0], environment)
            values = {name: environment[name] for name in loaded.before}
            code += shell_hook.loading(render("shell", values), loaded)
            if any(current.get(name) != value.reveal() for name, value in values.items()):
                count = "1 variable" if len(values) == 1 else f"{len(values)} variables"
                print_labelled("note", f"loaded {environment.name} ({count})")
    except EnvkitError as error:
        print_labelled("warning", f"no environment is loaded: {error.lines()[0]}")
    else:
        if loaded is None and before is not None:
            print_labelled("note", f"unloaded {before.environment}")
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


def _resolve(folder: str, name: str, files: list[str]) -> Environment:
    """Resolve an environment; add the files that it is made of, also if that fails."""
    files += [os.path.join(folder, name + form) for form in FORMS]
    deadline = Deadline(TIMEOUT_SECONDS)
    with Access("hook", service=True) as access:
        prepared = prepare([name], profiles=folder, environ=os.environ, deadline=deadline)
        files += _files(prepared)
        for one in prepared:
            if one.profile.guarded:
                raise UntrustedError(f"{one.profile.name} is protected")
        if loading_variables([v for one in prepared for v in one.plan.selected], lasting=True):
            require_loading(prepared, lasting=True)
        access.begin(prepared)
        environment = resolve_prepared(prepared, deadline)
        access.succeed(environment.variables())
    return environment


def _loaded(folder: str, environment: Environment) -> Loaded:
    """Return what will be loaded: all variables but those that an app gets as files."""
    names = [one.name for one in environment.variables() if one.file_mode is None]
    return Loaded(folder, environment.name, {name: os.environ.get(name) for name in names})


def _restore(before: Loaded) -> None:
    """Give this process the environment from before, so that nothing is made of loaded values."""
    for name, value in before.before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.environ.pop(STATE, None)


def _files(prepared: Sequence[PreparedProfile]) -> list[str]:
    """Return the files that the values come from."""
    found = [path for one in prepared for path in one.profile.files]
    for one in prepared:
        for name, references in one.plan.references.items():
            source = one.sources[name]
            if one.profile.sources[name].type == "dotenv":
                names = [file for ref in references for file in source.files(ref)]  # type: ignore[attr-defined]
                found += [os.path.join(one.profile.root, file) for file in names]
    return found


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
