"""Key pairs of encrypted `.env` files, and the names under which they are stored. Pure.

A public key is a point of the curve secp256k1, as 66 hexadecimal digits. A private key is a
number, as 64 digits, and never shown. Both forms, and the names, are those of dotenvx:

    .env.prod     DOTENV_PUBLIC_KEY_PROD=03d1...     anyone may read it
    .env.keys     DOTENV_PRIVATE_KEY_PROD=f865...    only you may read it

    >>> variable_names(".env.prod.local")
    Names(public='DOTENV_PUBLIC_KEY_PROD_LOCAL', private='DOTENV_PRIVATE_KEY_PROD_LOCAL')

Reference: https://www.secg.org/sec2-v2.pdf, section 2.4.1
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import WORD
from envkit.encryption.errors import KeyInvalidError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PUBLIC_KEY = "DOTENV_PUBLIC_KEY"
PRIVATE_KEY = "DOTENV_PRIVATE_KEY"

FIELD = 2**256 - 2**32 - 977  # coordinates are below it
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DIGITS = frozenset("0123456789abcdefABCDEF")


class Names(NamedTuple):
    """The names of the two keys of a file."""

    public: str
    private: str


class PublicKey(NamedTuple):
    """A point of the curve."""

    x: int
    y: int

    def __str__(self) -> str:
        return f"{2 + self.y % 2:02x}{self.x:064x}"

    def __repr__(self) -> str:
        return f"PublicKey({self})"

    def to_bytes(self) -> bytes:
        """Return the uncompressed form: 65 bytes."""
        return b"\x04" + self.x.to_bytes(32, "big") + self.y.to_bytes(32, "big")


class PrivateKey:
    """A private key; masked whenever it is printed.

    Attributes:
        text: its 64 digits.
    """

    __slots__ = ("_loaded", "text")

    def __init__(self, text: Secret) -> None:
        self.text = text
        self._loaded: EllipticCurvePrivateKey | None = None

    def __repr__(self) -> str:
        return "PrivateKey('********')"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, PrivateKey) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a PrivateKey cannot be pickled or copied")

    def public_key(self) -> PublicKey:
        """Return the public key that belongs to it."""
        numbers = self.load().public_key().public_numbers()
        return PublicKey(numbers.x, numbers.y)

    def load(self) -> EllipticCurvePrivateKey:
        """Return the key as an object of `cryptography`."""
        if self._loaded is None:
            from cryptography.hazmat.primitives.asymmetric import ec

            self._loaded = ec.derive_private_key(int(self.text.reveal(), 16), ec.SECP256K1())
        return self._loaded


def generate() -> PrivateKey:
    """Return a new private key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    number = ec.generate_private_key(ec.SECP256K1()).private_numbers().private_value
    return PrivateKey(Secret(f"{number:064x}"))


def parse_public_key(text: str, *, where: str) -> PublicKey:
    """Return the public key that a text is.

    Args:
        text: 66 hexadecimal digits.
        where: the file and variable, for messages.

    Raises:
        KeyInvalidError: it is not a public key.
    """
    point = None
    sign, digits = text[:2], text[2:]
    if sign in ("02", "03") and len(digits) == 64 and _DIGITS.issuperset(digits):
        point = decompress(int(digits, 16), odd=sign == "03")
    if point is None:
        raise KeyInvalidError(
            f"{where} is not a public key",
            hint="restore the line from git; a public key is 66 digits, of which the first is 0",
        )
    return point


def parse_private_keys(text: Secret, *, where: str) -> list[PrivateKey]:
    """Return the private keys in a text: one, or several with commas between them.

    Args:
        text: the value of a `DOTENV_PRIVATE_KEY*`.
        where: the file and variable, for messages.

    Raises:
        KeyInvalidError: one of them is not a private key.
    """
    found = []
    for part in text.reveal().split(","):
        digits = part.strip()
        usable = len(digits) == 64 and _DIGITS.issuperset(digits)
        if not usable or not 0 < int(digits, 16) < ORDER:
            raise KeyInvalidError(
                f"{where} is not a private key",
                hint="copy it again; a private key is 64 digits of 0-9 and a-f, "
                "and several keys have commas between them",
            )
        found.append(PrivateKey(Secret(digits.lower())))
    return found


def decompress(x: int, *, odd: bool) -> PublicKey | None:
    """Return the point with an x coordinate; None if the curve has none."""
    square = (pow(x, 3, FIELD) + 7) % FIELD
    y = pow(square, (FIELD + 1) // 4, FIELD)
    if x >= FIELD or y * y % FIELD != square:
        return None
    return PublicKey(x, y if y % 2 == odd else FIELD - y)


def is_point(x: int, y: int) -> bool:
    """Return whether two coordinates are a point of the curve."""
    return x < FIELD and y < FIELD and (y * y - x * x * x - 7) % FIELD == 0


def variable_names(file: str) -> Names:
    """Return the names of the keys of a file that does not name its public key itself.

    Args:
        file: the file's name or path; only the last part counts.
    """
    name = os.path.basename(file).lower()
    if name.startswith(".env"):
        name = name.removesuffix(".txt")
    if name == ".env":
        return names_for(PUBLIC_KEY)
    parts = name.split(".")[2:4]
    environment = "_".join(parts) if parts else name.replace(".env", "development", 1)
    suffix = "".join(char if char in WORD else "_" for char in environment.upper())
    return names_for(f"{PUBLIC_KEY}_{suffix}")


def names_for(public: str) -> Names:
    """Return both names, given the name of the public key, as in the file."""
    return Names(public, PRIVATE_KEY + public.removeprefix(PUBLIC_KEY))
