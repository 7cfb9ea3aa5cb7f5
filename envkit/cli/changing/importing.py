"""Show, confirm, make and verify the changes of `envkit import` and `envkit env migrate`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from envkit.cli.changing.applying import (
    HEADERS,
    Progress,
    answer,
    change_documents,
    count_of,
    refusal_documents,
    row,
)
from envkit.cli.interaction.prompt import confirm
from envkit.cli.output import print_json, print_table, printable
from envkit.importing.model import Why
from envkit.importing.run import read_import, verify

if TYPE_CHECKING:
    from envkit.audit.session import Access
    from envkit.importing.run import PlannedImport, PreparedImport

_TITLES = {
    Why.CONFLICT: "Not replaced:",
    Why.BY_HAND: "Not imported:",
    Why.NOT_NEEDED: "Not needed:",
}


class Format(StrEnum):
    """The output formats of an import."""

    TEXT = "text"
    JSON = "json"


Plan = Annotated[
    bool,
    typer.Option("--plan", help="Show the changes without making them. Exit with 1 if any."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace values of the environment that differ.")
]
Formatted = Annotated[
    Format,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="text or json. [default: text]",
        show_default=False,
    ),
]


class Carried(NamedTuple):
    """What `carry_out` did.

    Attributes:
        status: the exit status: 1 if something was not imported, or with `--plan`, if there is
            something to do.
        verified: whether the environment has every value that could be imported.
    """

    planned: PlannedImport
    status: int
    verified: bool = False


def carry_out(
    prepared: PreparedImport,
    access: Access,
    *,
    plan: bool,
    yes: bool,
    format_: Format,
) -> Carried:
    """Show the plan, ask, make the changes and read them back.

    Raises:
        ImportRefusedError: a change cannot be made; nothing was changed.
        UsageError: there is no one to ask.
    """
    if not plan:
        access.allow([prepared.profile], prepared.names)
    planned = read_import(prepared)
    progress = Progress(planned.changes)
    aloud = format_ is Format.TEXT
    verified = False
    try:
        if aloud:
            _show(planned)
        if plan:
            return Carried(planned, answer(planned.changes) or int(not planned.is_complete))
        changes = planned.changes.plan.changes
        if not _agreed(planned, yes=yes):
            access.unchanged(prepared.names)
            if aloud:
                print("nothing was changed")
            return Carried(planned, 0)
        if aloud and planned.not_imported:
            print()
        if changes:
            progress.apply(access, aloud=aloud)
        else:
            access.unchanged(prepared.names)
        verify(prepared, planned)
        verified = True
        if aloud and planned.expected:
            number = count_of(len(planned.expected), "variable")
            print(f"verified: {planned.changes.plan.target} reads {number} as imported")
    finally:
        if not aloud:
            print_json(_document(planned, progress, verified=verified))
    return Carried(planned, 0 if planned.is_complete else 1, verified=True)


def _agreed(planned: PlannedImport, *, yes: bool) -> bool:
    """Return whether to go on: there is nothing to change, or the person confirms the changes."""
    if planned.changes.error is not None:
        raise planned.changes.error
    changes = planned.changes.plan.changes
    if not changes:
        return True
    number = count_of(len(changes), "change")
    return confirm(f"Make {number} to {planned.changes.plan.target}?", yes=yes)


def _show(planned: PlannedImport) -> None:
    plan = planned.changes.plan
    print_table(HEADERS, [row(change) for change in plan.changes])
    if not plan.changes and not planned.changes.refusals:
        print(f"nothing to change in {plan.target}")
    for why, title in _TITLES.items():
        lines = [one for one in planned.not_imported if one.why is why]
        if lines:
            print(f"\n{title}")
        for one in lines:
            print(f"  {one.name} ({printable(one.where)}): {printable(one.reason)}")
            if one.hint:
                print(f"    {printable(one.hint)}")
    sys.stdout.flush()


def _document(planned: PlannedImport, progress: Progress, *, verified: bool) -> dict[str, Any]:
    plan = planned.changes.plan
    return {
        "source": plan.source,
        "target": plan.target,
        "changes": change_documents(progress),
        "not_imported": [one._asdict() for one in planned.not_imported],
        "refusals": refusal_documents(planned.changes),
        "verified": verified,
    }
