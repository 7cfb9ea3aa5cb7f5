"""`envkit backup verify`: decrypt a backup, and compare it with the stores."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from envkit.arguments import timeout_seconds
from envkit.audit.log import OK
from envkit.audit.session import Access, outcome_of
from envkit.backup.verify import State, compare, prepare_verify
from envkit.cli.commands.backup import documents
from envkit.cli.commands.backup.opening import File, Identities, described, open_backup
from envkit.cli.output import Cell, print_json, print_table, short_version
from envkit.cli.parameters import Profiles, TextFormat, TextFormatted, Timeout

if TYPE_CHECKING:
    from envkit.backup.verify import Compared, Comparison

EXAMPLE = "envkit backup verify prod.age --identity key.txt"

_HEADERS = ("ENVIRONMENT", "NAME", "STATE", "BACKUP", "STORE", "WHERE")
_SUMMARY = {
    State.SAME: "the same",
    State.CHANGED: "changed since",
    State.GONE: "gone",
    State.NEW: "not in the backup",
    State.UNUSED: "no longer used",
    State.UNKNOWN: "not compared",
}
_STYLES = {State.CHANGED: "yellow", State.GONE: "red", State.NEW: "yellow", State.UNKNOWN: "red"}


def verify(
    file: File,
    identity: Identities = None,
    format_: TextFormatted = TextFormat.TEXT,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Check that a backup is intact, and compare it with the stores.

    A value that has changed since is not an error: the next backup has it.
    """
    with Access("backup verify") as access:
        opened = open_backup(file, identity, access)
        if format_ is TextFormat.TEXT:
            age_seconds = max(0.0, time.time() - opened.backup.created_at)
            print(f"intact: {described(opened, age_seconds)}", flush=True)
        prepared = prepare_verify(
            opened.backup, profiles=profiles, timeout_seconds=timeout_seconds(timeout)
        )
        access.observe([profile.name for profile in prepared.profiles], prepared.names)
        compared = compare(opened.backup, prepared)
        error = compared.error
        access.record(prepared.names, {}, OK if error is None else outcome_of(error))
        if format_ is TextFormat.JSON:
            print_json(documents.verified(opened, compared))
        else:
            _show(compared)
        if error is not None:
            raise error
    return 0


def _show(compared: Comparison) -> None:
    print_table(_HEADERS, [_row(one) for one in compared.places if one.state != State.SAME])
    counts = {state: sum(one.state == state for one in compared.places) for state in _SUMMARY}
    print(", ".join(f"{n} {_SUMMARY[state]}" for state, n in counts.items() if n), flush=True)


def _row(one: Compared) -> list[str | Cell]:
    return [
        one.environment,
        Cell(", ".join(one.names), "bold"),
        Cell(one.state, _STYLES.get(one.state, "")),
        short_version(one.version),
        short_version(one.current_version),
        one.where,
    ]
