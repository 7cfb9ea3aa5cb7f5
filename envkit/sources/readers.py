"""Who can read a secret, as far as its store tells: the answer of `envkit access`."""

from __future__ import annotations

from typing import NamedTuple

READ, WRITE, DELETE = "read", "write", "delete"


class Reader(NamedTuple):
    """Someone who can read or change a secret.

    Attributes:
        who: a person, a machine or a group, as the store names them: `userpass user alice`.
        rights: `read`, `write` and `delete`, in this order.
        by: what grants it: `policy prod-readers`.
    """

    who: str
    rights: tuple[str, ...]
    by: str = ""


class Readers(NamedTuple):
    """What a store tells of one secret.

    Attributes:
        place: the secret, for people: `vault:secret/shop`.
        readers: who can read or change it, as far as the store tells.
        not_visible: what the store did not tell, each a sentence without a full stop.
    """

    place: str
    readers: tuple[Reader, ...] = ()
    not_visible: tuple[str, ...] = ()
