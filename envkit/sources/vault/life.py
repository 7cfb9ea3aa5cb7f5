"""When a token is renewed, or replaced by a new login. Pure.

A token is renewed at two thirds of its life. One that cannot be renewed, or no further, is
replaced at half of its remaining life, so that there is time if that fails.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.vault.auth import Lease

RENEW_AT = 2 / 3
REPLACE_AT = 1 / 2
RETRY_AT = 1 / 8  # of the remaining life, after a renewal that failed
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 300.0
GIVE_UP_AT = 1 / 6  # of the whole life: what is left then is for a replacement
JITTER = 0.1  # of the time until then, either way: many processes begin at once
LOOK_UP_SECONDS = 10.0  # after the start; what looks a token up at once delays the app
_WHOLE = 0.9  # of the time that the token had at first; one that is given less is at its end
NEVER = float("inf")


class Life(NamedTuple):
    """How long a token lives, on the monotonic clock.

    Attributes:
        ends_at: infinite if it never expires, or the server does not say.
        due_at: when to renew or replace it; infinite if there is nothing to do.
        granted_seconds: what the server gave it, the last time that it gave it all.
        renewable: whether it can be renewed.
        known: whether the server has been asked.
    """

    ends_at: float = NEVER
    due_at: float = NEVER
    granted_seconds: float = 0.0
    renewable: bool = False
    known: bool = True

    def lease(self, now: float) -> Lease | None:
        """Return the remaining lease; None if it is not known."""
        from envkit.sources.vault.auth import Lease

        if not self.known:
            return None
        expiry = None if self.ends_at == NEVER else Deadline(self.ends_at - now)
        return Lease(expiry, self.renewable)


def any_spread() -> float:
    """Return a random number from -1 to 1."""
    return int.from_bytes(os.urandom(4), "big") / 2**31 - 1


def unknown(now: float) -> Life:
    """Return the life of a token that was there, and was not looked up yet."""
    return Life(due_at=now + LOOK_UP_SECONDS, known=False)


def begun(lease: Lease, now: float, spread: float) -> Life:
    """Return the life of a token that was just granted, or looked up.

    Args:
        lease: what the server says.
        now: the time.
        spread: a random number from -1 to 1.
    """
    if lease.expiry is None:
        return Life()
    left = lease.expiry.remaining_seconds()
    share = RENEW_AT if lease.renewable else REPLACE_AT
    return Life(now + left, now + left * share * (1 + JITTER * spread), left, lease.renewable)


def renewed(before: Life, lease: Lease, now: float, spread: float) -> Life:
    """Return the life of a token that was just renewed; one that got less is at its maximum."""
    whole = begun(lease, now, spread)
    if whole.granted_seconds >= _WHOLE * before.granted_seconds or lease.expiry is None:
        return whole
    last = begun(lease._replace(renewable=False), now, spread)
    return last._replace(granted_seconds=before.granted_seconds)


def not_renewed(before: Life, now: float) -> Life:
    """Return the life of a token that the server refused to renew."""
    left = max(0.0, before.ends_at - now)
    return before._replace(renewable=False, due_at=now + left * REPLACE_AT)


def postponed(before: Life, now: float) -> Life:
    """Return the life of one whose renewal failed, and is tried again while there is time."""
    left = before.ends_at - now
    retry_at = now + min(LAST_RETRY_SECONDS, max(FIRST_RETRY_SECONDS, left * RETRY_AT))
    if retry_at > before.ends_at - before.granted_seconds * GIVE_UP_AT:
        return not_renewed(before, now)
    return before._replace(due_at=retry_at)
