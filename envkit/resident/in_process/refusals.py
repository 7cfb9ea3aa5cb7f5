"""When a store is asked after a login was refused: at once, and soon again. Pure.

Guarantees: all threads whose login was refused share one pace, whatever their number;
a login that stays refused, because its password is simply wrong, asks once a second at most.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

FIRST_PAUSE_SECONDS = 0.02  # doubled with each ask
LONGEST_PAUSE_SECONDS = 1.0
REST_SECONDS = 10.0  # without a refusal, after which the pauses are short again


class Refusals(NamedTuple):
    """How often the stores have been asked for what replaces a refused login.

    Attributes:
        generation: of the refused environment.
        next_ask: on the clock of the caller; the first is due at once.
        pause_seconds: between that and the one after it.
        refused_at: when a login was last refused.
    """

    generation: int = 0
    next_ask: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    refused_at: float = 0.0


def refused(before: Refusals, generation: int, now: float) -> Refusals:
    """Return the state after a login of this generation was refused."""
    if before.generation != generation or now - before.refused_at > REST_SECONDS:
        return Refusals(generation, now, FIRST_PAUSE_SECONDS, now)
    return before._replace(refused_at=now)


def asked(before: Refusals, now: float) -> Refusals:
    """Return the state after the stores were asked."""
    pause = before.pause_seconds
    return before._replace(
        next_ask=now + pause, pause_seconds=min(pause * 2, LONGEST_PAUSE_SECONDS)
    )
