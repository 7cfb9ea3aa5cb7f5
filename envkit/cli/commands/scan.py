"""`envkit scan`: find values and tokens in files, staged changes and git history."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.complete import environments
from envkit.cli.error_text import print_error, print_labelled
from envkit.cli.formats.scan.wording import notes
from envkit.cli.interaction.scanning import scan_for_values
from envkit.cli.output import on_terminal, print_lines
from envkit.cli.parameters import BreakGlass, Profiles, Reason, Timeout
from envkit.errors import ResolutionError, UsageError
from envkit.profile.discovery import profiles_folder
from envkit.scan.found import Scope
from envkit.scan.run import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.scan.found import Report

EXAMPLE = "envkit scan --history --env prod"


class Format(StrEnum):
    """The output formats of `envkit scan`."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def scan(  # noqa: PLR0917 - typer names them
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Files or folders to scan; with --history, commits or ranges such as main..HEAD. "
            "[default: the whole repository]",
            show_default=False,
        ),
    ] = None,
    staged: Annotated[
        bool, typer.Option("--staged", help="Scan the files that the next commit would change.")
    ] = False,
    history: Annotated[
        bool,
        typer.Option("--history", help="Scan the commits of every branch and tag."),
    ] = False,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Environment whose values are searched for. Repeatable. [default: all values that "
            "are on this machine]",
            autocompletion=environments,
        ),
    ] = None,
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Rotate the values that are found, after a question."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Rotate without asking for confirmation.")
    ] = False,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="text, json or sarif. [default: text]",
            show_default=False,
        ),
    ] = Format.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Find leaked values and tokens in files and git history."""
    scope = _scope(names or (), staged=staged, history=history)
    if rotate and format_ is not Format.TEXT:
        raise UsageError(
            f"cannot combine --rotate and --format {format_}", hint="leave one of them out"
        )
    folder = profiles_folder(profiles, os.environ)
    report = scan_for_values(
        Request(scope, folder, tuple(names or ())),
        env or (),
        reason=reason,
        break_glass=break_glass,
        timeout_seconds=timeout_seconds(timeout),
    )
    _show(report, format_)
    _complain(report, env or (), with_notes=format_ is not Format.JSON)
    if rotate and report.findings:
        from envkit.cli.interaction.rotating_leaks import rotate_leaks

        rotate_leaks(
            report.findings,
            folder,
            reason=reason,
            break_glass=break_glass,
            yes=yes,
            timeout=timeout,
        )
    return report.exit_status


def _scope(names: Sequence[str], *, staged: bool, history: bool) -> Scope:
    if staged and history:
        raise UsageError("cannot combine --staged and --history", hint="leave one of them out")
    if staged and names:
        raise UsageError("cannot combine --staged and a path", hint="leave one of them out")
    return Scope.HISTORY if history else Scope.STAGED if staged else Scope.TREE


def _show(report: Report, format_: Format) -> None:
    if format_ is Format.JSON:
        from envkit.cli.formats.scan import json_document

        print(json_document.render(report), end="")
        return
    if format_ is Format.SARIF:
        from envkit.cli.formats.scan import sarif

        print(sarif.render(report, os.environ), end="")
        return
    from envkit.cli.formats.scan import text

    if on_terminal():
        print_lines(lambda width: text.styled(report, width))
    else:
        print(text.plain(report), end="")


def _complain(report: Report, named: Sequence[str], *, with_notes: bool) -> None:
    """Report what was left out, and what failed, on stderr."""
    sys.stdout.flush()
    for note in notes(report) if with_notes else ():
        print_labelled("note", note)
    for unread in report.unread:
        print_labelled("error", f"cannot scan {unread.name}: {unread.reason} [scan-failed]")
    if report.failures:
        print_error(ResolutionError(" and ".join(named), report.failures))
