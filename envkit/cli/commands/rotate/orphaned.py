"""Finish orphaned records: unfinished rotations that no profile names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from envkit.audit.log import OK
from envkit.audit.session import Access, outcome_of
from envkit.cli.interaction.access import warn
from envkit.errors import EnvkitError, UsageError
from envkit.rotation.catalog import is_named
from envkit.rotation.orphans import finish
from envkit.rotation.outcome import Outcome, OutcomeStatus, failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.machine import Request
    from envkit.rotation.orphans import Orphan

_MAX_LISTED = 4


def named(
    orphans: Sequence[Orphan], names: Sequence[str], rotations: Sequence[Rotation]
) -> list[Orphan]:
    """Return the orphans with these names: `db-password`, `prod/db-password`, `.env.prod#KEY`.

    A name in a profile always means that rotation, and never an orphan: projects that share a
    store may use the same names.

    Args:
        orphans: all orphaned records.
        names: the names on the command line.
        rotations: the rotations in profiles.

    Raises:
        UsageError: a name matches several orphans, or only some names match one.
    """
    found: list[Orphan] = []
    for name in names:
        if is_named(rotations, name):
            continue
        same = [one for one in orphans if name in (one.name, _own(one), one.location)]
        if len(same) > 1:
            several = " and ".join(one.location for one in same[:_MAX_LISTED])
            raise UsageError(
                f"no profile has '{name}', and several unfinished rotations have that name: "
                f"those of {several}",
                hint=f"name one of them: {same[0].word}",
            )
        found += [one for one in same if one not in found]
    words = {word for one in found for word in (one.name, _own(one), one.location)}
    if found and (left := [name for name in names if name not in words]):
        raise UsageError(
            f"no profile has {found[0].name}, but one has {left[0]}",
            hint="name them one at a time",
        )
    return found


def finish_all(
    orphans: Sequence[Orphan],
    requested: Request,
    *,
    reason: str | None,
    environ: Mapping[str, str],
    break_glass: bool,
) -> list[Outcome]:
    """Finish orphaned records, record that in the audit log, and return the outcomes.

    Raises:
        ReasonMissingError: a profile is protected, and no reason is given.
        OutsideHoursError: a person uses a profile outside its hours.
        AuditError: a profile is protected, and the log cannot be written.
    """
    access = Access("rotate", reason=reason, environ=environ, break_glass=break_glass, warn=warn)
    access.allow([one.profile for one in orphans], [_own(one) for one in orphans])
    outcomes = []
    for one in orphans:
        result = OK
        try:
            said = finish(one, requested, now=time.time())
            outcomes.append(Outcome(one.name, OutcomeStatus.ABORTED, said, changed=True))
        except EnvkitError as error:
            result = outcome_of(error)
            outcomes.append(failed(one.name, error))
        access.record([_own(one)], {}, result)
    return outcomes


def _own(orphan: Orphan) -> str:
    return orphan.name.partition("/")[2]
