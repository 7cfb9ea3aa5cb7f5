"""The findings of `envkit doctor` about rotations: tools missing on this host, orphaned records."""

from __future__ import annotations

import time
from typing import NamedTuple

from envkit.rotation.catalog import survey
from envkit.rotation.orphans import find_orphans, status_of_orphan
from envkit.rotation.status_reading import read_statuses
from envkit.rotation.tools import missing_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envkit._internal.clock import Deadline


class Finding(NamedTuple):
    """One finding, as a check of `envkit.checks.doctor`."""

    status: str  # error, warning or note
    message: str
    profile: str = ""
    hint: str = ""


def examine_rotations(
    folder: str, profiles: Collection[str], *, environ: Mapping[str, str], deadline: Deadline
) -> Iterator[Finding]:
    """Yield the problems of the rotations of some profiles.

    Args:
        folder: absolute path of the folder of profiles.
        profiles: the names of the profiles whose stores are contacted.
        environ: the process environment.
        deadline: limits every wait.
    """
    surveyed = survey(folder, environ=environ, deadline=deadline)
    rotations = [group[0] for group in surveyed.groups if group[0].profile.name in profiles]
    for rotation in rotations:
        for missing in missing_tools(rotation.policy):
            message = f"{rotation.full_name}: {missing.message}"
            yield Finding("warning", message, rotation.profile.name, missing.hint or "")
    statuses = read_statuses(rotations, environ=environ, now=time.time(), deadline=deadline)
    for rotation, status in zip(rotations, statuses, strict=True):
        if status.needs_attention:
            message = f"{status.rotation} is {status.state}"
            message += f": {status.error}" if status.error else ""
            yield Finding("error", message, rotation.profile.name, status.hint)
        if status.evidence.not_visible:
            message = f"{status.rotation}: {status.evidence.not_visible}"
            yield Finding("note", message, rotation.profile.name)
    found = find_orphans(surveyed, environ=environ, deadline=deadline)
    for orphan in found.orphans:
        if orphan.profile.name in profiles:
            status = status_of_orphan(orphan)
            message = f"{orphan.name} of {orphan.location}: {status.error}"
            yield Finding("error", message, orphan.profile.name, status.hint)
    for why in found.not_looked_at:
        yield Finding("note", f"did not look for orphaned records: {why}")
