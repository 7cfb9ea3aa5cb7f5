"""The slot where a variable's value is stored: a field in a store, or a line of a profile.

This module reads slots; `envkit.editing.write` writes several of them together.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, Protocol

from envkit._internal.atomic_write import write_atomic
from envkit._internal.file_lock import locked
from envkit._internal.files import read_real, real_path
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit._internal.replaceable import check_replaceable, lasting_failure
from envkit.editing.profile_text import literal, remove_variable, repeated, set_literal
from envkit.encryption.errors import UnreadableValueError
from envkit.errors import ConflictError, DeniedError, ProfileError, SourceError, UnchangeableError
from envkit.profile.toml_file import MAX_BYTES
from envkit.resolution.fetch import ask
from envkit.secret import Secret
from envkit.sources.model import Reading
from envkit.sources.protocols import Placed, VersionedSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envkit._internal.clock import Deadline
    from envkit.profile.location import Location
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import WritableSource


class CurrentValue(NamedTuple):
    """The content of a slot: a value, or none, and the version that has it."""

    value: Secret | None
    version: str | None


class ValueSlot(Protocol):
    """The place where one value is stored."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def read(self) -> CurrentValue:
        """Return the current content.

        Raises:
            EnvkitError: the slot cannot be read.
        """
        ...


class StoreSlot:
    """A value in a store, behind a source that can write."""

    def __init__(self, source: WritableSource, reference: Reference) -> None:
        self.source = source
        self.reference = reference

    @cached_property
    def where(self) -> str:
        """The place in the store; of several files, the one with the old value."""
        if isinstance(self.source, Placed):
            with suppress(SourceError):
                return self.source.place(self.reference)
        return self.source.locate(self.reference)

    def read(self) -> CurrentValue:
        """Ask the store."""
        return current_value(ask(self.source, [self.reference])[self.reference])

    @property
    def versioned(self) -> VersionedSource:
        """The source, if it can read earlier versions.

        Raises:
            UnchangeableError: it cannot.
        """
        if not isinstance(self.source, VersionedSource):
            raise UnchangeableError(f"{self.where} has no versions: its store does not record them")
        return self.source


class ProfileSlot:
    """A literal in the file of a profile.

    Args:
        name: the variable.
        location: where its value is written.
        deadline: how long to wait for another process.
    """

    def __init__(self, name: str, location: Location, deadline: Deadline) -> None:
        self.name = name
        self._location = location
        self.file = ProfileFile(location.path, deadline)

    @property
    def where(self) -> str:
        """File and line."""
        return str(self._location)

    def read(self) -> CurrentValue:
        """Read the file."""
        return CurrentValue(self._literal(self.file.read()), None)

    def changed(self, text: str, value: Secret | None, *, before: CurrentValue) -> str:
        """Return the text of the profile with another value, or without the variable.

        Raises:
            ConflictError: the text has another value than `before`.
        """
        name, path = self.name, self._location.path
        if self._literal(text) != before.value:
            raise ConflictError(
                f"{name} in {display_path(path)} was changed after envkit read it",
                hint="check the change, then run the command again",
            )
        note = repeated(text, name, path=path, removed=value is None)
        if note is not None:
            self.file.write_warnings.append(note)
        if value is None:
            return remove_variable(text, name, path=path)
        return set_literal(text, name, value.reveal(), path=path)

    def check_writable(self) -> None:
        """Refuse a profile that cannot be replaced; see `ProfileFile.check_writable`."""
        self.file.check_writable()

    def _literal(self, text: str) -> Secret | None:
        value = literal(text, self.name, path=self._location.path)
        return None if value is None else Secret(value)


class ProfileFile:
    """The file of a profile, which other processes may change as well.

    Args:
        path: the path of the file.
        deadline: how long to wait for another process.

    Attributes:
        write_warnings: warnings for the user about what was written.
    """

    def __init__(self, path: str, deadline: Deadline) -> None:
        self.path = path
        self.write_warnings: list[str] = []
        self._deadline = deadline

    def read(self) -> str:
        """Return the text of the file, including its byte order mark.

        Raises:
            ProfileError: the file cannot be read.
            UntrustedError: the file is a link out of the project that the user has not allowed.
        """
        return self._read(self._real_path())

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Replace the text of the file, in one step and under its lock.

        Args:
            change: returns the new text for the current one; an exception from it stops the change.

        Raises:
            EnvkitError: the file cannot be read or written; nothing was changed.
        """
        path, timeout_seconds = self._real_path(), self._deadline.remaining_seconds()
        try:
            with locked(path, timeout_seconds=timeout_seconds, follow=False):
                write_atomic(path, change(self._read(path)).encode(), follow=False)
        except OSError as error:
            raise self._failure(error) from None

    def check_writable(self) -> None:
        """Refuse a file that cannot be replaced.

        Raises:
            WriteRefusedError: a person must change something first.
            DeniedError: the folder of the file cannot be written.
        """
        try:
            check_replaceable(self._real_path())
        except OSError as error:
            raise self._failure(error) from None

    def _real_path(self) -> str:
        """Return the real path of the file; its folder is `profiles/` in the project's folder."""
        return real_path(self.path, os.path.dirname(os.path.dirname(self.path)))

    def _read(self, path: str) -> str:
        try:
            return read_real(path, MAX_BYTES)[0].decode()
        except (OSError, UnicodeDecodeError):
            raise ProfileError(f"cannot read {display_path(self.path)} any more") from None

    def _failure(self, error: OSError) -> SourceError:
        shown = display_path(self.path)
        lasting = lasting_failure(error, shown)
        return lasting or DeniedError(f"cannot write {shown}: {reason_of(error)}")


def read_all(slots: Iterable[ValueSlot]) -> dict[ValueSlot, CurrentValue]:
    """Return the current content of slots, with one request per source.

    Only for comparison: a value that cannot be decrypted is returned as it is stored.

    Raises:
        EnvkitError: a slot cannot be read.
    """
    found: dict[ValueSlot, CurrentValue] = {}
    stored: dict[int, list[StoreSlot]] = {}
    for slot in slots:
        if isinstance(slot, StoreSlot):
            stored.setdefault(id(slot.source), []).append(slot)
        else:
            found[slot] = slot.read()
    for same in stored.values():
        outcomes = ask(same[0].source, [slot.reference for slot in same])
        found |= {slot: current_value(outcomes[slot.reference], unread=True) for slot in same}
    return found


def current_value(outcome: Outcome, *, unread: bool = False) -> CurrentValue:
    """Return the content of a slot, given the answer of its store.

    Args:
        outcome: the answer.
        unread: whether a value that cannot be decrypted is returned as it is stored, only to
            replace it or to notice a change; else it is an error.

    Raises:
        EnvkitError: the store could not be read.
    """
    if unread and isinstance(outcome, UnreadableValueError):
        return CurrentValue(Secret(outcome.written), outcome.version)
    if isinstance(outcome, Exception):
        raise outcome.with_traceback(None)
    return CurrentValue(outcome.value if isinstance(outcome, Reading) else None, outcome.version)
