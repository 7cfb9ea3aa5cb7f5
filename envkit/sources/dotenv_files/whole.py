"""Read complete `.env` files as one secret. Rarely used."""

from __future__ import annotations

from envkit.secret import Secret
from envkit.sources.model import Reading, pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.dotenv.file import DotenvFile
    from envkit.profile.placeholder import Reference


def whole(ref: Reference, files: Mapping[str, DotenvFile], version: str | None) -> Reading:
    """Return the variables of files as JSON; the last file that sets a variable wins.

    Args:
        ref: the reference to the whole file.
        files: by name; at least one.
        version: the version of the last file.

    Raises:
        DotenvError: a line or a variable of a file cannot be read.
    """
    for file in files.values():
        for problem in file.problems:
            raise problem
    fields = {
        name: entry.value
        for file in files.values()
        for name, entry in (*file.entries.items(), *file.unlisted.items())
    }
    text = pick_field(ref, fields)
    assert isinstance(text, str)  # noqa: S101 - a whole secret is never absent
    return Reading(Secret(text), version, ", ".join(files))
