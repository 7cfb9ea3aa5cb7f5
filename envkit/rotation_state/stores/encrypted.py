"""Encrypt the values in the record of a rotation, as those of its `.env` file are. Pure.

    {"record": {...}, "values": {"old": {"DB_PASSWORD": "encrypted:BBZg..."}}}

No value of a `.env` file begins with `encrypted:`, so the two forms cannot be confused.
"""

from __future__ import annotations

from envkit.encryption.values import encrypt, is_encrypted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.encryption.env_file import FileKey


def sealed(packed: dict[str, object], key: FileKey | None) -> dict[str, object]:
    """Return the object of `envelope.pack` with encrypted values; encrypted ones stay as they are.

    Args:
        packed: the object.
        key: the public key of the `.env` file; None to leave the values as they are.
    """
    if key is None:
        return packed
    public_key = key.key
    return _changed(packed, lambda text: text if is_encrypted(text) else encrypt(text, public_key))


def opened(packed: object, decrypt: Callable[[str], str]) -> object:
    """Return an object from a record's file with decrypted values.

    Args:
        packed: the object; it may have any form, and the values may be plain.
        decrypt: decrypts a value.

    Raises:
        UnreadableValueError: a value cannot be decrypted.
    """
    if not isinstance(packed, dict):
        return packed
    return _changed(packed, lambda text: decrypt(text) if is_encrypted(text) else text)


def _changed(packed: dict[str, object], change: Callable[[str], str]) -> dict[str, object]:
    values = packed.get("values")
    if not isinstance(values, dict):
        return packed
    return {**packed, "values": {name: _fields(fields, change) for name, fields in values.items()}}


def _fields(fields: object, change: Callable[[str], str]) -> object:
    if not isinstance(fields, dict):
        return fields
    return {
        field: change(text) if isinstance(text, str) else text for field, text in fields.items()
    }
