"""The rotation that changes a value, and its record beside the secret.

`envkit.rotation.rotated` finds the rotation of a value. A caller that is about to change the value
reads the record here, with its login for the value itself.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import RotationError
from envkit.rotation_state.stores.registry import open_store, reference_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record
    from envkit.sources.protocols import Source

    # returns the rotation that changes the value of a reference; None if there is none
    FindRotation: TypeAlias = Callable[[Source, Reference], "RotatedValue | None"]
    FindRotations: TypeAlias = Callable[[Profile, Deadline], FindRotation]


class RotatedValue(NamedTuple):
    """A rotation that changes a value.

    Attributes:
        policy: the rotation.
        fields: all fields of the secret that the rotation changes, the rotated value's first.
    """

    policy: Policy
    fields: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """The names of the profile and the rotation: `prod/db-password`."""
        return self.policy.full_name


def read_record(
    rotated: RotatedValue, source: Source, ref: Reference, deadline: Deadline
) -> Record | None:
    """Read the record of a rotation from beside a value that it changes.

    Args:
        rotated: the rotation.
        source: the source of the value.
        ref: the value, which may be a field other than the rotation's first.
        deadline: when the whole operation must be done.

    Returns:
        The record; None if there is none.

    Raises:
        EnvkitError: the record cannot be read, or belongs to another secret.
    """
    own = reference_beside(source, ref, rotated.fields[0])
    store = open_store(source, own, rotated.fields, deadline)
    record = store.read().record
    if record is not None and record.secret not in ("", store.identity):
        raise RotationError(
            f"the rotation record beside {store.location} is for another secret",
            hint="run: envkit rotate status",
        )
    return record
