"""The versions of a `.env` file: the current one, and the copy that the last write saved."""

from __future__ import annotations

from envkit.errors import NoVersionError, SourceError
from envkit.sources.model import Reading, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.secret import Secret
    from envkit.sources.model import Outcome

PREVIOUS = "previous"  # the name of the saved copy


def history(
    version: str | None, modified_ns: int, copy_version: str | None, copied_ns: int
) -> Sequence[Version]:
    """Return the versions that exist, the current one first.

    Args:
        version: the version of the file; None if there is no file.
        modified_ns: when the file was modified.
        copy_version: the version of the saved copy; None if there is none.
        copied_ns: when the copy was modified.
    """
    found = []
    if version is not None:
        found.append(Version(version, modified_ns / 1e9, None, "current"))
    if copy_version is not None:
        found.append(Version(PREVIOUS, copied_ns / 1e9, None, PREVIOUS))
    return found


def earlier_value(outcome: Outcome, place: str, version: str) -> Secret:
    """Return the value that a version has, given the result of reading it.

    Raises:
        NoVersionError: it has none.
        SourceError: it could not be read.
    """
    if isinstance(outcome, SourceError):
        raise outcome
    if not isinstance(outcome, Reading):
        raise NoVersionError(f"{place} has no value in version {version}")
    return outcome.value
