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
    from envkit.rotation.orphans import Orphan


def named(orphans: Sequence[Orphan], names: Sequence[str]) -> list[Orphan]:
    """Return those with these names, `db-password` or `prod/db-password`."""
    return [one for one in orphans if not {one.name, _own(one)}.isdisjoint(names)]


def others(orphans: Sequence[Orphan], names: Sequence[str]) -> list[str]:
    """Return the names that none of them has."""
    known = {name for one in orphans for name in (one.name, _own(one))}
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


def _own(orphan: Orphan) -> str:
    return orphan.name.partition("/")[2]
