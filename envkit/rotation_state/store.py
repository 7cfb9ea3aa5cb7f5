"""The protocol of rotation stores: they store the secret, the pending values and the record.

Each write is one compare-and-set. Readers get up to four values one after the other; most
rotators need two:

    old -> (announced) -> new -> (final)

Where the readers are themselves the target (keys to verify tokens with, a key and
its predecessor), `announced` has the new key while the old one still signs, and
`final` no longer has the old one.
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
    """All that a store says of one rotation, read in one go.

    Attributes:
        current: the rotated fields that readers get now, as far as the secret has them;
            None where the secret is not there.
        version: of the secret; None where it is not there.
        record: where the rotation stands; None where there never was one.
        record_version: for the compare-and-set of the record's next write; None where
            there is nothing yet.
        pending: the values of the rotation in progress; empty at rest.
    """

    current: Fields | None
    version: str | None
    record: Record | None
    record_version: str | None
    pending: Pending

    @property
    def old(self) -> Fields:
        """The fields as they were when the rotation was claimed."""
        return self.pending.get(PendingValue.OLD, {})

    @property
    def new(self) -> Fields:
        """The fields that the rotation is about; empty until they are made."""
        return self.pending.get(PendingValue.NEW, {})


class RotationStore(Protocol):
    """One secret, the values that are pending for it and its rotation record, in one store.

    Every write raises `ConflictError` where something else is there than the snapshot
    says, and then has changed nothing. Only `EnvkitError` escapes.

    Attributes:
        location: of the secret, for people.
        fields: which fields of it are rotated, the value first.
        beside: the other fields of the secret that are texts, as they were read last.
    """

    location: str
    fields: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Which value of the store it is, `secret/myapp/db#password`; for `Record.secret`.

        The same however a profile writes it, and another one for every other value. Once the
        store was read it is sure; before, no network is asked for it.
        """
        ...

    @property
    def beside(self) -> Fields:
        """See above."""
        ...

    def check(self) -> None:
        """Raise when a rotation could not be carried through, before its first step.

        Raises:
            RotationError: the secret is rotated by something else, or its store has no
                compare-and-set.
            DeniedError: we may not write what a rotation writes.
        """
        ...

    def read(self) -> Snapshot:
        """Read the secret, and *then* the record with the pending values.

        In this order, a promotion by this snapshot fails when the record has moved on
        and the secret has been written since.
        """
        ...

    def record_version(self) -> str | None:
        """Return the version of the record now, as `Snapshot.record_version`; one request."""
        ...

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Have the store take a write of the kind that `publish` makes, and change no field.

        Asked before the target is changed: what the store refuses then, it refuses before
        any harm is done.

        Returns:
            the snapshot as it is now; the secret may have another version.
        """
        ...

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record and the pending values, of which none stays if there are none.

        Returns:
            the snapshot as it is now: nothing has to be read again.
        """
        ...

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Give readers these fields: all that are rotated, and none that is not in there.

        Every other field of the secret stays as it is. The secret has another version
        afterwards, even if the fields were the same.

        Returns:
            the snapshot as it is now: nothing has to be read again.
        """
        ...
