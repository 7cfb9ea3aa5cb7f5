"""When an old credential may be retired: not while it is in use. Pure.

    block(record, retirement, now)      # why the old credential is kept; None to retire it

The grace period is over then. A record without evidence of a recent look that succeeded blocks
the retirement too: a look that failed does not prove that the credential is unused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit._internal.suggestions import did_you_mean
from envkit.rotation_state.evidence import describe
from envkit.rotation_state.record import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from envkit.rotation_state.record import Record

MAX_QUIET_SECONDS = 300.0  # without a session, until a credential counts as unused
LOOK_SECONDS = 5.0  # between two looks at a target
MIN_LOOK_SECONDS = 1.0
_DAY = 86_400.0


class RetireWhen(StrEnum):
    """When the old credential is retired after the grace period."""

    UNUSED = "unused"  # once it was not seen in use for some minutes
    LIMIT = "limit"  # the same, or at the end of `grace_limit`
    GRACE = "grace"  # at once


# rotators that can see who uses a credential, and wait for that by default
_WAITING = (("postgres", "alternate"), ("aws-iam-key", "alternate"))


class Retirement(NamedTuple):
    """How a rotation retires its old credential.

    Attributes:
        when: the rule.
        quiet_seconds: how long the credential must not be seen in use.
        extra_seconds: from the end of the grace period to the end of `grace_limit`.
        look_seconds: the time between two looks at the target.
    """

    when: RetireWhen = RetireWhen.GRACE
    quiet_seconds: float = 0.0
    extra_seconds: float = 0.0
    look_seconds: float = LOOK_SECONDS

    @property
    def waits(self) -> bool:
        """Whether the old credential is kept while it is in use."""
        return self.when != RetireWhen.GRACE


class Block(NamedTuple):
    """Why an old credential is kept after the grace period.

    Attributes:
        reason: for people.
        alarm: whether `grace_limit` is over, so that a person must act.
    """

    reason: str
    alarm: bool


def block(record: Record, retirement: Retirement, now: float) -> Block | None:
    """Return why the old credential of a rotation is kept; None if it may be retired.

    Args:
        record: of a rotation whose grace period is over.
        retirement: how it is retired.
        now: seconds since the epoch.
    """
    limit_reached = now >= record.retire_at + retirement.extra_seconds
    if not retirement.waits or (limit_reached and retirement.when == RetireWhen.LIMIT):
        return None
    evidence, quiet = record.evidence, retirement.quiet_seconds
    recent = evidence.looked_at and now - evidence.looked_at <= max(quiet, MIN_LOOK_SECONDS)
    if not recent or evidence.error:
        return Block(_reason(record), limit_reached)
    if evidence.in_use or (evidence.seen_at and now - evidence.seen_at < quiet):
        return Block(_reason(record), limit_reached)
    return None


def _reason(record: Record) -> str:
    """Return why the old credential of a blocked rotation is kept, for people."""
    evidence = record.evidence
    if evidence.error or not evidence.looked_at:
        why = f" ({evidence.error})" if evidence.error else ""
        return f"cannot see whether the old credential is in use{why}, so it still works"
    when = "is in use" if evidence.in_use else "was in use minutes ago"
    return f"the old credential {when}, so it still works: {describe(evidence)}"


def last_block(record: Record, retirement: Retirement) -> Block | None:
    """Return why the last look after the grace period has kept the old credential, if it has."""
    tried_at = record.evidence.tried_at
    if record.phase != Phase.GRACE or not 0 < record.retire_at <= tried_at:
        return None
    return block(record, retirement, tried_at)


def is_alarm(record: Record, retirement: Retirement, now: float) -> bool:
    """Return whether the old credential was kept, `grace_limit` is over, and it is still kept."""
    over = now >= record.retire_at + retirement.extra_seconds
    return over and retirement.when == RetireWhen.UNUSED and bool(last_block(record, retirement))


def read_retirement(
    settings: Mapping[str, Any],
    strategy: str,
    grace_seconds: float,
    limit_seconds: float | None,
    error: Callable[[str, str, str | None], Exception],
) -> tuple[RetireWhen, float]:
    """Return `retire_when` and `grace_limit`, in seconds, of the table of a rotation.

    Args:
        settings: the table.
        strategy: of the rotation.
        grace_seconds: the grace period.
        limit_seconds: `grace_limit`; None if the table has none.
        error: returns the error for a key, a message and a hint.
    """
    waiting = (settings["rotator"], strategy) in _WAITING
    name = settings.get("retire_when", RetireWhen.UNUSED if waiting else RetireWhen.GRACE)
    if name not in tuple(RetireWhen):
        raise error(
            "retire_when",
            f"unknown value '{name}' of 'retire_when'",
            did_you_mean(name, RetireWhen),
        )
    when = RetireWhen(name)
    if limit_seconds is None:
        return when, max(10 * grace_seconds, _DAY)
    if when == RetireWhen.GRACE:
        raise error(
            "grace_limit",
            "'grace_limit' has no effect with retire_when = \"grace\"",
            "write retire_when = \"limit\", or remove 'grace_limit'",
        )
    if limit_seconds < grace_seconds:
        raise error(
            "grace_limit",
            "'grace_limit' is shorter than 'grace'",
            "increase 'grace_limit', or decrease 'grace'",
        )
    return when, limit_seconds
