"""The protocols that sources implement; import them from `envkit.sources.base`.

They have a separate module because protocols need `typing`, whose import takes longer than
starting the interpreter. Starting an app never needs them at run time.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import ClassVar

    from envkit._internal.person import Person
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret
    from envkit.sources.model import Absent, LoggedIn, LoginWarning, Outcome, Version
    from envkit.sources.readers import Readers


@runtime_checkable
class Source(Protocol):
    """Reads from one store. The constructor does no I/O; a failed store raises `SourceError`.

    Attributes:
        settings: the keys of `[sources.NAME]`, each with its Python type.
        remote: whether `fetch` waits for a network; such sources are read in parallel.
        name: the name in the profile.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]]
    remote: ClassVar[bool]
    name: str

    def check(self, ref: Reference) -> None:
        """Raise `InvalidReferenceError` if `ref` is not valid for the store. Does no I/O."""
        ...

    def locate(self, ref: Reference) -> str:
        """Return the location of a reference for people, without any value. Does no I/O."""
        ...

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read all `refs`, each distinct path once.

        Returns:
            for each reference a `Reading`; `Absent`, or no item, if the store does not have the
            value; an error if only this reference failed.

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
            ref: the value to set, without a pinned version.
            value: the new value; None removes it.
            expected: the version that the caller last saw (`Reading.version` or
                `Absent.version`); None if the secret must not exist yet.

        Returns:
            the new version.

        Raises:
            ConflictError: the store has another version; nothing was written.
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class GroupWrite(Protocol):
    """Optional for a writable source: write several values with one compare-and-set."""

    def group(self, ref: Reference) -> str:
        """Return a key that is equal for all values that `write_group` can write together.

        Raises:
            SourceError: the store failed.
        """
        ...

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove values of one group in a single new version, all or none.

        Args:
            values: the new value of each; None removes it.
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
        """Return the versions of the secret of a reference, newest first.

        Raises:
            SourceError: the store failed.
        """
        ...

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Restore the value that a reference had in an earlier version.

        Only this value changes. Other fields of the secret stay as they are.

        Args:
            ref: the value to restore, without a pinned version.
            version: a version from `history`.
            expected: the current version that the caller last saw.

        Returns:
            the new current version.

        Raises:
            ConflictError: the store has another version; nothing was written.
            SourceError: the store failed, or no longer has that version.
        """
        ...


@runtime_checkable
class ReadCheck(Protocol):
    """Optional: report which values cannot be read, without reading them."""

    def check_read(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError | None]:
        """Return which references may be read.

        Returns:
            for each reference, the error that a read would raise, or None; without the references
            that the store does not report on.

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

    A watcher asks stores in short-lived processes. The state that they pass on stays in memory.
    """

    def login_state(self) -> Mapping[str, object]:
        """Return the login: texts, bytes, numbers, None, and lists, tuples and dicts of them.

        Two of them are times on the monotonic clock, and are missing or infinite if nothing is
        due: `due_at` is when `renew_login` should be called, and `replace_at` when the values
        must be read anew, because a lease ends soon.
        """
        ...

    def resume_login(self, state: Mapping[str, object]) -> None:
        """Use what `login_state` of another process returned; do no I/O.

        A login that has expired is repeated as usual.
        """
        ...

    def renew_login(self) -> LoginWarning | None:
        """Renew the resumed login, or log in again, if that is due.

        Returns:
            a warning, once, if the login will end and cannot be repeated.

        Raises:
            SourceError: the store failed; it is called again later.
        """
        ...


@runtime_checkable
class Leasing(LoginState, Protocol):
    """Optional: a source of dynamic secrets, which live only as long as a lease.

    Reading one creates it. So a source refuses to, with a `LeaseNeededError`, until the process
    says that it will renew and revoke it. A secret is read once for all its fields; what
    `login_state` returns contains the leases, and `renew_login` renews them too.
    """

    def hold_leases(self, owner: int, beside: Source) -> None:
        """Allow reads of dynamic secrets from now on; do no I/O.

        Args:
            owner: the id of the process that renews and revokes them; this one, or the one that
                reads by means of it.
            beside: a source of another profile for the same store and login; its leases are
                used. The source itself if there is no other.
        """
        ...

    def release_leases(self) -> None:
        """Revoke what was read, as far as that is allowed; the values no longer work.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class WriteCheck(Protocol):
    """Optional for a writable source: report which writes would be refused."""

    def check_write(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError]:
        """Return which references are known to be unwritable; write nothing.

        Returns:
            an error for each of them; references that are probably writable are omitted.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Placed(Protocol):
    """Optional for a writable source that searches several locations for a value."""

    def place(self, ref: Reference) -> str:
        """Return, for people, where the value of `ref` is, or where a write would add it.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Probe(Protocol):
    """Optional: report the state of the store and the login, for `envkit doctor`."""

    def probe(self) -> Sequence[str]:
        """Check whether the store is available and which identity is used; read no secret.

        Returns:
            facts for people, without any value: the store's version, the login, its permissions.

        Raises:
            SourceError: the store cannot be used.
        """
        ...


@runtime_checkable
class ReaderList(Protocol):
    """Optional: say who can read values, as far as the store tells, for `envkit access`."""

    def readers(self, refs: Collection[Reference]) -> Sequence[Readers]:
        """Return who can read each secret of the references; read no secret.

        What the store does not tell is named in the answer, and is no error.

        Raises:
            SourceError: the store failed.
        """
        ...


@runtime_checkable
class Login(Protocol):
    """Optional: a login that a person does with `envkit login`, and that later commands use."""

    def log_in(self, person: Person | None) -> LoggedIn:
        """Log in and store the login.

        Args:
            person: who is asked; None if there is no terminal.

        Raises:
            MfaRequiredError: there is no terminal to ask on.
            UsageError: the settings of the source have no such login.
            SourceError: the login failed.
        """
        ...

    def log_out(self) -> str:
        """Remove the stored login, and return what was done.

        Raises:
            SourceError: it could not be removed, or not be revoked in the store.
        """
        ...
