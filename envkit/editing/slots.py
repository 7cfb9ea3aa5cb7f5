"""What holds the value of a variable, and can be told to hold another one.

That is a field of a store, or a line of the profile itself. Both write by
compare-and-set on the value: what was changed by somebody else since it was read is a
conflict, and nothing is written; a change of something beside it is none.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, Protocol

from envkit._internal.atomic_write import write_atomic
from envkit._internal.file_lock import locked
from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.editing.profile_text import literal, remove_variable, set_literal
from envkit.errors import ConflictError, DeniedError, ProfileError, SourceError, UnchangeableError
from envkit.profile.toml_file import MAX_BYTES
from envkit.resolution.fetch import ask
from envkit.secret import Secret
from envkit.sources.model import Reading
from envkit.sources.protocols import Placed, VersionedSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.profile.location import Location
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import WritableSource

ATTEMPTS = 5


class Held(NamedTuple):
    """What a holder has: a value, or none, and the version that it has it in."""

    value: Secret | None
    version: str | None


class Holder(Protocol):
    """Where one value is kept."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def read(self) -> Held:
        """Return what is held now.

        Raises:
            EnvkitError: it cannot be read.
        """
        ...

    def write(self, value: Secret | None, *, before: Held) -> str | None:
        """Hold another value, or none, if what was held `before` still is.

        Returns:
            the new version; None where there are no versions.

        Raises:
            ConflictError: something else is held by now; nothing was written.
            EnvkitError: it cannot be written.
        """
        ...


class StoreHolder:
    """A value in a store, behind a source that can write."""

    def __init__(self, source: WritableSource, reference: Reference) -> None:
        self.source = source
        self.reference = reference

    @cached_property
    def where(self) -> str:
        """The place in the store; of several, the one that has the value before it changes."""
        if isinstance(self.source, Placed):
            with suppress(SourceError):
                return self.source.place(self.reference)
        return self.source.locate(self.reference)

    def read(self) -> Held:
        """Ask the store."""
        return held(ask(self.source, [self.reference])[self.reference])

    def write(self, value: Secret | None, *, before: Held) -> str:
        """Write, again where only something beside the value was changed meanwhile."""
        return self._again(
            lambda expected: self.source.write(self.reference, value, expected=expected), before
        )

    def restore(self, version: str, *, before: Held) -> str:
        """Bring back the value of an earlier version, as `write` would write it.

        Raises:
            UnchangeableError: the store keeps no versions.
            ConflictError: something else is held by now.
            EnvkitError: the store failed, or no longer has that version.
        """
        source = self.versioned
        return self._again(
            lambda expected: source.restore(self.reference, version, expected=expected), before
        )

    @property
    def versioned(self) -> VersionedSource:
        """The source, which can tell of earlier versions.

        Raises:
            UnchangeableError: it cannot.
        """
        if not isinstance(self.source, VersionedSource):
            raise UnchangeableError(f"{self.where} has no versions: its store keeps none")
        return self.source

    def _again(self, change: Callable[[str | None], str], before: Held) -> str:
        _ = self.where  # while a value that is taken out is still there
        expected = before.version
        for _ in range(ATTEMPTS - 1):
            try:
                return change(expected)
            except ConflictError:
                now = self.read()
                if now.value != before.value or now.version == expected:
                    raise
                expected = now.version
        return change(expected)


class ProfileHolder:
    """A literal in the file of a profile.

    Args:
        name: the variable.
        location: where its value is written.
        deadline: until when another process is waited for.
    """

    def __init__(self, name: str, location: Location, deadline: Deadline) -> None:
        self._name = name
        self._location = location
        self._path = location.path
        self._deadline = deadline

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    @property
    def where(self) -> str:
        """File and line."""
        return str(self._location)

    def read(self) -> Held:
        """Read the file."""
        return Held(self._literal(self._text()), None)

    def write(self, value: Secret | None, *, before: Held) -> str | None:
        """Change the file, in one step and under its lock."""
        name, path = self._name, self._path
        try:
            with locked(path, timeout_seconds=self._deadline.remaining_seconds()):
                text = self._text()
                if self._literal(text) != before.value:
                    raise ConflictError(
                        f"{name} in {display_path(path)} was changed since it was read",
                        hint="look at the change, then run the command again",
                    )
                if value is None:
                    changed = remove_variable(text, name, path=path)
                else:
                    changed = set_literal(text, name, value.reveal(), path=path)
                write_atomic(path, changed.encode())
        except OSError as error:
            reason = reason_of(error)
            raise DeniedError(f"cannot write {display_path(path)}: {reason}") from None
        return None

    def _text(self) -> str:
        try:
            return read_capped(self._path, MAX_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            raise ProfileError(f"cannot read {display_path(self._path)} any more") from None

    def _literal(self, text: str) -> Secret | None:
        value = literal(text, self._name, path=self._path)
        return None if value is None else Secret(value)


def held(outcome: Outcome) -> Held:
    """Return what a store said that it holds.

    Raises:
        EnvkitError: it could not be read.
    """
    if isinstance(outcome, Exception):
        raise outcome.with_traceback(None)
    return Held(outcome.value if isinstance(outcome, Reading) else None, outcome.version)
