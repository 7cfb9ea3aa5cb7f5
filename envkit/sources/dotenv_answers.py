"""What the source of `.env` files is rarely asked: a whole file, and its versions."""

from __future__ import annotations

from envkit.secret import Secret
from envkit.sources.dotenv import PREVIOUS
from envkit.sources.model import Absent, Reading, Version, pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.profile.placeholder import Reference
    from envkit.sources.dotenv import Read
    from envkit.sources.model import Outcome


def versions(current: Read, previous: Read) -> list[Version]:
    """Return the file as it is now, and the copy that the last write has kept."""
    return [
        Version(version, read.modified_ns / 1e9, None, state)
        for read, version, state in (
            (current, current.version, "current"),
            (previous, previous.version and PREVIOUS, PREVIOUS),
        )
        if version is not None
    ]


def whole(ref: Reference, reads: Sequence[Read]) -> Outcome:
    """Return all variables of some files as JSON, of several that of the last one."""
    there = [read for read in reads if read.version is not None]
    if not there:
        return Absent(f"no file {', '.join(read.name for read in reads)}")
    for read in there:
        for problem in read.content.problems:
            raise problem
    fields = {
        name: entry.value
        for read in there
        for name, entry in (*read.content.entries.items(), *read.content.unlisted.items())
    }
    text = pick_field(ref, fields)
    assert isinstance(text, str)  # noqa: S101 - a whole secret is never absent
    return Reading(Secret(text), there[-1].version, ", ".join(read.name for read in there))
