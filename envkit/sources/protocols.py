"""The protocols that sources implement; import them from `envkit.sources.base`.

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
    from envkit.sources.model import Absent, LoginWarning, Outcome, Version


@runtime_checkable
class Source(Protocol):
    """The read side of one store. Its constructor does no I/O; it raises only `SourceError`.

    Attributes:
        settings: the keys that `[sources.NAME]` takes, each with its Python type.
        remote: whether `fetch` waits for a network; such sources are asked in parallel.
        name: as in the profile.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]]
    remote: ClassVar[bool]
    name: str

    def check(self, ref: Reference) -> None:
        """Raise `InvalidReferenceError` if `ref` is not valid for the store; do no I/O."""
        ...

    def locate(self, ref: Reference) -> str:
        """Return where the reference points, for people and without any value; do no I/O."""
        ...

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read all `refs`, each distinct path once.

        Returns:
            per reference a `Reading`; `Absent`, or no item at all, if the store does
            not have it; an error if only that one failed.

        Raises:
            SourceError: the store failed as a whole.
        """
        ...


@runtime_checkable
class WritableSource(Source, Protocol):
    """A source that can change its store."""

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one value by compare-and-set; leave every other field unchanged.

        Args:
            ref: the one value to set; a pinned version cannot be written.
            value: the new value; None removes it.
            expected: the version that the caller last saw (`Reading.version`, or
                `Absent.version`); None where the secret must not exist yet.

        Returns:
            the new version.

        Raises:
            ConflictError: the store has another version; nothing was written.
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class GroupWrite(Protocol):
    """Optional for a writable source: write several values in one compare-and-set."""

    def group(self, ref: Reference) -> str:
        """Return a key that is equal for the values that `write_group` can write together.

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
    """Optional: a source whose store has earlier versions."""

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
            ConflictError: the store has another version; nothing was written.
            SourceError: the store failed, or no longer has that version.
        """
        ...


@runtime_checkable
class ReadCheck(Protocol):
    """Optional: report what cannot be read, without reading it."""

    def check_read(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError | None]:
        """Return which references may be read.

        Returns:
            per reference the error that a read would raise, or None; without
            those that the store does not report.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class VersionCheck(Protocol):
    """Optional: say cheaply whether values may have changed, for commands that watch them.

    Without it, they are read again and compared.
    """

    def versions(
        self, refs: Collection[Reference]
    ) -> Mapping[Reference, str | Absent | EnvkitError]:
        """Return a text for each reference that is another one once its value has changed.

        The text shows nothing of the value. It may change although the value does not: then
        the values are read and compared. A local source (`remote = False`) does not block.

        Returns:
            per reference the text; `Absent` if the store does not have it; an error if only
            that one failed.

        Raises:
            SourceError: the store failed as a whole.
        """
        ...


@runtime_checkable
class LoginState(Protocol):
    """Optional: a login that one process passes on to the next, so that it is not repeated.

    A watcher asks stores in short-lived processes. What is passed on stays in memory.
    """

    def login_state(self) -> Mapping[str, object]:
        """Return the login: texts, bytes, numbers, None, and lists, tuples and dicts of them.

        `due_at`, on the monotonic clock, is when `renew_login` should be called; it is
        missing or infinite if the login needs no care.
        """
        ...

    def resume_login(self, state: Mapping[str, object]) -> None:
        """Use what `login_state` of another process returned; do no I/O.

        A login that has expired is repeated as usual.
        """
        ...

    def renew_login(self) -> LoginWarning | None:
        """Do what is due for the login that was resumed: renew it, or log in again.

        Returns:
            a warning, once, if the login will end and cannot be repeated.

        Raises:
            SourceError: the store failed; it is called again later.
        """
        ...


@runtime_checkable
class WriteCheck(Protocol):
    """Optional for a writable source: report that a write would be refused."""

    def check_write(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError]:
        """Return which of `refs` cannot be written, as far as is known; write nothing.

        Returns:
            per reference the error; without those that can probably be written.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Placed(Protocol):
    """Optional for a writable source that searches several places for one value."""

    def place(self, ref: Reference) -> str:
        """Return, for people, the place that has the value of `ref` or that a write would use.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Probe(Protocol):
    """Optional: report the store and the login, for `envkit doctor`."""

    def probe(self) -> Sequence[str]:
        """Ask the store whether it is available and which identity we have; read no secret.

        Returns:
            facts for people, without any value: the store's version, the login, its rights.

        Raises:
            SourceError: the store cannot be used.
        """
        ...
