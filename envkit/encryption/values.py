"""Encrypt and decrypt one value, in the format of dotenvx. Pure.

A value is `encrypted:` and the base64 form of these parts:

    ephemeral public key   65 bytes, uncompressed
    nonce                  16 bytes
    tag of AES-256-GCM     16 bytes
    ciphertext             the rest; as long as the value

The AES key is HKDF-SHA256, without salt and info, of the ephemeral key and the shared point, both
uncompressed. Neither the name of the variable nor its file is authenticated: a person who can
change the file can swap two values, and no reader of this format can detect that.

`cryptography` returns only x of the shared point. y is one of two roots, and the tag decides.

Reference: https://github.com/ecies/js, with its defaults
"""

from __future__ import annotations

import binascii
import os

from envkit._internal.named_tuple import NamedTuple
from envkit.dotenv.parser import ENCRYPTED
from envkit.encryption.errors import CiphertextError
from envkit.encryption.keys import FIELD, PUBLIC_KEY, PublicKey, decompress, is_point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from envkit.encryption.keys import PrivateKey

PLAIN_SUFFIX = "_PLAIN"  # variables whose names end so are never encrypted

_NONCE_BYTES = 16
_TAG_BYTES = 16
_KEY_BYTES = 65
_HEADER_BYTES = _KEY_BYTES + _NONCE_BYTES + _TAG_BYTES


class Parts(NamedTuple):
    """The parts of an encrypted value."""

    ephemeral: PublicKey
    nonce: bytes
    tag: bytes
    ciphertext: bytes


def is_encrypted(text: str) -> bool:
    """Return whether a value as written in a file is encrypted, well or not."""
    return text.startswith(ENCRYPTED)


def stays_plain(name: str) -> bool:
    """Return whether a variable is never encrypted: `LOG_LEVEL_PLAIN`, and a public key."""
    return name.endswith(PLAIN_SUFFIX) or name.startswith(PUBLIC_KEY)


def encrypt(text: str, public_key: PublicKey) -> str:
    """Return a value encrypted to a public key; each call returns another text.

    Raises:
        UnicodeEncodeError: the value is not UTF-8 text.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    private = ec.generate_private_key(ec.SECP256K1())
    numbers = private.private_numbers()
    ephemeral = PublicKey(numbers.public_numbers.x, numbers.public_numbers.y)
    peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key.to_bytes())
    following = ec.derive_private_key(numbers.private_value + 1, ec.SECP256K1())
    shared = _shared_point(
        _number(private.exchange(ec.ECDH(), peer)),
        _number(following.exchange(ec.ECDH(), peer)),
        public_key,
    )
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_aes_key(ephemeral, shared)).encrypt(nonce, text.encode(), None)
    ciphertext, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
    data = ephemeral.to_bytes() + nonce + tag + ciphertext
    return ENCRYPTED + binascii.b2a_base64(data, newline=False).decode()


def decrypt(text: str, private_keys: Iterable[PrivateKey]) -> str | None:
    """Return the value that a text encrypts; None if no key decrypts it.

    Args:
        text: a value as `encrypt` returns it.
        private_keys: the keys to try, in this order.

    Returns:
        the value. Bytes that are not UTF-8 are as in `Secret`. None means that the text is
        encrypted to another key, or was altered: the format does not distinguish the two.

    Raises:
        CiphertextError: the text is not an encrypted value. The message continues a sentence
            that begins with the variable.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric import ec

    aes_gcm = _aes_gcm()
    ephemeral, nonce, tag, ciphertext = parts(text)
    curve = ec.SECP256K1()
    peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, ephemeral.to_bytes())
    for private_key in private_keys:
        x = _number(private_key.load().exchange(ec.ECDH(), peer))
        even = decompress(x, odd=False)
        assert even is not None  # noqa: S101 - x is that of a point
        for shared in (even, PublicKey(x, FIELD - even.y)):
            try:
                data = aes_gcm(_aes_key(ephemeral, shared)).decrypt(nonce, ciphertext + tag, None)
            except InvalidTag:
                continue
            return data.decode("utf-8", "surrogateescape")
    return None


def parts(text: str) -> Parts:
    """Return the parts of an encrypted value, without a key and without `cryptography`.

    Raises:
        CiphertextError: the text is not an encrypted value; see `decrypt`.
    """
    digits = text.removeprefix(ENCRYPTED)
    try:
        data = binascii.a2b_base64(digits, strict_mode=True)
    except ValueError:
        data = b""
    # some digits have bits that encode nothing: only one spelling is valid
    if not data or binascii.b2a_base64(data, newline=False).decode() != digits:
        raise CiphertextError("is cut off or altered: its text is not base64")
    if len(data) < _HEADER_BYTES:
        raise CiphertextError("is cut off: its text is too short")
    x, y = _number(data[1:33]), _number(data[33:_KEY_BYTES])
    if data[0] != 4 or not is_point(x, y):
        raise CiphertextError("is altered: its ephemeral key is not valid")
    tag_at = _KEY_BYTES + _NONCE_BYTES
    return Parts(
        PublicKey(x, y), data[_KEY_BYTES:tag_at], data[tag_at:_HEADER_BYTES], data[_HEADER_BYTES:]
    )


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _aes_key(ephemeral: PublicKey, shared: PublicKey) -> bytes:
    """Return the AES key: HKDF with an empty salt and info, of 32 bytes."""
    secret = _hmac(bytes(32), ephemeral.to_bytes() + shared.to_bytes())
    return _hmac(secret, b"\x01")


def _aes_gcm() -> type[AESGCM]:
    """Return the class AESGCM, without the modules of other ciphers if that is possible."""
    try:
        from cryptography.hazmat.bindings._rust import openssl

        found: type[AESGCM] = openssl.aead.AESGCM
    except (ImportError, AttributeError):  # another version of cryptography
        from cryptography.hazmat.primitives.ciphers import aead

        found = aead.AESGCM
    return found


def _hmac(key: bytes, data: bytes) -> bytes:
    # the standard library's hashlib takes 4 ms to import, as it loads another OpenSSL
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    code = HMAC(key, SHA256())
    code.update(data)
    return code.finalize()


def _shared_point(x: int, following_x: int, public_key: PublicKey) -> PublicKey:
    """Return the product S of a number and a public key P, given only x of S and of S + P.

    The x of S + P tells the two roots apart. The product itself is computed by `cryptography`,
    in constant time.
    """
    even = decompress(x, odd=False)
    assert even is not None  # noqa: S101 - x is that of a point
    slope = (even.y - public_key.y) * pow(x - public_key.x, -1, FIELD) % FIELD
    if (slope * slope - x - public_key.x - following_x) % FIELD == 0:
        return even
    return PublicKey(x, FIELD - even.y)
