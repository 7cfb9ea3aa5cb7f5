"""`envkit env hook`: install the pre-commit hook, and the check that it runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit.cli.error_text import print_labelled
from envkit.cli.output import printable
from envkit.env_files.status import encrypted_files
from envkit.errors import EnvkitError, UsageError
from envkit.git.attributes import show_in_diffs
from envkit.git.check_staged import check_staged
from envkit.git.hook import install as install_hook
from envkit.profile.discovery import profiles_folder
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

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
    """Install a pre-commit hook that checks what you commit.

    It refuses private keys, values that are not encrypted, and what 'envkit scan --staged' finds.
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
    repository = find_repository(".", os.environ)
    found = None if repository is None else check_staged(".", os.environ)
    if repository is None or found is None:
        raise _no_repository()
    for problem in (problem for problems in found.values() for problem in problems):
        print_labelled("error", problem.message)
        print_labelled("hint", problem.hint)
    leaks = _leaks([os.path.join(repository.root, path) for path in found])
    return _REFUSED if found or leaks else 0


def _leaks(refused: Collection[str]) -> bool:
    """Print the values and tokens in staged files; return whether there are any.

    A commit does not depend on profiles that cannot be loaded, or on keys that are missing here.

    Args:
        refused: the files that are refused already.
    """
    try:
        folder = profiles_folder(None, os.environ)
    except EnvkitError:
        return False
    from envkit.cli.formats.scan.wording import concerns, hint, place, sentence
    from envkit.cli.interaction.scanning import scan_for_values
    from envkit.scan.found import Scope
    from envkit.scan.run import Request

    request = Request(Scope.STAGED, folder)
    try:
        report = scan_for_values(
            request, (), timeout_seconds=DEFAULT_TIMEOUT_SECONDS, with_choice=False
        )
    except EnvkitError as error:
        print_labelled("note", f"the staged files were not searched for values: {error.message}")
        return False
    for note in report.notes:
        print_labelled("note", note)
    for unread in report.unread:
        print_labelled("error", f"cannot scan {unread.name}: {unread.reason} [scan-failed]")
    leaks = [one for one in report.findings if one.file not in refused]
    hints: dict[str, None] = {}
    for one in leaks:
        message = f"{place(one)}: {sentence(one)} [{concerns(one)}]"
        print_labelled("error", printable(message))
        hints[hint(one.code, report.scope, one.what)] = None
    for text in hints:
        print_labelled("hint", text)
    return bool(leaks or report.unread)


def _no_repository() -> UsageError:
    if shutil.which("git") is None:
        return UsageError("git is not installed", hint="install git, and run it again")
    return UsageError(
        "this folder is not in the working tree of a git repository",
        hint="run it in your clone, or run: git init",
    )
