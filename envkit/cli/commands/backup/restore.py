"""`envkit restore`: write what the stores lack, from a backup."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.audit.session import outcome_of
from envkit.backup.restore import prepare_restore, read
from envkit.backup.restore_plan import Action
from envkit.cli.commands.backup import documents
from envkit.cli.commands.backup.opening import File, Identities, count, described, open_backup
from envkit.cli.commands.set import in_version
from envkit.cli.complete import environments, variables
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import confirm
from envkit.cli.output import Cell, print_json, print_table, printable, short_version
from envkit.cli.parameters import (
    BreakGlass,
    Profiles,
    Reason,
    TextFormat,
    TextFormatted,
    Timeout,
    Yes,
)
from envkit.cli.written import print_warnings
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from envkit.audit.session import Access
    from envkit.backup.restore import Restoration
    from envkit.backup.restore_plan import PlannedPlace
    from envkit.errors import VariableFailure

EXAMPLE = "envkit restore prod.age --identity key.txt --plan"

_HEADERS = ("ENVIRONMENT", "NAME", "ACTION", "BACKUP", "STORE", "WHERE", "NOTE")
_STYLES = {
    Action.RESTORE: "green",
    Action.REPLACE: "yellow",
    Action.FAILED: "red",
}
_DONE = {Action.RESTORE: "restored", Action.REPLACE: "replaced"}


def restore(  # noqa: PLR0917 - typer names them
    file: File,
    identity: Identities = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Environment of the backup to restore. Repeatable. [default: all]",
            autocompletion=environments,
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Show the changes without making them. Exit with 1 if there are any."
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="GLOB",
            help="Restore only the variables that match. Repeatable.",
            autocompletion=variables,
        ),
    ] = None,
    to_env: Annotated[
        str | None,
        typer.Option(
            "--to-env",
            metavar="NAME",
            help="Write the values to the places of another environment.",
            autocompletion=environments,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace values in the stores that are not those of the backup."
        ),
    ] = False,
    yes: Yes = False,
    format_: TextFormatted = TextFormat.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Restore the secrets of a backup that the stores have lost.

    Values in the stores that are not those of the backup stay, because they may be newer. A
    rotated credential is restored only after it has logged in.
    """
    with open_access("restore", reason, break_glass=break_glass) as access:
        opened = open_backup(file, identity, access)
        aloud = format_ is TextFormat.TEXT
        if aloud:
            print(described(opened, max(0.0, time.time() - opened.backup.created_at)), flush=True)
        prepared = prepare_restore(
            opened.backup,
            environments=env or (),
            to=to_env,
            only=only or (),
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        if plan:
            access.observe([profile.name for profile in prepared.profiles], prepared.names)
        else:
            sources = [part.prepared for part in prepared.parts]
            access.allow(prepared.profiles, prepared.names, sources)
        run = _Run(read(prepared, overwrite=overwrite), access, aloud=aloud)
        _show(run)
        wanted = bool(run.restoration.changes)
        try:
            if plan or not wanted or not _agreed(run.restoration, yes=yes):
                access.unchanged(prepared.names)
                if wanted and not plan and aloud:
                    print("nothing was changed")
            else:
                run.apply()
        finally:
            if not aloud:
                document = documents.restored(opened, run.restoration, run.written, run.failures)
                print_json(document)
        if (error := run.restoration.error(run.failures)) is not None:
            raise error
    return int(plan and wanted)


def _agreed(restoration: Restoration, *, yes: bool) -> bool:
    return confirm(
        f"Write {count(restoration.changes, 'value')} to the stores of "
        f"{', '.join(restoration.environments)}?",
        yes=yes,
    )


class _Run:
    """A restore, and what it has written.

    Attributes:
        written: by the `id` of a place in the plan, the new version of its secret.
        failures: why some places were not written.
    """

    def __init__(self, restoration: Restoration, access: Access, *, aloud: bool) -> None:
        self.restoration = restoration
        self.aloud = aloud
        self.written: dict[int, str | None] = {}
        self.failures: list[VariableFailure] = []
        self._access = access

    def apply(self) -> None:
        """Write one secret or file after the other."""
        self.restoration.deadline.restart()
        for step in self.restoration.steps:
            wanted = [one.place.wanted for one in step.places]
            names = list(dict.fromkeys(name for one in wanted for name in one.names))
            self._access.expect(names)
            try:
                version = step.run()
            except EnvkitError as error:
                self._access.record(names, {}, outcome_of(error))
                self.failures += [one.failure(error) for one in step.places]
                continue
            self.written |= {id(one): version for one in step.places}
            self._access.changed(names, version)
            for one in step.places if self.aloud else ():
                shown = printable(f"{', '.join(one.place.wanted.names)} in {one.place.where}")
                print(f"{_DONE[one.action]} {shown}{in_version(version)}", flush=True)
            print_warnings(one.place.slot for one in step.places if one.place.slot is not None)


def _show(run: _Run) -> None:
    restoration = run.restoration
    if run.aloud:
        _show_plan(restoration)
    for doubt in restoration.doubts:
        print_labelled("warning", f"this may be the wrong store: {doubt}")


def _show_plan(restoration: Restoration) -> None:
    shown = [one for one in restoration.plan if one.action != Action.SAME]
    print_table(_HEADERS, [_row(one) for one in shown])
    counts = {action: sum(one.action == action for one in restoration.plan) for action in Action}
    if counts[Action.SAME]:
        print(f"{count(counts[Action.SAME], 'value')} already there")
    if kept := counts[Action.KEEP]:
        verb = "differs and is" if kept == 1 else "differ and are"
        print(f"{count(kept, 'value')} {verb} kept: add --overwrite to replace {_them(kept)}")
    if unused := counts[Action.UNUSED]:
        print(f"{count(unused, 'value')} not restored: no variable reads {_them(unused)} any more")
    if not restoration.changes:
        print("nothing to restore")
    sys.stdout.flush()


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _row(one: PlannedPlace) -> list[str | Cell]:
    place, wanted = one.place, one.place.wanted
    note = f"rotated by {place.rotation}: after a login" if one.login is not None else ""
    return [
        place.environment,
        Cell(", ".join(wanted.names), "bold"),
        Cell(one.action, _STYLES.get(one.action, "")),
        short_version(wanted.version),
        short_version(place.current.version if place.current else None),
        place.where,
        note,
    ]
