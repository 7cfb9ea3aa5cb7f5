"""Plan the new text of a profile, and write it only if the file is still as it was read."""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.editing.profile_text import put_variables
from envkit.errors import ConflictError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.editing.slots import ProfileFile


class ProfileChange:
    """The file of a profile: its text when it was read, and its new text."""

    def __init__(self, file: ProfileFile) -> None:
        self._file = file
        self._before = self._after = file.read()

    def add(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        """Add lines to the new text; see `put_variables`."""
        if lines:
            self._after = put_variables(self._after, lines, path=self._file.path)

    def check(self) -> None:
        """Refuse a file that was changed or cannot be written."""
        if self._after != self._before:
            self._changed(self._file.read())
            self._file.check_writable()

    def write(self) -> None:
        """Write all lines in one step, if the file has not changed."""
        self._file.rewrite(self._changed)

    def _changed(self, now: str) -> str:
        if now != self._before:
            raise changed_since_plan(display_path(self._file.path))
        return self._after


def changed_since_plan(places: str) -> ConflictError:
    """Return the error for values or files that changed after a plan was made."""
    return ConflictError(
        f"changed after envkit made the plan: {places}",
        hint="run the command again to make a new plan",
    )
