"""The protocol of rotation stores: they store the secret, the pending values and the record.

Each write is one compare-and-set. Readers get up to four values one after the other; most
rotators need two:

    old -> (announced) -> new -> (final)

Some readers are the target themselves: they verify tokens with the keys of the secret. For
them, `announced` has the new key while the old one still signs, and `final` no longer has
the old one.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from envkit.rotation_state.record import PendingValue, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from envkit.secret import Secret

    Fields: TypeAlias = Mapping[str, Secret]  # of one secret: field -> value
    Pending: TypeAlias = Mapping[str, Fields]  # OLD, ANNOUNCED, NEW, FINAL -> fields


class Snapshot(NamedTuple):
    """The state of one rotation in the store, from one read.

    Attributes:
        current: the rotated fields that readers get now, without those that the secret lacks;
            None if the secret does not exist.
        version: of the secret; None if it does not exist.
        record: the state of the rotation; None if there never was one.
        record_version: for the compare-and-set of the record's next write; None if there is
            no record yet.
        pending: the values of the rotation in progress; empty at rest.
    """

    current: Fields | None
    version: str | None
    record: Record | None
    record_version: str | None
    pending: Pending

    @property
    def old(self) -> Fields:
        """The rotated fields as they were when the rotation was claimed."""
        return self.pending.get(PendingValue.OLD, {})

    @property
    def new(self) -> Fields:
        """The new fields; empty until they are created."""
        return self.pending.get(PendingValue.NEW, {})


class RotationStore(Protocol):
    """One secret, its pending values and its rotation record, in one store.

    Every write raises `ConflictError` if the store differs from the snapshot, and then has
    changed nothing. Only `EnvkitError` escapes.

    Attributes:
        location: of the secret, for people.
        fields: the rotated fields of the secret, the rotated value first.
        beside: the other text fields of the secret, as of the last read.
    """

    location: str
    fields: tuple[str, ...]

    @property
    def identity(self) -> str:
        """The identity of the value in its store, `secret/myapp/db#password`; for `Record.secret`.

        It does not depend on how a profile spells the reference, and no two values share one. It
        is certain once the store was read; before that, it is guessed without a request.
        """
        ...

    @property
    def beside(self) -> Fields:
        """See the attributes of the class."""
        ...

    def check(self) -> None:
        """Raise if a rotation could not be completed. Called before its first step.

        Raises:
            RotationError: something else rotates the secret, or its store has no
                compare-and-set.
            DeniedError: envkit may not write what a rotation writes.
        """
        ...

    def read(self) -> Snapshot:
        """Read the secret, and *then* the record with the pending values.

        In this order, a promotion from this snapshot fails if the record has moved on and the
        secret has been written since.
        """
        ...

    def record_version(self) -> str | None:
        """Return the current version of the record, like `Snapshot.record_version`; one request."""
        ...

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the secret as `publish` does, but without changing a field.

        Called before the target is changed: a store that would refuse the real write refuses this
        one, before any harm is done.

        Returns:
            The snapshot as it is now; the secret may have another version.
        """
        ...

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record and all pending values; an empty `pending` removes them.

        Returns:
            The snapshot as it is now; there is no need to read again.
        """
        ...

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Give readers these fields: set those in `fields`, and remove any other rotated field.

        All other fields of the secret stay as they are. The secret gets a new version even if
        the fields were the same.

        Returns:
            The snapshot as it is now; there is no need to read again.
        """
        ...
