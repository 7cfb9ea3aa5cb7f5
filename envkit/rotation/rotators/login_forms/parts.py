"""The parts of a login's text that a form finds: its user and its password.

A part is a range of the text, so that replacing it does not change any other byte.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation.rotators.login_forms.hosts import Host

FORMS = (
    "scheme://user:password@host/...",
    "host=... user=... password=... (libpq)",
    "jdbc:postgresql://host/...?user=...&password=...",
    "Host=...;Username=...;Password=... (ADO)",
    '{"username": ..., "password": ...}',
    "host:port,password=...,user=... (StackExchange.Redis)",
    "a password alone",
)


class Part(NamedTuple):
    """A range of a text.

    Attributes:
        start: index of its first character.
        end: index after its last character.
        text: its decoded text.
    """

    start: int
    end: int
    text: str

    def __repr__(self) -> str:
        return f"Part({self.start}, {self.end})"  # the text may be a password


class Found(NamedTuple):
    """A login in a text.

    Attributes:
        users: the places of the user; empty if the text has none.
        passwords: the places of the password; several if the text repeats it.
        hosts: the servers that the text names.
        encode: encodes a new user or password in this form.
        pairs: the number of settings in the text; the form that finds the most wins.
        others: other texts in it that may contain the password as well.
    """

    users: tuple[Part, ...]
    passwords: tuple[Part, ...]
    hosts: tuple[Host, ...]
    encode: Callable[[str], str]
    pairs: int = 1
    others: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Found({len(self.users)} users, {len(self.passwords)} passwords)"


def not_understood(why: str = "is not a login that envkit understands") -> RotationError:
    """Return the error for a secret that looks like a login; it lists the known forms."""
    return RotationError(
        f"the secret {why}", hint=f"store it in one of these forms: {'; '.join(FORMS)}"
    )


def only(parts: tuple[Part, ...], what: str) -> str:
    """Return the text that all of these parts have.

    Raises:
        RotationError: they differ.
    """
    if len({part.text for part in parts}) > 1:
        raise not_understood(f"has two different {what}")
    return parts[0].text


def replaced(text: str, found: Found, user: str | None, password: str) -> str:
    """Return the text with another password, and with another user if one is given."""
    changes = [(part, password) for part in found.passwords]
    if user is not None:
        changes += [(part, user) for part in found.users]
    for part, new in sorted(changes, key=lambda change: change[0].start, reverse=True):
        if part.text != new:
            text = text[: part.start] + found.encode(new) + text[part.end :]
    return text
