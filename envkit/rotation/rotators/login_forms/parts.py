"""What a form finds in the text of a login: where its user and its password are.

A part is a range of the text, so that replacing it leaves every other byte as it was.
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
        start: its first character.
        end: the one after its last.
        text: what it says, decoded.
    """

    start: int
    end: int
    text: str

    def __repr__(self) -> str:
        return f"Part({self.start}, {self.end})"  # the text may be a password


class Found(NamedTuple):
    """A login in a text.

    Attributes:
        users: where the user is; empty where the text does not say.
        passwords: where the password is; more than once where the text repeats it.
        hosts: the servers that the text names.
        encode: spells a new user or password in this form.
        pairs: of how many settings the text consists; the reading with more of them wins.
        others: further texts in it, which may have the password as well.
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
    """Return the error for a secret that looks like a login, with the forms that are known."""
    return RotationError(
        f"the secret {why}", hint=f"store it in one of these forms: {'; '.join(FORMS)}"
    )


def only(parts: tuple[Part, ...], what: str) -> str:
    """Return what all of these parts say.

    Raises:
        RotationError: they say different things.
    """
    if len({part.text for part in parts}) > 1:
        raise not_understood(f"has two different {what}")
    return parts[0].text


def replaced(text: str, found: Found, user: str | None, password: str) -> str:
    """Return the text with another password, and another user where one is given."""
    changes = [(part, password) for part in found.passwords]
    if user is not None:
        changes += [(part, user) for part in found.users]
    for part, new in sorted(changes, key=lambda change: change[0].start, reverse=True):
        if part.text != new:
            text = text[: part.start] + found.encode(new) + text[part.end :]
    return text
