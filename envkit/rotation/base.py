"""The protocols that a store and a rotator implement.

A *store* stores the secret, the pending values and the record. Each of its writes is one
compare-and-set. A *rotator* creates a credential, sets it at its target, tests it and removes
it. Each of its methods probes before it acts, and can be called again after a crash at any
instruction.

Readers get up to four values one after the other; most rotators need two:

    old -> (announced) -> new -> (final)

Some readers are the target themselves: they verify tokens with the keys of the secret. For
them, `announced` has the new key while the old one still signs, and `final` no longer has
the old one.
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
