"""Finish the unfinished rotations that no profile names, where a person names one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from envkit.audit.log import OK
from envkit.audit.session import Access, outcome_of
from envkit.errors import EnvkitError
from envkit.rotation.orphans import finish
from envkit.rotation.outcome import Outcome, OutcomeStatus, failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.rotation.machine import Request
    from envkit.rotation.orphans import Found, Orphan


def named(found: Found, names: Sequence[str]) -> list[Orphan]:
    """Return those with these names, `db-password` or `prod/db-password`, or of these secrets.

    One whose secret no profile reads may be of another project: only the secret names it.
    """
    return [one for one in found.orphans if not _names(one).isdisjoint(names)] + [
        one for one in found.elsewhere if one.location in names
    ]


def others(orphans: Sequence[Orphan], names: Sequence[str]) -> list[str]:
    """Return the names that none of them has."""
    known = {name for one in orphans for name in _names(one)}
    return [name for name in names if name not in known]


def finish_all(
    orphans: Sequence[Orphan],
    requested: Request,
    *,
    reason: str | None,
    environ: Mapping[str, str],
) -> list[Outcome]:
    """Finish them, record that in the audit log, and return what became of each.

    Raises:
        ReasonMissingError: a profile is protected, and no reason is given.
        AuditError: a profile is protected, and the log cannot be written.
    """
    access = Access("rotate", reason=reason, environ=environ)
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


def _names(orphan: Orphan) -> set[str]:
    return {orphan.name, _own(orphan), orphan.location}


def _own(orphan: Orphan) -> str:
    return orphan.name.partition("/")[2]
