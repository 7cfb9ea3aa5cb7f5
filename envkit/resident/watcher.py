"""Notice when an environment changes, without blocking the event loop that asks.

    watcher = Watcher(WatchRequest(["prod"]))
    access.begin(watcher.prepare())               # may ask a person; no store is read
    app = start(watcher.first().environ)          # blocks, and raises what `exec` would
    while ...:
        select([*watcher.filenos(), ...], timeout=watcher.next_time() - monotonic())
        for event in watcher.step(monotonic()):
            ...                                   # Changed, Warned, Recovered

What always holds: an environment that is not valid, or that a store failed to give, is never
announced; stores are asked only in short-lived child processes, so the clients of stores are
never loaded in this one; values are only in memory and in an anonymous pipe.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.launch.exec import overlay, parent_environment
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS, resolve_prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.resolution.prepare import PreparedProfile


class WatchRequest(NamedTuple):
    """Which environment is watched, and how.

    Attributes:
        environments: names or aliases of profiles; `ENVKIT_ENV` where none is given.
        profiles: the folder of profiles; default: as for `resolve`.
        only: globs; only variables that match one of them are included.
        exclude: globs; variables that match one of them are excluded.
        overrides: literal values that replace the profiles' own.
        pristine: as for `overlay`.
        timeout_seconds: for all stores together, each time they are asked.
        debounce_seconds: how long nothing may change before the environment is read again.
        min_interval_seconds: the shortest time between two announcements.
        approve: called with the prepared profiles before each read but the first, in the child
            that reads; raises an `EnvkitError` if the app must not get their variables. It
            cannot ask a person.
    """

    environments: Sequence[str] = ()
    profiles: str | None = None
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    overrides: Mapping[str, str] = {}
    pristine: bool = False
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    debounce_seconds: float = 2.0
    min_interval_seconds: float = 5.0
    approve: Callable[[Sequence[PreparedProfile]], None] | None = None


class Changed(NamedTuple):
    """A new environment, complete and valid.

    Attributes:
        environ: all variables for the app, as `overlay` returns them.
        names: the profile's variables whose value is new, and those that are gone; for the
            first environment all of them.
        versions: per variable the versions of the secrets that it was made from, for audit.
    """

    environ: dict[bytes, bytes]
    names: tuple[str, ...]
    versions: dict[str, list[str]]

    def __repr__(self) -> str:
        return f"Changed(names={self.names!r})"


class Warned(NamedTuple):
    """A store has begun to fail, or the environment is no longer valid; once per outage.

    Attributes:
        text: for people, without values.
    """

    text: str


class Recovered(NamedTuple):
    """What the last `Warned` said is over.

    Attributes:
        text: for people, without values.
    """

    text: str


if TYPE_CHECKING:
    Event: TypeAlias = Changed | Warned | Recovered


class Watcher:
    """Watches one environment; see the module's docstring.

    All methods are called from the main thread of one process.
    """

    def __init__(self, request: WatchRequest) -> None:
        self._request = request
        self._last: Changed | None = None
        self._next = 0.0

    def prepare(self) -> list[PreparedProfile]:
        """Load the profiles and open their sources, as `exec` does; read no store.

        It may ask a person for trust. It is called once, before `first`.

        Raises:
            EnvkitError: as `resolution.prepare.prepare`.
        """
        self.deadline = Deadline(self._request.timeout_seconds)
        one = self._request
        return prepare(
            one.environments,
            profiles=one.profiles,
            only=one.only,
            exclude=one.exclude,
            overrides=one.overrides,
            environ=os.environ,
            deadline=self.deadline,
        )

    def first(self) -> Changed:
        """Read the environment for the first time; blocks, for at most the timeout.

        Until it returns, signals have the effect that they have for `exec`.

        Raises:
            EnvkitError: what `exec` would raise.
        """
        self._last = self._read()
        self._next = monotonic() + 1.0
        return self._last

    def filenos(self) -> list[int]:
        """Return the file descriptors to wait on until they are readable; changes with `step`."""
        return []

    def next_time(self) -> float:
        """Return when `step` must be called even if nothing is readable, on `monotonic`."""
        return self._next

    def step(self, now: float) -> list[Event]:
        """Do what is due, without blocking, and return what has happened.

        Args:
            now: from `monotonic`.
        """
        if now < self._next or self._last is None:
            return []
        self._next = now + 1.0
        try:
            found = self._read()
        except EnvkitError as error:
            return [Warned(error.message)]
        if found.environ == self._last.environ:
            return []
        self._last = found
        return [found]

    def poke(self) -> None:
        """Look at every store in the next `step`: another process says that it wrote to one."""
        self._next = 0.0

    def children(self) -> frozenset[int]:
        """Return the ids of the child processes that this watcher waits for itself."""
        return frozenset()

    def close(self) -> None:
        """End the child processes. It may be called at any time, and more than once."""

    def _read(self) -> Changed:
        environment = resolve_prepared(self.prepare(), self.deadline)
        passed = overlay(environment, parent_environment(), pristine=self._request.pristine)
        return Changed(passed, tuple(environment), {})
