"""What a store and a rotator must be able to do for a rotation.

A *store* keeps the secret, the pending values and the record; each of its writes
is one compare-and-set. A *rotator* knows how a credential is made, given to its
target, tried and taken away; each of its methods probes before it acts and may
be called again after a crash at any instruction.

What readers get goes through four values, of which most rotators need two:

    old -> (announced) -> new -> (final)

Where the readers are themselves the target (keys to verify tokens with, a key and
its predecessor), `announced` has the new key while the old one still signs, and
`final` no longer has the old one.
"""

from __future__ import annotations

from envkit.rotation.protocols import Created, Reader, Rotator, RotatorContext, SeesUse, Usage
from envkit.rotation_state.record import PendingValue
from envkit.rotation_state.store import RotationStore, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.store import Fields, Pending

OLD, ANNOUNCED = PendingValue.OLD, PendingValue.ANNOUNCED
NEW, FINAL = PendingValue.NEW, PendingValue.FINAL

__all__ = [
    "ANNOUNCED",
    "FINAL",
    "NEW",
    "OLD",
    "Created",
    "Fields",
    "Pending",
    "Reader",
    "RotationStore",
    "Rotator",
    "RotatorContext",
    "SeesUse",
    "Snapshot",
    "Usage",
]
