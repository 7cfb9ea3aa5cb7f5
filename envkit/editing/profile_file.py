"""A profile's file in the hands of somebody who read it, and will write lines into it later.

What always holds: a file that has changed since it was read is not written, and one that
is written is given all lines in one step.
"""

from __future__ import annotations

import os

from envkit._internal.atomic_write import write_atomic
from envkit._internal.file_lock import locked
from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.editing.profile_text import put_variables
from envkit.errors import ConflictError, DeniedError, ProfileError
from envkit.profile.toml_file import MAX_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit._internal.clock import Deadline


class ProfileFile:
    """A profile's file: as it was read, and as it will be."""

    def __init__(self, path: str, deadline: Deadline) -> None:
        self._path = path
        self._deadline = deadline
        self._before = self._after = self._read()

    def put(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        """Note what is to be written; see `put_variables`.

        Raises:
            EnvkitError: the file cannot hold it.
        """
        if lines:
            self._after = put_variables(self._after, lines, path=self._path)

    def check(self) -> None:
        """Refuse a file that cannot be written, or was changed.

        Raises:
            ConflictError: it was changed.
            DeniedError: it cannot be written.
        """
        if self._after == self._before:
            return
        if self._read() != self._before:
            raise changed_since_plan(display_path(self._path))
        folder = os.path.dirname(os.path.realpath(self._path))
        if not os.access(folder, os.W_OK, effective_ids=True):
            raise self._denied("permission denied")

    def write(self) -> None:
        """Write all lines in one step, if the file is what it was.

        Raises:
            ConflictError: it is not; nothing was written.
            EnvkitError: it cannot be written.
        """
        try:
            with locked(self._path, timeout_seconds=self._deadline.remaining_seconds()):
                if self._read() != self._before:
                    raise changed_since_plan(display_path(self._path))
                write_atomic(self._path, self._after.encode())
        except OSError as error:
            raise self._denied(reason_of(error)) from None

    def _read(self) -> str:
        try:
            return read_capped(self._path, MAX_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            raise ProfileError(f"cannot read {display_path(self._path)} any more") from None

    def _denied(self, reason: str) -> DeniedError:
        return DeniedError(f"cannot write {display_path(self._path)}: {reason}")


def changed_since_plan(places: str) -> ConflictError:
    """Return the error for what is not as it was when the plan was made."""
    return ConflictError(
        f"changed since the plan was made: {places}",
        hint="run the command again: it makes a new plan",
    )
