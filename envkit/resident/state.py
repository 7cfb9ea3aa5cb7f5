"""The state of a watched environment, as plain data; `decide` works on it.

A source here is a source of a profile, or the files of the profiles. A
*token* stands for one value of a source: it is equal as long as the value is, and shows nothing
of it.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.resident.str_enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import TypeAlias

    from envkit.errors import EnvkitError

    Tokens: TypeAlias = Mapping[Hashable, Hashable]

NEVER = float("-inf")
FOREVER = float("inf")
DEBOUNCE_SECONDS = 2.0  # the default of --debounce
MIN_INTERVAL_SECONDS = 5.0  # between two restarts of an app


class Settings(NamedTuple):
    """How often, and how soon.

    Attributes:
        polls: the seconds between two looks, by source.
        debounce_seconds: how long nothing may change before the environment is read.
        min_interval_seconds: the shortest time between two announcements.
    """

    polls: Mapping[str, float]
    debounce_seconds: float = DEBOUNCE_SECONDS
    min_interval_seconds: float = MIN_INTERVAL_SECONDS

    @property
    def longest_debounce_seconds(self) -> float:
        """How long a change waits at most while there are more of them."""
        return 5 * self.debounce_seconds


class Problem(StrEnum):
    """Why the environment that the stores have now is not announced."""

    FAILED = "failed"  # a store did not give it
    INVALID = "invalid"  # they gave it, and it breaks a rule of the profile


class Watched(NamedTuple):
    """One source.

    Attributes:
        next_look: when it is looked at next.
        tokens: as they were last seen; without those that were not seen yet.
        last_look: when the last look began.
        looking: whether one is in progress.
        failures: of looks, in a row.
    """

    next_look: float
    tokens: Tokens
    last_look: float = NEVER
    looking: bool = False
    failures: int = 0


class Lease(NamedTuple):
    """What a source has for a limited time: its login and its dynamic secrets.

    Attributes:
        renew_at: when they are renewed next.
        replace_at: when the environment is read for new secrets, because these will end.
        renewing: whether a renewal is in progress.
        failures: of renewals, in a row.
    """

    renew_at: float = FOREVER
    replace_at: float = FOREVER
    renewing: bool = False
    failures: int = 0


class State(NamedTuple):
    """A watched environment.

    Attributes:
        sources: by name.
        base: the tokens, by source, that were seen before the running environment was read. One
            that is missing is not known, and the environment must be read to be compared.
        announced_at: when the last environment was announced.
        changed_at: when the tokens began to differ from the base; None if they do not.
        last_change: when they last changed.
        reading: the tokens when the read in progress began; None if there is none.
        ready: whether an environment has been read that must be announced.
        retry_at: no read before, after one that failed.
        read_failures: reads in a row that gave no valid environment.
        problem: why the last read did not.
        warned: the message of the last warning about a read; empty if it is over.
        leases: by source, of those that have some.
    """

    sources: Mapping[str, Watched]
    base: Mapping[str, Tokens]
    announced_at: float
    changed_at: float | None = None
    last_change: float = NEVER
    reading: Mapping[str, Tokens] | None = None
    ready: bool = False
    retry_at: float = NEVER
    read_failures: int = 0
    problem: Problem | None = None
    warned: str = ""
    leases: Mapping[str, Lease] = {}

    def tokens(self) -> dict[str, Tokens]:
        """Return the tokens of all sources as they were last seen."""
        return {name: source.tokens for name, source in self.sources.items()}

    @property
    def differs(self) -> bool:
        """Whether a source has a token that the base has not."""
        return any(
            key not in known or known[key] != token
            for name, source in self.sources.items()
            for known in (self.base.get(name, {}),)
            if known is not source.tokens
            for key, token in source.tokens.items()
        )

    def must_replace(self, now: float) -> bool:
        """Whether a secret is so near to its end that the environment must be read."""
        return any(one.replace_at <= now for one in self.leases.values())


# what happens to it


class LookBegun(NamedTuple):
    """Sources are asked whether they have changed.

    Attributes:
        spread: per source a random number from -1 to 1: looks of many machines drift apart.
    """

    spread: Mapping[str, float]


class Looked(NamedTuple):
    """A source was looked at.

    Attributes:
        source: its name.
        tokens: those that it gave.
        error: why it did not give all of them.
        spread: as for `LookBegun`.
    """

    source: str
    tokens: Tokens
    error: EnvkitError | None = None
    spread: float = 0.0


class Poked(NamedTuple):
    """Another process says that it has written to a store."""


class ReadBegun(NamedTuple):
    """The environment is read."""


class ReadValid(NamedTuple):
    """It was read, and is valid.

    Attributes:
        changed: whether a value differs from that of the announced environment.
    """

    changed: bool


class ReadRefused(NamedTuple):
    """It was not read, or is not valid.

    Attributes:
        problem: which of the two.
        error: why.
        spread: as for `LookBegun`.
    """

    problem: Problem
    error: EnvkitError
    spread: float = 0.0


class Announced(NamedTuple):
    """The new environment was handed over."""


class Leased(NamedTuple):
    """A read or a renewal has shown how long the login and the secrets of a source last.

    Attributes:
        source: its name.
        renew_at: as of `Lease`.
        replace_at: as of `Lease`.
    """

    source: str
    renew_at: float = FOREVER
    replace_at: float = FOREVER


class RenewBegun(NamedTuple):
    """What these sources have for a limited time is renewed."""

    sources: frozenset[str]


class RenewEnded(NamedTuple):
    """A renewal has ended. It has failed if there was no `Leased` for the source.

    Attributes:
        source: its name.
        spread: as for `LookBegun`.
    """

    source: str
    spread: float = 0.0


class Prepared(NamedTuple):
    """The profiles were loaded anew, and `Settings.polls` has the sources that they have now."""


# what a person is told


class Began(NamedTuple):
    """An outage has begun, or the environment has become invalid.

    Attributes:
        source: which one cannot be looked at; None if the environment cannot be read.
        problem: what cannot be done; a source that cannot be looked at has failed.
        error: why.
    """

    source: str | None
    problem: Problem
    error: EnvkitError


class Ended(NamedTuple):
    """It is over.

    Attributes:
        source: as for `Began`.
        problem: the last one.
    """

    source: str | None
    problem: Problem


if TYPE_CHECKING:
    Event: TypeAlias = (
        LookBegun
        | Looked
        | Poked
        | ReadBegun
        | ReadValid
        | ReadRefused
        | Announced
        | Leased
        | RenewBegun
        | RenewEnded
        | Prepared
    )
    Notice: TypeAlias = Began | Ended
