"""`envkit diff`: compare environments, and find secrets that they share."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.suggestions import did_you_mean
from envkit.arguments import timeout_seconds
from envkit.checks.ignore_file import NAME, Accepted, accept, load_rules, project_rules
from envkit.cli.complete import environments
from envkit.cli.error_text import print_error
from envkit.cli.formats.diff.report import Report
from envkit.cli.interaction.access import open_access
from envkit.cli.output import on_terminal, print_lines
from envkit.cli.parameters import BreakGlass, Except, Only, Output, Profiles, Reason, Timeout
from envkit.cli.result import write_result
from envkit.comparison import compare
from envkit.comparison.compare_profiles import diff_keys
from envkit.comparison.model import DIFFERENCES, DiffStatus
from envkit.comparison.selectors import SideKind
from envkit.comparison.sides import prepare_sides, read_names, read_sides
from envkit.env_files.readers import guarded_readers
from envkit.errors import (
    AbsentError,
    ProfileNotFoundError,
    ResolutionError,
    UsageError,
)
from envkit.profile.discovery import profiles_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.audit.session import Access
    from envkit.comparison.model import EnvDiff
    from envkit.comparison.side import Side
    from envkit.comparison.sides import PreparedSides
    from envkit.errors import VariableFailure
    from envkit.profile.model import Profile
    from envkit.resolution.environment import Variable

EXAMPLE = "envkit diff staging prod"


class Format(StrEnum):
    """The output formats of `envkit diff`."""

    TABLE = "table"
    MATRIX = "matrix"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    GITHUB = "github"


def diff(  # noqa: PLR0917 - typer names them
    sides: Annotated[
        list[str],
        typer.Argument(
            metavar="ENV...",
            help="Environment, or NAME@v12, NAME@2026-11-01, file:PATH, env: or pid:NUMBER.",
            autocompletion=environments,
        ),
    ],
    keys: Annotated[
        bool, typer.Option("--keys", help="Compare only the profiles, without contacting stores.")
    ] = False,
    only: Only = None,
    exclude: Except = None,
    ignore_file: Annotated[
        str | None,
        typer.Option(
            "--ignore-file",
            metavar="FILE",
            help=f"File that lists accepted differences. [default: {NAME} beside profiles/]",
        ),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also show variables that are the same.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if anything differs.")
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="STATUS,...",
            help="Exit with 1 for any of these: reused, missing, different, unreadable.",
        ),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also show the values of secrets, on a terminal.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Allow --reveal if stdout is not a terminal.")
    ] = False,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=(
                "table, matrix (for four environments or more), json, markdown, html or github "
                "(annotations). [default: table]"
            ),
            show_default=False,
        ),
    ] = Format.TABLE,
    output: Output = None,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Compare environments, and find secrets that they share."""
    failing = _statuses(fail_on or ())
    if reveal and not yes and (output or not on_terminal()):
        raise UsageError(
            "cannot reveal secrets: not a terminal",
            hint="add --yes to write them anyway",
        )
    read: list[Side] = []
    if keys:
        named = read_names(sides, profiles=profiles)
        found = diff_keys(named, only=only or (), exclude=exclude or ())
    else:
        with open_access("diff", reason, break_glass=break_glass) as access:
            prepared = prepare_sides(
                sides,
                profiles=profiles,
                only=only or (),
                exclude=exclude or (),
                timeout_seconds=timeout_seconds(timeout),
            )
            guarded: dict[str, list[Profile]] = {}
            if reveal:
                guarded = _guarded_files(prepared, profiles)
                _begin(access, prepared, guarded)
            read = read_sides(prepared)
            if reveal:
                access.succeed(_of_profiles(read, guarded))
        found = compare.diff(*read, reveal=reveal)
    accepted = _accepted(found, ignore_file, profiles)
    report = Report(accepted.diff, accepted.ignored, profiles_only=keys, show_same=show_all)
    _show(report, format_, output, private=reveal)
    _note(read, accepted, filtered=bool(only or exclude))
    return _unreadable(read, report.diff) or _status(report.diff, failing, exit_code=exit_code)


def _guarded_files(prepared: PreparedSides, profiles: str | None) -> dict[str, list[Profile]]:
    """Return, by the label of each side that is a file, the profiles with rules that read it."""
    return {
        name.text: guarded_readers(
            os.path.expanduser(name.target), profiles, os.environ, prepared.deadline
        )
        for name in prepared.names
        if name.kind is SideKind.FILE
    }


