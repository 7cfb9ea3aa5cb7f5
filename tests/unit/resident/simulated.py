"""A watcher in a simulated world: stores that change and fail, and a clock that does not wait.

The world drives the pure core as `Watcher` does, with looks and reads that take a while, and
asserts what must always hold. Tests give it a core of their own to see that it would notice.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from envkit.errors import InvalidValueError, UnavailableError
from envkit.resident import decide as core
from envkit.resident.decide import Announce, Look, Read, Wait
from envkit.resident.state import (
    Announced,
    Began,
    Ended,
    LookBegun,
    Looked,
    Poked,
    Problem,
    ReadBegun,
    ReadRefused,
    ReadValid,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = -1  # a value that breaks a rule of the profile
SETTINGS = Settings({"files": 1.0, "vault": 9.0, "aws": 5.0})
LOOK_SECONDS, READ_SECONDS = 0.4, 1.0
EPSILON = 1e-6


class Core(NamedTuple):
    """The functions of the core, and the settings that they are given."""

    decide: Callable = core.decide
    after: Callable = core.after
    settings: Settings = SETTINGS


class World:
    """Stores, a clock, and a watcher.

    Args:
        used: the core.
        spread: what the watcher draws as a random number.
        early: whether stores answer when a read begins, or when it ends.

    Attributes:
        now: the time.
        values: what each store has.
        down: the stores that fail.
        refusing: whether reads fail, and looks do not.
        announced: the time and the values of each announcement; the first is the start.
        looks, reads: when each began.
        notices: all that a person was told.
    """

    def __init__(
        self, used: Core | None = None, *, spread: float = 0.0, early: bool = False
    ) -> None:
        self.core, self.drawn, self.early = used or Core(), spread, early
        self.now = 0.0
        self.values = dict.fromkeys(SETTINGS.polls, 0)
        self.versions = dict.fromkeys(SETTINGS.polls, 0)
        self.down: set[str] = set()
        self.refusing = False
        self.pokes: list[float] = []
        self.noticed: list[float] = []
        self.looks: dict[str, list[float]] = {name: [] for name in SETTINGS.polls}
        self.reads: list[float] = []
        self.notices: list[Began | Ended] = []
        self.announced = [(0.0, dict(self.values))]
        self.answered = 0.0  # when the last read began that did not fail
        self.broken = False  # a promise; what follows says nothing
        self.read: dict[str, int] | None = None
        self.ends: list[tuple[float, str]] = []  # of looks and of the read
        base = {"files": {"ref": 0}}
        self.state = core.watching(self.core.settings, base, self.now)

    def write(self, name: str, value: int) -> None:
        self.values[name] = value
        self.versions[name] += 1

    def undo(self, name: str, value: int) -> None:
        """Restore a value and, unlike a write, its version."""
        self.values[name], self.versions[name] = value, 0

    def poke(self) -> None:
        self.pokes.append(self.now)
        self.happen(Poked())

    def happen(self, event: object) -> None:
        self.state, notices = self.core.after(self.state, self.core.settings, event, self.now)
        self.notices += notices

    def advance(self, seconds: float) -> None:
        """Let time pass, and do what is due."""
        end = self.now + seconds
        while True:
            until = self.act()
            self.now = min([end, until, *(at for at, _ in self.ends)])
            for at, name in [one for one in self.ends if one[0] <= self.now]:
                self.ends.remove((at, name))
                self.finish(name)
            if self.now >= end and not any(at <= end for at, _ in self.ends):
                self.act()
                return

    def act(self) -> float:
        for _ in range(100):
            match self.core.decide(self.state, self.core.settings, self.now):
                case Look(sources):
                    self.happen(LookBegun(dict.fromkeys(sources, self.drawn)))
                    for name in sorted(sources):
                        self.looks[name].append(self.now)
                        quick = name == "files"
                        self.ends.append((self.now + (0.0 if quick else LOOK_SECONDS), name))
                    return self.now
                case Read():
                    self.happen(ReadBegun())
                    self.reads.append(self.now)
                    self.given = dict(self.values)
                    self.check_debounce()
                    self.ends.append((self.now + READ_SECONDS, ""))
                case Announce():
                    self.happen(Announced())
                    self.announce()
                case Wait(until):
                    return until
        self.require(False, "it never waits")
        return self.now

    def finish(self, name: str) -> None:
        if not name:
            self.finish_read()
        elif name in self.down:
            self.happen(Looked(name, {}, UnavailableError("down"), self.drawn))
        else:
            tokens = {"ref": self.versions[name]}
            if tokens != self.state.sources[name].tokens:
                self.noticed.append(self.now)
            self.happen(Looked(name, tokens))

    def finish_read(self) -> None:
        if self.down or self.refusing:
            failed = ReadRefused(Problem.FAILED, UnavailableError("down"), self.drawn)
            self.happen(failed)
            return
        self.answered = self.reads[-1]
        if not self.early:
            self.given = dict(self.values)
        if BAD in self.given.values():
            invalid = ReadRefused(Problem.INVALID, InvalidValueError("bad"), self.drawn)
            self.happen(invalid)
        else:
            self.read = self.given
            self.happen(ReadValid(changed=self.read != self.announced[-1][1]))

    def announce(self) -> None:
        self.require(self.read is not None, "announced without a valid read")
        before_at, before = self.announced[-1]
        self.require(self.read != before, "announced without a change")
        self.require(BAD not in self.read.values(), "announced an invalid environment")
        apart = max(SETTINGS.min_interval_seconds, SETTINGS.debounce_seconds)
        self.require(self.now - before_at >= apart - EPSILON, "announced too soon")
        self.announced.append((self.now, self.read))
        self.read = None

    def check_debounce(self) -> None:
        """Assert that a read begins after the tokens were quiet, or after the hard maximum."""
        last = self.noticed[-1]
        quiet = self.now - last >= SETTINGS.debounce_seconds - EPSILON
        first = next(at for at in self.noticed if at >= self.answered or at == last)
        long = self.now - first >= SETTINGS.longest_debounce_seconds - EPSILON
        self.require(quiet or long, "read within the debounce")

    def check(self) -> None:
        """Assert what must hold at any time."""
        for name, poll in SETTINGS.polls.items():
            for before, at in pairwise(self.looks[name]):
                poked = any(before <= poke <= at for poke in self.pokes)
                least = min(1.0 if poked else poll, 0.9 * poll)
                self.require(at - before >= least - EPSILON, f"{name} was asked too often")
        for before, at in pairwise(self.reads):
            self.require(at - before >= SETTINGS.debounce_seconds - EPSILON, "read too often")
        for source in (*SETTINGS.polls, None):
            told = [one for one in self.notices if one.source == source]
            for earlier, later in pairwise(told):
                repeated = (type(earlier), earlier.problem) == (type(later), later.problem)
                self.require(not repeated, f"told twice: {later}")
            self.require(not told or isinstance(told[0], Began), "an end without a beginning")

    def require(self, holds: object, promise: str) -> None:
        if not holds:
            self.broken = True
            raise AssertionError(promise)

    def settle(self, seconds: float) -> None:
        """Assert that what the stores have now is announced in time."""
        self.advance(seconds)
        self.require(self.announced[-1][1] == self.values, "a change was not announced")
