"""The errors of encrypted values and their keys.

The message of an error never quotes a value or a private key. A public key is not secret.
"""

from __future__ import annotations

from envkit.errors import AuthError, DeniedError, DotenvError, SourceError


class UnreadableValueError(SourceError):
    """A variable has a value that cannot be decrypted, here or at all. It can be replaced.

    `written` is the value as the file has it, still encrypted, and `version` that of the file.
    """

    written = ""
    version: str | None = None


class CiphertextError(UnreadableValueError, DotenvError):
    """An encrypted value is cut off, altered or not encrypted to the key of its file."""

    code = "ciphertext-invalid"


class PrivateKeyMissingError(UnreadableValueError, AuthError):
    """An encrypted value is needed, and there is no private key for its file."""

    code = "private-key-missing"


class PrivateKeyWrongError(UnreadableValueError, AuthError):
    """None of the private keys that were found belongs to the file."""

    code = "private-key-wrong"


class KeyInvalidError(DotenvError):
    """A public or private key is not one, or the two do not belong together."""

    code = "key-invalid"


class KeyFileExposedError(DeniedError):
    """Other users can read or replace a file with private keys."""

    code = "key-file-exposed"
