"""The errors of encrypted values and their keys.

The message of an error never quotes a value or a private key. A public key is not secret.
"""

from __future__ import annotations

from envkit.errors import AuthError, DeniedError, DotenvError


class CiphertextError(DotenvError):
    """An encrypted value is cut off, altered or not encrypted to the key of its file."""

    code = "ciphertext-invalid"


class KeyInvalidError(DotenvError):
    """A public or private key is not one, or the two do not belong together."""

    code = "key-invalid"


class PrivateKeyMissingError(AuthError):
    """An encrypted value is needed, and there is no private key for its file."""

    code = "private-key-missing"


class PrivateKeyWrongError(AuthError):
    """None of the private keys that were found belongs to the file."""

    code = "private-key-wrong"


class KeyFileExposedError(DeniedError):
    """Other users can read or replace a file with private keys."""

    code = "key-file-exposed"
