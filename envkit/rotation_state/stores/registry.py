"""Open the rotation store of a secret, which also stores its record and pending values.

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

KINDS = ("vault", "aws-secrets-manager", "dotenv")  # the types of sources that store records


def value_field(source: Source, ref: Reference) -> str:
    """Return the field of the rotated value; empty for a secret without fields.

    Args:
        source: the source of the reference.
        ref: the reference as the profile has it.

    Raises:
        ProfileError: the source does not support rotation, or the reference does not name one
            value.
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
    """Return the reference to another field of the same secret, or variable of the same file.

    Args:
        source: the source of the reference.
        ref: the reference to the one field.
        field: the other field, as `value_field` returns it.
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
        source: the source of the reference, with the same deadline.
        ref: the rotated value.
        fields: of the secret, the rotated value first.
        deadline: when the whole operation must be done.

    Raises:
        ProfileError: the source does not support rotation.
        InvalidReferenceError: the store cannot store a record for this reference.
    """
    kind = kind_of(source)
    if len(fields) > 1 and not fields[0]:
        raise ProfileError(
            f"a rotation also changes {fields[1]!r}, but {ref} names no field",
            hint=f"store a JSON object, and write {ref._replace(field='FIELD')}",
        )
    built: Any = source  # its type name says which class it is
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
    """Return the type of a source without importing the modules of other sources."""
    names = {base.__name__ for base in type(source).__mro__}
    for kind in (VAULT, AWS, DOTENV):
        if kind in names:
            return kind
    raise ProfileError(
        f"the source '{source.name}' cannot store rotation records",
        hint="rotate a secret in Vault, AWS Secrets Manager or a .env file",
    )
