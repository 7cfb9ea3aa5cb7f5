"""`envkit hook`: load the environment of a project when a shell enters it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.paths import state_folder
from envkit.cli.exec import hook_step
from envkit.cli.exec.hook_step import real_folder
from envkit.errors import UntrustedError, UsageError
from envkit.launch import shell_hook
from envkit.profile.discovery import FOLDER, profiles_folder
from envkit.profile.loader import load
from envkit.trust.hooks import HookStore

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE = "envkit hook bash"


def hook(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    step: Annotated[int, typer.Option("--step", hidden=True)] = 0,
    unload: Annotated[int, typer.Option("--unload", hidden=True)] = 0,
) -> int:
    """Print shell code that loads the environment of a project."""
    hook_step.check_shell(shell)
    if not step and not unload:
        print(shell_hook.hook(shell), end="")
        return 0
    return hook_step.write(shell, step or unload, load=not unload)


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
    if os.path.basename(folder) != FOLDER:
        raise UsageError(
            f"the shell hook finds only folders with the name '{FOLDER}'",
            hint=f"rename {folder}, or run: envkit exec --profiles {folder} ...",
        )
    profile = load(names[0], folder)
    if profile.guarded:
        reason = " --reason TEXT" if profile.protected else ""
        raise UntrustedError(
            f"{profile.name} has access rules, so the shell hook never loads it",
            hint=f"run: envkit exec --env {profile.name}{reason} -- COMMAND",
        )
    store.allow(folder, profile.name)
    print(f"the shell hook loads '{profile.name}' in {os.path.dirname(folder)}")
    return 0
