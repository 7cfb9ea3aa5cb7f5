"""What is known of a watched environment, as plain data. `decide` is made of it.

What is watched is called a source here: a source of a profile, or the files of the profiles. A
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


class Settings(NamedTuple):
    """How often, and how soon.

    Attributes:
        polls: the seconds between two looks, by source.
        debounce_seconds: how long nothing may change before the environment is read.
        min_interval_seconds: the shortest time between two announcements.
    """

    polls: Mapping[str, float]
    debounce_seconds: float = 2.0
    min_interval_seconds: float = 5.0

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
        LookBegun | Looked | Poked | ReadBegun | ReadValid | ReadRefused | Announced | Prepared
    )
    Notice: TypeAlias = Began | Ended
