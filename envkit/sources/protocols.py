"""The protocols that sources implement; imported from `envkit.sources.base`.

They are apart from it because a protocol needs `typing`, whose import costs more than
starting the interpreter, and nothing on the way to an app asks for one at run time.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import ClassVar

    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret
    from envkit.sources.model import Outcome, Version


@runtime_checkable
class Source(Protocol):
    """Read side of one store. Construction does no I/O; only `SourceError` escapes.

    Attributes:
        settings: the keys that `[sources.NAME]` takes, each with its Python type.
        remote: whether `fetch` waits for a network; such sources are asked in parallel.
        name: as in the profile.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]]
    remote: ClassVar[bool]
    name: str

    def check(self, ref: Reference) -> None:
        """Do no I/O; raise `InvalidReferenceError` when the store could not hold this."""
        ...

    def locate(self, ref: Reference) -> str:
        """Do no I/O; say for people where the reference points, without any value."""
        ...

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read all `refs`, each distinct path once.

        Returns:
            per reference a `Reading`; `Absent`, or nothing at all, where the store does
            not hold it; an error where that one alone failed.

        Raises:
            SourceError: when the store failed as a whole.
        """
        ...


@runtime_checkable
class WritableSource(Source, Protocol):
    """A source that can change its store."""

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one value by compare-and-set, leaving every other field as it is.

        Args:
            ref: the one value to set; a pinned version cannot be written.
            value: the new value; None removes it.
            expected: the version that the caller last saw (`Reading.version`, or
                `Absent.version`); None where the secret must not exist yet.

        Returns:
            the new version.

        Raises:
            ConflictError: the store holds another version; nothing was written.
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class GroupWrite(Protocol):
    """What a writable source may also offer: to write several values in one compare-and-set."""

    def group(self, ref: Reference) -> str:
        """Return what is equal for the values that `write_group` can write together.

        Raises:
            SourceError: the store failed.
        """
        ...

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove values of one group, all or none, in one new version.

        Args:
            values: what each is set to; None removes it.
            expected: as for `WritableSource.write`.

        Returns:
            the new version.

        Raises:
            ConflictError: the store has another version; nothing was written.
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class VersionedSource(WritableSource, Protocol):
    """A source whose store keeps earlier versions."""

    def history(self, ref: Reference) -> Sequence[Version]:
        """Return the versions of the secret that `ref` names, the newest first.

        Raises:
            SourceError: the store failed.
        """
        ...

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Make the value that `ref` had in an earlier version the current one.

        Only the value that `ref` names changes; the other fields of the secret stay as
        they are now.

        Args:
            ref: the one value, not pinned.
            version: one of `history`.
            expected: the current version that the caller last saw.

        Returns:
            the version that is current now.

        Raises:
            ConflictError: the store holds another version; nothing was written.
            SourceError: the store failed, or no longer has that version.
        """
        ...


@runtime_checkable
class ReadCheck(Protocol):
    """What a source may also offer: to say what could not be read, without reading it."""

    def check_read(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError | None]:
        """Ask what we may read.

        Returns:
            per reference why it could not be read, or None where it could be; nothing of
            those of which the store does not say.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class WriteCheck(Protocol):
    """What a writable source may also offer: to foresee that a write would be refused."""

    def check_write(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError]:
        """Write nothing, and say which of `refs` could not be written, as far as is known.

        Returns:
            per reference why; those that probably can be written are left out.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Placed(Protocol):
    """What a writable source may also offer that looks in several places for one value."""

    def place(self, ref: Reference) -> str:
        """Say for people which place has the value of `ref`, else would be given it.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Probe(Protocol):
    """What a source may also offer: to say who is there, for `envkit doctor`."""

    def probe(self) -> Sequence[str]:
        """Ask the store whether it serves, and as whom it knows us; read no secret.

        Returns:
            facts for people, without any value: the store's version, the login, its rights.

        Raises:
            SourceError: the store cannot be used.
        """
        ...
