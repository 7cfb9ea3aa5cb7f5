"""What a store and a rotator must be able to do for a rotation.

A *store* keeps the secret, the pending value and the record; each of its writes
is one compare-and-set. A *rotator* knows how a credential is made, given to its
target, tried and taken away; each of its methods probes before it acts and may
be called again after a crash at any instruction.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from envkit.rotation.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from envkit._internal.clock import Deadline
    from envkit.secret import Secret

    Fields: TypeAlias = Mapping[str, Secret]  # of one secret: field -> value


class Snapshot(NamedTuple):
    """All that a store says of one rotation, read in one go.

    Attributes:
        current: the fields that readers get now; None where the secret is not there.
        version: of the secret.
        record: where the rotation stands; None where there never was one.
        record_version: for the compare-and-set of the next write of the record.
        old: the fields as they were when the rotation was claimed, while one is under way.
        new: the pending fields, once they are made.
    """

    current: Fields | None
    version: str
    record: Record | None
    record_version: str
    old: Fields
    new: Fields


class RotationStore(Protocol):
    """One secret, its pending value and its rotation record in one store.

    Every write raises `ConflictError` where something else was there than the snapshot
    says, and then has changed nothing.
    """

    location: str  # of the secret, for people

    def read(self) -> Snapshot:
        """Read the secret, the record and the pending value."""
        ...

    def save(self, seen: Snapshot, record: Record, *, old: Fields, new: Fields) -> None:
        """Write the record and the pending values; the claim is the first of these."""
        ...

    def promote(self, seen: Snapshot, fields: Fields) -> None:
        """Give readers these fields, every other field of the secret as it is."""
        ...

    def clear(self, seen: Snapshot, record: Record) -> None:
        """Remove the pending values; keep only the record, which is at rest again."""
        ...


class Created(NamedTuple):
    """What a rotator made: the new fields, and what it must know again after a crash."""

    new: Fields
    facts: Mapping[str, str] = {}


class Rotator(Protocol):
    """How one kind of credential is rotated. Construction does no I/O.

    Errors are `RotationError` and `SourceError`; `RejectedError` says that the target
    refuses this value for good and another one must be made.
    """

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Look at the target before anything is made; return facts, never a value.

        Raises:
            RotationError: this secret cannot be rotated so (missing grant, foreign key).
        """
        ...

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:
        """Make the new fields. Only what cannot be staged touches its target here."""
        ...

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Make the target take the new credential, the old one still working if it can."""
        ...

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Log in with the new credential and do what it is for."""
        ...

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether a credential logs in now."""
        ...

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do what is left to do once readers have the new value."""
        ...

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Remove exactly this credential from the target; `keep` must still work after it.

        Called for the old one after the grace, and for the new one when going back.
        """
        ...


class RotatorContext(NamedTuple):
    """All that a rotator may know when it is built.

    Attributes:
        target: the table `target` of the rotation, its placeholders substituted.
        generate: how a value is made: `length`, `alphabet`.
        strategy: `alternate` or `single`.
        fields: which fields of the secret are rotated, the value first.
        deadline: when the running step must be over.
    """

    target: Mapping[str, object]
    generate: Mapping[str, object]
    strategy: str
    fields: tuple[str, ...]
    deadline: Deadline
