"""Names under which records are stored: one for each field of each secret. Pure.

    secret/envkit-rotation/myapp/db.password        of vault:secret/myapp/db#password
    secret/envkit-rotation/myapp/db.x%2Ey           of vault:secret/myapp/db#x.y

What follows the last dot is the field, and a field's own dots are escaped: two secrets never
share a record. envkit before record version 2 wrote a field as it is.
"""

from __future__ import annotations

from urllib.parse import quote

FILE_SUFFIX = ".envkit-rotation"  # of a record beside a .env file
FOLDER = "envkit-rotation"  # of the records in a mount of Vault
LABEL = "ENVKIT_ROTATION"  # of the version of an AWS secret that has its records


def escaped(field: str) -> str:
    """Return a field as part of a name: letters, digits, `_`, `-` and `~`, the others `%XX`."""
    # a value that is not Unicode text has surrogates, which UTF-8 alone does not take
    return quote(field, safe="", errors="surrogateescape").replace(".", "%2E")


def record_name(secret: str, field: str) -> str:
    """Return where the record of one field is, beside its secret."""
    return f"{secret}.{escaped(field)}"


def identity(secret: str, field: str) -> str:
    """Return which value of a store it is, `secret/myapp/db#password`; see `RotationStore`.

    Args:
        secret: the one name that it has, however a profile writes it.
        field: empty for a secret without fields.
    """
    name = secret.replace("%", "%25").replace("#", "%23")
    return f"{name}#{field}" if field else name
