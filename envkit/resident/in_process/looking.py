"""Decide when a live environment is looked at and read: `resident.decide` with a clock.

Guarantees: the caller has one lock for every call; nothing here waits or asks a store.
"""

from __future__ import annotations

from random import uniform
from time import monotonic

from envkit.resident.decide import Look, Renew, Wait, after, decide, watching
from envkit.resident.noticing import PROFILES, polls
from envkit.resident.state import (
    Announced,
    LookBegun,
    Looked,
    Poked,
    Prepared,
    ReadBegun,
    ReadRefused,
    ReadValid,
    RenewBegun,
    RenewEnded,
    Settings,
)
from envkit.sources.poke import last_poke

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.errors import EnvkitError
    from envkit.resident.noticing import WatchedSource
    from envkit.resident.state import Event, Leased, Notice, Problem, State, Tokens

READ: frozenset[str] = frozenset()  # in the place of sources: read the environment


class Watched:
    """What a read says is to be looked at from then on.

    Args:
        sources: by name.
        files: of the profiles.
        deadline: of the sources, which begins anew with each look.
        base: tokens of the quick sources, seen before the values were read.
    """

    def __init__(
        self,
        sources: Mapping[str, WatchedSource],
        files: Sequence[str],
        deadline: Deadline,
        base: Mapping[str, Tokens],
    ) -> None:
        self.sources = sources
        self.files = files
        self.deadline = deadline
        self.base = base
        self.poke = last_poke()
        self.quick = frozenset([PROFILES, *(name for name, one in sources.items() if one.is_quick)])

    @property
    def is_local(self) -> bool:
        """Whether all of it is looked at, and read, in about a millisecond."""
        return self.sources.keys() <= self.quick

    def settings(self) -> Settings:
        """Return how often each is looked at. Reads are not debounced: an access waits for none."""
        return Settings(polls(self.sources), 0.0, 0.0)


class Looking:
    """When to look and to read; see the module's docstring. It begins after the first read.

    Attributes:
        next_at: when there is something to do, on the monotonic clock.
        watched: the sources to look at.
    """

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._settings = watched.settings()
        self._state: State = watching(self._settings, watched.base, monotonic())
        self._confirmed = dict.fromkeys(self._settings.polls, monotonic())
        self._poke = watched.poke
        self.next_at = 0.0
        self._note_next()

    @property
    def confirmed_at(self) -> float:
        """When each source was last seen to have the values that are in use: the oldest time."""
        return min(self._confirmed.values())

    def take(self, *, slow: bool) -> frozenset[str] | Renew | None:
        """Return what the caller must do now, and note that it does.

        Args:
            slow: whether the caller may wait for stores behind a network.

        Returns:
            the sources to look at, those to renew, or READ; None if there is nothing for this
            caller.
        """
        action = decide(self._state, self._settings, monotonic())
        if isinstance(action, Wait):
            return None
        if isinstance(action, Renew):
            if not slow:
                return None
            self._apply(RenewBegun(action.sources))
            return action
        if not isinstance(action, Look):
            return READ if slow or self.watched.is_local else None
        names = action.sources if slow else action.sources & self.watched.quick
        if not names:
            return None
        self._apply(LookBegun({name: uniform(-1, 1) for name in names}))  # noqa: S311
        if PROFILES in names and (poke := last_poke()) != self._poke:
            self._poke = poke
            self._apply(Poked())  # another process of envkit has written to a store
        return names

    def looked(self, name: str, tokens: Tokens, error: EnvkitError | None) -> Sequence[Notice]:
        """Note what a look at a source gave."""
        notices = self._apply(Looked(name, tokens, error, uniform(-1, 1)))  # noqa: S311
        if error is None and not self._state.differs and name in self._confirmed:
            self._confirmed[name] = monotonic()
        return notices

    def leased(self, found: Iterable[Leased]) -> None:
        """Note how long the logins and leases of sources last."""
        for one in found:
            if one.source in self._settings.polls:
                self._apply(one)

    def end_renewal(self, names: Collection[str]) -> None:
        """Note that the renewal of sources has ended, and failed without `leased`."""
        for name in names:
            self._apply(RenewEnded(name, uniform(-1, 1)))  # noqa: S311

    def begin_read(self) -> None:
        """Note that the environment is read, whether or not it was due."""
        self._apply(ReadBegun())

    def end_read(self, watched: Watched, *, changed: bool) -> Sequence[Notice]:
        """Note that the environment was read, and whether a value has changed."""
        notices = self._apply(ReadValid(changed=changed))
        if changed:
            self._apply(Announced())
        self.watched = watched
        self._settings = watched.settings()
        self._apply(Prepared())
        self._confirmed = dict.fromkeys(self._settings.polls, monotonic())
        return notices

    def refuse_read(self, problem: Problem, error: EnvkitError) -> Sequence[Notice]:
        """Note that the environment could not be read."""
        return self._apply(ReadRefused(problem, error, uniform(-1, 1)))  # noqa: S311

    def abandon_looks(self, names: Collection[str]) -> None:
        """Note that looks at these sources were begun and will not end."""
        sources = {
            name: one._replace(looking=False) if name in names else one
            for name, one in self._state.sources.items()
        }
        self._state = self._state._replace(sources=sources)
        self._note_next()

    def abandon_read(self) -> None:
        """Note that a read was begun and will not end."""
        self._state = self._state._replace(reading=None)
        self._note_next()

    def after_fork(self) -> None:
        """Forget what other threads were doing: this process does not have them."""
        self.abandon_looks(self._state.sources)
        self.end_renewal(list(self._state.leases))
        self.abandon_read()

    def _apply(self, event: Event) -> Sequence[Notice]:
        self._state, notices = after(self._state, self._settings, event, monotonic())
        self._note_next()
        return notices

    def _note_next(self) -> None:
        action = decide(self._state, self._settings, monotonic())
        self.next_at = action.until if isinstance(action, Wait) else 0.0
