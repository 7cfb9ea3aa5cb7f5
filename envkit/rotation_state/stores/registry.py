"""Open the rotation store of a secret: records and pending values are stored beside it.

    field = value_field(source, ref)
    store = open_store(source, ref, (field,), deadline)

A store's module is imported only when a rotation needs it.
"""

from __future__ import annotations

from envkit.errors import ProfileError
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.store import RotationStore
    from envkit.sources.protocols import Source

VAULT, AWS, DOTENV = "VaultSource", "AwsSecretsManagerSource", "DotenvSource"

KINDS = ("vault", "aws-secrets-manager", "dotenv")  # the types of sources that keep records


def value_field(source: Source, ref: Reference) -> str:
    """Return the field of the value that is rotated; empty for a secret without fields.

    Args:
        source: that of the reference.
        ref: as the profile has it.

    Raises:
        ProfileError: the source has no rotations, or the reference does not name one value.
    """
    kind = kind_of(source)
    if ref.field == WHOLE or (ref.field is None and kind == VAULT):
        raise ProfileError(
            f"a rotation changes one field, but {ref} names none",
            hint=f"write: {ref._replace(field='FIELD')}",
        )
    if ref.field is None:
        return ref.path if kind == DOTENV else ""
    return ref.field


def reference_beside(source: Source, ref: Reference, field: str) -> Reference:
    """Return the reference to a field of the secret, or the file, that another one names.

    Args:
        source: that of the reference.
        ref: the other one.
        field: as `value_field` returns it.
    """
    bare = ref.field is None and kind_of(source) == DOTENV
    return ref._replace(
        path="" if bare else ref.path, field=field or None, version=None, stage=None
    )


def open_store(
    source: Source, ref: Reference, fields: Sequence[str], deadline: Deadline
) -> RotationStore:
    """Build the store of one rotation. Does no I/O.

    Args:
        source: that of the reference, with the same deadline.
        ref: the value that is rotated.
        fields: of the secret, the value's first.
        deadline: when everything must be over.

    Raises:
        ProfileError: the source has no rotations.
        InvalidReferenceError: the store could not hold this.
    """
    kind = kind_of(source)
    if len(fields) > 1 and not fields[0]:
        raise ProfileError(
            f"a rotation also changes {fields[1]!r}, but {ref} names no field",
            hint=f"store a JSON object, and write {ref._replace(field='FIELD')}",
        )
    built: Any = source  # which it is, its name has said
    names = tuple(fields)
    if kind == VAULT:
        from envkit.rotation_state.stores.vault import VaultRotationStore

        return VaultRotationStore(built, ref, names)
    if kind == AWS:
        from envkit.rotation_state.stores.aws import AwsRotationStore

        return AwsRotationStore(built, ref, names)
    from envkit.rotation_state.stores.dotenv import DotenvRotationStore

    return DotenvRotationStore(built, ref, names, deadline)


def kind_of(source: Source) -> str:
    """Return which source it is, without importing those that it is not."""
    names = {base.__name__ for base in type(source).__mro__}
    for kind in (VAULT, AWS, DOTENV):
        if kind in names:
            return kind
    raise ProfileError(
        f"the source '{source.name}' cannot store rotation records",
        hint="rotate a secret in Vault, AWS Secrets Manager or a .env file",
    )
