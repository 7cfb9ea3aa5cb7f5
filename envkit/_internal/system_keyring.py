"""Read and store texts in the keyring of the system, which is optional: the package `keyring`.

A keyring that is not installed, fails, or waits too long for a person to unlock it, is not there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    R = TypeVar("R")

SERVICE = "envkit"
LIMIT_SECONDS = 5.0
_LEAST_PRIORITY = 1  # of a keyring that protects what it stores


def stored_texts(users: Iterable[str]) -> dict[str, str] | None:
    """Return the texts that the keyring has.

    Args:
        users: the names under which they are stored.

    Returns:
        name -> text, without the names that it does not have; None if there is no keyring.
    """
    names = list(users)

    def ask() -> dict[str, str]:
        import keyring

        ring = keyring.get_keyring()
        found = ((name, ring.get_password(SERVICE, name)) for name in names)
        return {name: text for name, text in found if text}

    return _in_time(ask)


def stored_or_added(user: str, new: str) -> str | None:
    """Return the text that the keyring has, after adding one if it has none.

    Args:
        user: the name under which it is stored.
        new: the text to add.

    Returns:
        the text; None if there is no keyring that protects what it stores.
    """

    def ask() -> str | None:
        import keyring

        ring = keyring.get_keyring()
        if ring.priority < _LEAST_PRIORITY:
            return None
        text: str | None = ring.get_password(SERVICE, user)
        if text is None:
            ring.set_password(SERVICE, user, new)
            text = ring.get_password(SERVICE, user)  # another process may have added its own
        return text

    return _in_time(ask)


def _in_time(ask: Callable[[], R]) -> R | None:
    from envkit._internal.clock import Deadline
    from envkit._internal.parallel import call_in_time

    result = call_in_time(ask, Deadline(LIMIT_SECONDS))
    return None if result.late or result.error is not None else result.value
