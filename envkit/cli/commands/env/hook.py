"""`envkit env hook`: install the pre-commit hook, and the check that it runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Annotated

import typer

from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit.cli.error_text import print_labelled
from envkit.env_files.status import encrypted_files
from envkit.errors import UsageError
from envkit.git.attributes import show_in_diffs
from envkit.git.check_staged import check_staged
from envkit.git.hook import install as install_hook

EXAMPLE = "envkit env hook install --textconv"
RUN_EXAMPLE = "envkit env hook run"
_REFUSED = 1


def install(
    textconv: Annotated[
        bool,
        typer.Option(
            "--textconv", help="Also let git diff show the names and masked values of such files."
        ),
    ] = False,
) -> int:
    """Install a pre-commit hook that checks encrypted files.

    It refuses private keys, and values that are not encrypted.
    """
    repository = find_repository(".", os.environ)
    if repository is None:
        raise _no_repository()
    done = install_hook(repository, sys.executable)
    shown = display_path(done.path)
    print(f"installed the hook {shown}" if done.changed else f"{shown} runs the check already")
    if done.kept is not None and done.changed:
        print(f"the hook that was there runs first: {display_path(done.kept)}")
    if textconv:
        program = "envkit" if shutil.which("envkit") else f"{shlex.quote(sys.executable)} -m envkit"
        command = f"{program} env textconv"
        diffs = show_in_diffs(repository, command, encrypted_files(os.environ))
        if diffs.lines:
            print(f"added to {display_path(diffs.path)}: {', '.join(diffs.lines)}")
        print("git diff shows the names and masked values of encrypted files")
    return 0


def run() -> int:
    """Check the staged files, as the pre-commit hook does."""
    found = check_staged(".", os.environ)
    if found is None:
        raise _no_repository()
    for problem in found:
        print_labelled("error", problem.message)
        print_labelled("hint", problem.hint)
    return _REFUSED if found else 0


def _no_repository() -> UsageError:
    if shutil.which("git") is None:
        return UsageError("git is not installed", hint="install git, and run it again")
    return UsageError(
        "this folder is not in the working tree of a git repository",
        hint="run it in your clone, or run: git init",
    )
