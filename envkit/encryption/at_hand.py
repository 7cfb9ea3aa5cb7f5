"""Tell whether the private key of a file is at hand, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.encryption.env_file import file_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.dotenv.parser import Definition
    from envkit.encryption.keys import PrivateKey
    from envkit.encryption.reading import Decrypter


class PrivateKeyState(StrEnum):
    """Whether the private key of a file is at hand."""

    FOUND = "found"
    MISSING = "missing"
    WRONG = "wrong"
    UNREADABLE = "unreadable"


class AtHand(NamedTuple):
    """Whether the private key of a file is at hand.

    Attributes:
        state: whether it is.
        place: where it was found, or where envkit looked.
        key: the key; None unless it was found.
    """

    state: PrivateKeyState
    place: str
    key: PrivateKey | None = None


def at_hand(decrypter: Decrypter, public_keys: Sequence[Definition]) -> AtHand:
    """Look for the private key of a file.

    Args:
        decrypter: of the file.
        public_keys: of the file, which must have one.

    Raises:
        KeyInvalidError: the public key is not valid, or there are two.
        SourceError: a place has something that is not a key, or cannot be read.
    """
    key = file_key(public_keys)
    assert key is not None  # noqa: S101 - see above
    lookup = decrypter.lookup(public_keys)
    for one in lookup.found:
        if one.key.public_key() == key.key:
            return AtHand(PrivateKeyState.FOUND, one.place, one.key)
    if lookup.found:
        places = dict.fromkeys(one.place for one in lookup.found)
        return AtHand(PrivateKeyState.WRONG, ", ".join(places))
    return AtHand(PrivateKeyState.MISSING, lookup.looked_in())
