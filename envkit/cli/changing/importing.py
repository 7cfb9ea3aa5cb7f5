"""Show, confirm, make and verify the changes of `envkit import` and `envkit env migrate`."""

from __future__ import annotations

import sys
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
from envkit.cli.parameters import TextFormat
from envkit.importing.model import Why
from envkit.importing.run import read_import, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.audit.session import Access
    from envkit.cli.changing.encryption import Encryption
    from envkit.importing.run import PlannedImport, PreparedImport
    from envkit.profile.model import Profile

_TITLES = {
    Why.CONFLICT: "Not replaced:",
    Why.BY_HAND: "Not imported:",
    Why.NOT_NEEDED: "Not needed:",
}


Plan = Annotated[
    bool,
    typer.Option("--plan", help="Show the changes without making them. Exit with 1 if any."),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace values of the environment that differ.")
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
    format_: TextFormat,
    encryption: Encryption | None = None,
    guards: Sequence[Profile] = (),
) -> Carried:
    """Show the plan, ask, make the changes and read them back.

    Args:
        prepared: the import.
        access: the use of secrets that is recorded.
        plan: whether to stop after the plan.
        yes: the answer, given in advance.
        format_: the format of the output.
        encryption: what must be done to the file that is written, if it is to be encrypted.
        guards: the profiles with access rules that read one of the files.

    Raises:
        ImportRefusedError: a change cannot be made; nothing was changed.
        UsageError: there is no one to ask.
    """
    if not plan:
        profiles = {one.path: one for one in (prepared.profile, *guards)}
        access.allow(profiles.values(), prepared.names, [prepared.here, prepared.target])
    run = _Run(
        prepared, read_import(prepared), access, encryption, aloud=format_ is TextFormat.TEXT
    )
    try:
        if run.aloud:
            _show(run.planned, run.tasks)
        if plan:
            return Carried(run.planned, run.todo())
        if not run.is_agreed(yes=yes):
            access.unchanged(prepared.names)
            run.say("nothing was changed")
            return Carried(run.planned, 0)
        run.make()
    finally:
        if not run.aloud:
            print_json(_document(run))
    return Carried(run.planned, 0 if run.planned.is_complete else 1, verified=True)


class _Run:
    """One import: what is planned, and how far it is."""

    def __init__(
        self,
        prepared: PreparedImport,
        planned: PlannedImport,
        access: Access,
        encryption: Encryption | None,
        *,
        aloud: bool,
    ) -> None:
        self.prepared = prepared
        self.planned = planned
        self.access = access
        self.encryption = encryption
        self.aloud = aloud
        self.progress = Progress(planned.changes)
        self.tasks = [] if encryption is None else encryption.tasks
        self.verified = False

    def say(self, text: str) -> None:
        if self.aloud:
            print(text)

    def todo(self) -> int:
        """Return the exit status for a plan: 1 if there is something to do, 0 otherwise.

        Raises:
            ImportRefusedError: the changes cannot be made.
        """
        changes = answer(self.planned.changes)
        return int(changes or bool(self.tasks) or not self.planned.is_complete)

    def is_agreed(self, *, yes: bool) -> bool:
        """Return whether to go on: there is nothing to change, or the person confirms it.

        Raises:
            ImportRefusedError: the changes cannot be made.
        """
        if self.planned.changes.error is not None:
            raise self.planned.changes.error
        plan = self.planned.changes.plan
        changes = len(plan.changes) + len(self.tasks)
        if not changes:
            return True
        return confirm(f"Make {count_of(changes, 'change')} to {plan.target}?", yes=yes)

    def make(self) -> None:
        """Make the changes, and read them back."""
        planned = self.planned
        if self.aloud and planned.not_imported:
            print()
        if self.encryption is not None:
            self.encryption.begin(aloud=self.aloud)
        if planned.changes.plan.changes:
            self.progress.apply(self.access, aloud=self.aloud)
        else:
            self.access.unchanged(self.prepared.names)
        if self.encryption is not None:
            self.encryption.finish(aloud=self.aloud)
        verify(self.prepared, planned)
        self.verified = True
        if planned.expected:
            number = count_of(len(planned.expected), "variable")
            self.say(f"verified: {planned.changes.plan.target} reads {number} as imported")


def _show(planned: PlannedImport, tasks: Sequence[str]) -> None:
    plan = planned.changes.plan
    print_table(HEADERS, [row(change) for change in plan.changes])
    if not plan.changes and not planned.changes.refusals and not tasks:
        print(f"nothing to change in {plan.target}")
    for task in tasks:
        print(f"also: {task}")
    for why, title in _TITLES.items():
        lines = [one for one in planned.not_imported if one.why is why]
        if lines:
            print(f"\n{title}")
        for one in lines:
            print(f"  {one.name} ({printable(one.where)}): {printable(one.reason)}")
            if one.hint:
                print(f"    {printable(one.hint)}")
    sys.stdout.flush()


def _document(run: _Run) -> dict[str, Any]:
    planned = run.planned
    return {
        "source": planned.changes.plan.source,
        "target": planned.changes.plan.target,
        "changes": change_documents(run.progress),
        "also": run.tasks,
        "not_imported": [one._asdict() for one in planned.not_imported],
        "refusals": refusal_documents(planned.changes),
        "verified": run.verified,
    }
