"""`envkit check`: check environments before a deployment."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.suggestions import did_you_mean
from envkit.arguments import timeout_seconds
from envkit.checks import run
from envkit.checks.ignore_file import NAME, accept_problems, load_rules, project_rules
from envkit.checks.problem import KINDS
from envkit.cli.complete import environments
from envkit.cli.formats.check.shown import Shown
from envkit.cli.interaction.progress import Bar
from envkit.cli.output import on_terminal, print_lines
from envkit.cli.parameters import Output, Profiles, Timeout
from envkit.cli.result import write_result
from envkit.errors import UsageError
from envkit.profile.discovery import profiles_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.checks.ignore_file import Rule

EXAMPLE = "envkit check --all --code ."


class Format(StrEnum):
    """The output formats of `envkit check`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    MARKDOWN = "markdown"
    HTML = "html"


_OF_PROBLEMS = (Format.TEXT, Format.JSON, Format.GITHUB, Format.SARIF)
_OF_CHECKLIST = (Format.TEXT, Format.JSON, Format.MARKDOWN, Format.HTML)


def check(  # noqa: PLR0917 - typer names them
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Environment to check. Repeatable. [default: $ENVKIT_ENV, or all]",
            autocompletion=environments,
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Check all environments, except profiles that others extend."),
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not contact stores.")] = False,
    code: Annotated[
        list[str] | None,
        typer.Option(
            "--code",
            metavar="DIR",
            help="Check that profiles define the variables that the code in DIR reads. Repeatable.",
        ),
    ] = None,
    checklist: Annotated[
        bool,
        typer.Option("--checklist", help="Show the deployment checklist instead of problems."),
    ] = False,
    previous: Annotated[
        str | None,
        typer.Option(
            "--previous",
            metavar="NAME",
            help="With --checklist: compare with the environment that you deploy to before.",
            autocompletion=environments,
        ),
    ] = None,
    send_test: Annotated[
        bool,
        typer.Option("--send-test", help="With --checklist: send a test to each channel."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there are warnings.")
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="CODE,...", help="Skip the checks with these codes."),
    ] = None,
    ignore_file: Annotated[
        str | None,
        typer.Option(
            "--ignore-file",
            metavar="FILE",
            help=f"File that lists accepted problems. [default: {NAME} beside profiles/]",
        ),
    ] = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="text, json, github (annotations) or sarif; for a checklist: text, json, markdown "
            "or html. [default: text]",
            show_default=False,
        ),
    ] = Format.TEXT,
    output: Output = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Check environments before you deploy."""
    _refuse_combination(
        format_,
        checklist=checklist,
        unlisted={"--previous": bool(previous), "--send-test": send_test},
        listed={"--offline": offline, "--code": bool(code), "--skip": bool(skip)},
    )
    if checklist:
        from envkit.checks.checklist.run import make_checklists
        from envkit.cli.formats.checklist.show import show

        made = make_checklists(
            env or (),
            previous=previous,
            profiles=profiles,
            everything=everything,
            rules=_rules(ignore_file, profiles),
            send_test=send_test,
            timeout_seconds=timeout_seconds(timeout),
        )
        return show(made, format_, output, strict=strict)
    skipped = _codes(skip or ())
    for folder in code or ():
        if not os.path.isdir(folder):
            raise UsageError(
                f"no folder {folder}", hint="name a folder with source code: --code src"
            )
    with Bar() as bar:
        report = run.check(
            env or (),
            profiles=profiles,
            everything=everything,
            offline=offline,
            code=code or (),
            skip=skipped,
            timeout_seconds=timeout_seconds(timeout),
            progress=bar.show,
        )
    root = os.path.dirname(profiles_folder(profiles, os.environ))
    remaining, ignored = accept_problems(report.problems, _rules(ignore_file, profiles), root)
    shown = Shown(report._replace(problems=tuple(remaining)), tuple(ignored), strict)
    _show(shown, format_, output)
    return shown.exit_status


def _refuse_combination(
    format_: Format, *, checklist: bool, unlisted: Mapping[str, bool], listed: Mapping[str, bool]
) -> None:
    """Refuse options that mean nothing with or without `--checklist`.

    Raises:
        UsageError: one was given.
    """
    wrong = listed if checklist else unlisted
    given = [flag for flag, is_given in wrong.items() if is_given]
    if given and checklist:
        raise UsageError(f"cannot combine --checklist and {given[0]}", hint="leave one of them out")
    if given:
        raise UsageError(f"{given[0]} needs --checklist", hint="add --checklist")
    formats = _OF_CHECKLIST if checklist else _OF_PROBLEMS
    if format_ not in formats:
        what = "the checklist" if checklist else "problems"
        raise UsageError(
            f"--format {format_} is not a format of {what}", hint=f"use {', '.join(formats)}"
        )


def _rules(ignore_file: str | None, profiles: str | None) -> list[Rule]:
    """Return the accepted problems: of a named file, or of the usual one if it exists."""
    if ignore_file:
        return load_rules(ignore_file)
    return project_rules(os.path.dirname(profiles_folder(profiles, os.environ)))


def _codes(texts: Sequence[str]) -> list[str]:
    codes = [code.strip() for text in texts for code in text.split(",") if code.strip()]
    for code in codes:
        if code not in KINDS:
            raise UsageError(f"--skip: unknown code '{code}'", hint=did_you_mean(code, KINDS))
    return codes


def _show(shown: Shown, format_: Format, output: str | None) -> None:
    if format_ is Format.TEXT and output is None and on_terminal():
        from envkit.cli.formats.check.text import styled

        print_lines(lambda width: styled(shown, width))
        return
    text = _rendered(shown, format_)
    if output is None or output == "-":
        print(text, end="")
        return
    write_result(text.encode("utf-8", "backslashreplace"), output)
    print(f"envkit: note: {shown.summary}; see {output}", file=sys.stderr)


def _rendered(shown: Shown, format_: Format) -> str:
    if format_ is Format.JSON:
        from envkit.cli.formats.check import json_document

        return json_document.render(shown)
    if format_ is Format.GITHUB:
        from envkit.cli.formats.check import annotations

        return annotations.render(shown, os.environ)
    if format_ is Format.SARIF:
        from envkit.cli.formats.check import sarif

        return sarif.render(shown, os.environ)
    from envkit.cli.formats.check.text import plain

    return plain(shown)