def _begin(
    access: Access, prepared: PreparedSides, guarded: Mapping[str, Sequence[Profile]]
) -> None:
    used = [one.profile for one in prepared.profiles]
    used += [profile for found in guarded.values() for profile in found]
    names = [name for one in prepared.profiles for name in one.plan.selected]
    names += [name for side in prepared.others if guarded.get(side.label) for name in side.names()]
    access.allow(
        {one.path: one for one in used}.values(), list(dict.fromkeys(names)), prepared.profiles
    )


def _of_profiles(
    sides: Sequence[Side], guarded: Mapping[str, Sequence[Profile]]
) -> Iterator[Variable]:
    for side in sides:
        if side.belongs_to is not None or guarded.get(side.label):
            yield from side.environment.variables()


def _statuses(texts: Sequence[str]) -> list[str]:
    statuses = [status.strip() for text in texts for status in text.split(",") if status.strip()]
    for status in statuses:
        if status not in DIFFERENCES:
            raise UsageError(
                f"--fail-on: unknown status '{status}'", hint=did_you_mean(status, DIFFERENCES)
            )
    return statuses


def _accepted(found: EnvDiff, ignore_file: str | None, profiles: str | None) -> Accepted:
    """Remove what the ignore file accepts; default: the usual file, if it exists."""
    if ignore_file is not None:
        return accept(found, load_rules(ignore_file))
    try:
        root = os.path.dirname(profiles_folder(profiles, os.environ))
    except ProfileNotFoundError:
        return Accepted(found)  # comparing files and processes needs no profiles folder
    return accept(found, project_rules(root))


def _show(report: Report, format_: Format, output: str | None, *, private: bool) -> None:
    if format_ is Format.TABLE and output is None and on_terminal():
        from envkit.cli.formats.diff.table import table

        print_lines(lambda width: table(report, width))
        return
    if format_ is Format.MATRIX and output is None and on_terminal():
        from envkit.cli.formats.diff.matrix import matrix

        print_lines(lambda width: matrix(report, width))
        return
    write_result(_rendered(report, format_), output, mode=0o600 if private else None)


def _rendered(report: Report, format_: Format) -> bytes:
    if format_ is Format.JSON:
        from envkit.cli.formats.diff import json_document

        text = json_document.render(report)
    elif format_ is Format.MARKDOWN:
        from envkit.cli.formats.diff import markdown

        text = markdown.render(report)
    elif format_ is Format.HTML:
        from datetime import datetime

        from envkit.cli.formats.diff import page

        text = page.render(report, datetime.now().astimezone())
    elif format_ is Format.GITHUB:
        from envkit.cli.formats.diff import annotations

        text = annotations.render(report, os.environ)
    else:
        if format_ is Format.MATRIX:
            from envkit.cli.formats.diff.matrix import plain
        else:
            from envkit.cli.formats.diff.table import plain
        return plain(report).encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    return text.encode("utf-8")


def _note(sides: Sequence[Side], accepted: Accepted, *, filtered: bool) -> None:
    """Print on stderr which variables were not compared, and which ignore rules match nothing."""
    for side in sides:
        if side.left_out:
            several = side.left_out > 1
            print(
                f"envkit: note: {side.left_out} variable{'s' if several else ''} that only "
                f"{side.label} has {'are' if several else 'is'} not compared",
                file=sys.stderr,
            )
    for rule in () if filtered else accepted.idle:
        print(f"envkit: note: {rule.location}: '{rule.glob}' ignores nothing", file=sys.stderr)


def _unreadable(sides: Sequence[Side], diff: EnvDiff) -> int:
    """Report the values that could not be read; return their exit status, or 0."""
    shown = {entry.name for entry in diff.with_any(DiffStatus.UNREADABLE)}
    failures: list[VariableFailure] = []
    labels = []
    for side in sides:
        failed = [
            failure
            for failure in side.failures
            if failure.name in shown and not isinstance(failure.error, AbsentError)
        ]
        failures += failed
        labels += [side.label] if failed else []
    if not failures:
        return 0
    whole = ResolutionError(" and ".join(labels), failures)
    print_error(whole, message=f"cannot read all values of {whole.environment}")
    return whole.exit_status


def _status(diff: EnvDiff, failing: Sequence[str], *, exit_code: bool) -> int:
    failed = diff.with_any(*failing) or (exit_code and not diff.identical)
    return 1 if failed else 0
