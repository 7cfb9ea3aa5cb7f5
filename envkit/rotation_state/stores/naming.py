"""Names under which records are stored: one for each field of each secret. Pure.

    secret/envkit-rotation/myapp/db.password        for vault:secret/myapp/db#password
    secret/envkit-rotation/myapp/db.x%2Ey           for vault:secret/myapp/db#x.y

The field follows the last dot. The field's own dots are escaped, so that two secrets never share
a record. envkit before record version 2 did not escape fields.
"""

from __future__ import annotations

from urllib.parse import quote

FILE_SUFFIX = ".envkit-rotation"  # of a record beside a .env file
FOLDER = "envkit-rotation"  # of the records in a mount of Vault
LABEL = "ENVKIT_ROTATION"  # of the version of an AWS secret that has its records


def escaped(field: str) -> str:
    """Return a field as part of a name: letters, digits, `_`, `-` and `~`; others as `%XX`."""
    # a value that is not Unicode text has surrogates, which plain UTF-8 cannot encode
    return quote(field, safe="", errors="surrogateescape").replace(".", "%2E")


def record_name(secret: str, field: str) -> str:
    """Return the name of the record of one field, beside its secret."""
    return f"{secret}.{escaped(field)}"


def identity(secret: str, field: str) -> str:
    """Return the identity of a value in its store, `secret/myapp/db#password`.

    Args:
        secret: its canonical name, however a profile spells it.
        field: empty for a secret without fields.
    """
    name = secret.replace("%", "%25").replace("#", "%23")
    return f"{name}#{field}" if field else name
