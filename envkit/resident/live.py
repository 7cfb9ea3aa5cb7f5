"""A live environment for Python programs: the next connection uses the current login.

    live = envkit.live("prod")
    live["DATABASE_URL"]                  # Secret, current
    live.on_change("JWT_KEYS", reload)

What always holds: an environment that is not valid, or that a store failed to give, never
replaces the last valid one; all values of a snapshot come from one read; only the first read
raises. One thread reads at a time, and a thread waits for it only if it has no value yet, or
the one that it has was refused.
"""

from __future__ import annotations

import threading
from random import random
from time import monotonic

from envkit._internal.named_tuple import NamedTuple
from envkit.resident.in_process import asking, forks, schedule
from envkit.resident.in_process.callbacks import Callbacks
from envkit.resident.in_process.outage import Outage
from envkit.resident.in_process.reading import Reader
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from envkit.resident.in_process.reading import Read
    from envkit.resolution.environment import Environment
    from envkit.secret import Secret
    from envkit.sources.protocols import Source

RETRY_SECONDS = 1.0  # how long a refused login waits for a newer value


class Snapshot(NamedTuple):
    """An environment as it was read at one time.

    Attributes:
        environment: the variables.
        generation: 1 for the first; grows by one when a value changes.
        read_at: on the monotonic clock.
        generations: per variable the generation in which it last changed.
    """

    environment: Environment
    generation: int
    read_at: float
    generations: Mapping[str, int] = {}


class Live:
    """An environment that stays current, for any number of threads, forks and event loops.

    Nothing is read before the first access, which waits for the stores and raises if they fail.
    Later ones return at once: stores behind a network are asked in a thread, and `.env` files
    are looked at once a second at most. `envkit.live` is this class.

    Args:
        environments: names or aliases of profiles; default: `ENVKIT_ENV`.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then a search upwards.
        only: globs, or one; only variables that match one of them are included.
        exclude: globs, or one; variables that match one of them are excluded.
        timeout_seconds: for all stores together, each time they are read.
        sources: used in place of the profile's sources of these names.
        reason: why a protected profile is used; default: `ENVKIT_REASON`.
    """

    def __init__(
        self,
        *environments: str,
        profiles: str | None = None,
        only: Sequence[str] = (),
        exclude: Sequence[str] = (),
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        sources: Mapping[str, Source] | None = None,
        reason: str | None = None,
    ) -> None:
        self._reader = Reader(
            environments,
            profiles=profiles,
            only=only,
            exclude=exclude,
            timeout_seconds=timeout_seconds,
            sources=sources,
            reason=reason,
        )
        self._snapshot: Snapshot | None = None
        self._closed = False
        self._schedule = schedule.Schedule()
        self._outage = Outage()
        self._callbacks = Callbacks()
        self._asking = asking.Asking()
        self.after_fork()
        forks.register(self)

    # -------- reading values

    def __getitem__(self, name: str) -> Secret:
        return self.snapshot().environment[name]

    def __contains__(self, name: object) -> bool:
        return name in self.snapshot().environment

    __iter__ = None  # two values of one iteration could come from two reads: use `snapshot`

    def __repr__(self) -> str:
        current = self._snapshot
        if current is None:
            return f"Live({self._reader.name!r}, not read yet)"
        count, generation = len(current.environment), current.generation
        return f"Live({self._reader.name!r}, {count} variables, generation {generation})"

    def snapshot(self) -> Snapshot:
        """Return the current environment; use it for values that belong together.

        Its `environment` also has typed values: `live.snapshot().environment.int("WORKERS")`.

        Raises:
            EnvkitError: it cannot be read, and there is none from before.
        """
        current = self._snapshot
        if current is None:
            return self._read_now()
        if monotonic() >= self._schedule.next_at and not self._closed:
            self._look()
        return self._snapshot or current

    def text(self, name: str) -> Callable[[], str]:
        """Return a function without arguments that returns the current text of a variable."""

        def current() -> str:
            return self[name].reveal()

        return current

    def generation(self, name: str) -> int:
        """Return a number that grows whenever this variable changes.

        A pool that stores it *before* it opens a connection can later close each one whose
        number is not the current one.

        Raises:
            NoSuchVariableError: the environment has no such variable.
        """
        current = self.snapshot()
        found = current.generations.get(name)
        if found is None:
            current.environment.refuse_unknown(name)
        return found or 0

    @property
    def is_loaded(self) -> bool:
        """Whether the environment has been read, so that an access waits for no network."""
        return self._snapshot is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the values were last known to be those of the stores; 0 before a read."""
        current = self._snapshot
        return 0.0 if current is None else monotonic() - current.read_at

    def newer(self, refused: Snapshot, names: Sequence[str]) -> Iterator[Snapshot]:
        """Ask the stores at once for a newer value of `names`, for up to a second.

        Args:
            refused: the snapshot whose login was refused.
            names: the variables that the login consists of.

        Yields:
            at most one snapshot, in which at least one of `names` has another value; nothing
            if the stores still have the refused ones after a second.
        """
        names = tuple(names)
        end = monotonic() + RETRY_SECONDS
        while True:
            current = self._current()
            if _changed(refused.environment, current.environment, names):
                yield current
                return
            with self._gate:
                now = monotonic()
                self._asking = asking.refused(self._asking, current.generation, now)
                due = self._asking.next_ask
                if due > end or self._closed:
                    return
                if due > now:
                    if self._snapshot is current:
                        self._gate.wait(due - now)  # a change ends it
                    continue
                self._asking = asking.asked(self._asking, now)
            self._read_now()

    # -------- being told of changes

    def on_change(
        self, name: str, callback: Callable[[Secret | None], object]
    ) -> Callable[[], None]:
        """Call `callback` with the new value, in a thread, each time a variable has changed.

        That thread, which the first call starts, also looks for changes; without it, an access
        does. An exception of the callback is logged and ends nothing. In the child of a fork
        the thread is started again.

        Args:
            name: the variable's.
            callback: is given None where an optional variable is not set any more.

        Returns:
            a function that removes the callback.

        Raises:
            NoSuchVariableError: the environment has no such variable.
            EnvkitError: the environment cannot be read, and there is none from before.
        """
        seen = self.generation(name)
        remove = self._callbacks.add(name, callback, seen)
        self._start_following()
        return remove

    def close(self) -> None:
        """Ask no store any more, and end the thread. The last values can still be read."""
        self._closed = True
        with self._gate:
            self._gate.notify_all()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Make locks and threads anew; `forks` calls it in the child."""
        self._gate = threading.Condition()
        self._flight: _Flight | None = None
        self._refreshing = False
        self._follower: threading.Thread | None = None
        if self._callbacks:
            self._start_following()

    # -------- reading stores

    def _read_now(self) -> Snapshot:
        """Read the environment, or wait for the thread that does, and return the current one.

        Raises:
            EnvkitError: it cannot be read, and there is none from before.
        """
        while True:
            with self._gate:
                flight, is_mine = self._flight, self._flight is None
                if flight is None:
                    flight = self._flight = _Flight()
            if is_mine:
                try:
                    self._fly(flight)
                finally:
                    with self._gate:
                        self._flight = None
                        flight.ended = True
                        self._gate.notify_all()
                if self._snapshot is not None:  # only now, since a handler of logs may read values
                    self._outage.note(self._reader.name, flight.error, self.age_seconds)
            else:
                with self._gate:
                    self._gate.wait_for(lambda: flight.ended)  # noqa: B023
            if self._snapshot is not None:
                return self._snapshot
            if flight.error is not None:
                raise flight.error.with_traceback(None) from flight.error.__cause__

    def _fly(self, flight: _Flight) -> None:
        """Read the environment; a failure replaces nothing."""
        before = self._snapshot
        try:
            self._adopt(self._reader.first() if before is None else self._reader.again())
        except Exception as error:  # noqa: BLE001 - raised or logged by `_read_now`
            flight.error = error
            if before is not None:
                self._plan(schedule.failed, self._schedule)
        else:
            self._plan(schedule.succeeded)

    def _plan(self, next_: Callable[..., schedule.Schedule], *before: schedule.Schedule) -> None:
        chance = random()  # noqa: S311 - it spreads requests
        planned = next_(*before, monotonic(), chance, is_local=self._reader.is_local)
        with self._gate:
            self._schedule = planned

    def _adopt(self, read: Read) -> None:
        before, environment = self._snapshot, read.environment
        if before is None:
            generations = dict.fromkeys(environment, 1)
            self._set(Snapshot(environment, 1, monotonic(), generations))
            return
        names = {*before.environment, *environment}
        changed = _changed(before.environment, environment, names)
        if not changed:
            self._set(before._replace(read_at=monotonic()))
            return
        read.record(changed)  # before the values are used
        generation = before.generation + 1
        generations = {**before.generations, **dict.fromkeys(changed, generation)}
        self._set(Snapshot(environment, generation, monotonic(), generations))

    def _set(self, snapshot: Snapshot) -> None:
        with self._gate:
            self._snapshot = snapshot
            self._gate.notify_all()

    # -------- looking for changes

    def _look(self) -> None:
        """Do what is due at an access; read stores behind a network in another thread."""
        if not self._must_read():
            return
        if self._reader.is_local:
            self._read_now()
            return
        with self._gate:
            if self._flight is None and not self._refreshing:
                self._refreshing = _start(self._refresh) is not None

    def _must_read(self) -> bool:
        """Return whether the caller should read the environment now; True for one of several."""
        with self._gate:
            now, planned = monotonic(), self._schedule
            self._schedule = schedule.claimed(planned, now)
        if planned.stores_at <= now:
            return True
        return planned.files_at <= now and self._reader.files_changed()

    def _refresh(self) -> None:
        try:
            self._read_now()
        finally:
            self._refreshing = False

    def _start_following(self) -> None:
        with self._gate:
            if self._follower is None and not self._closed:
                self._follower = _start(self._follow)

    def _follow(self) -> None:
        """Look for changes and call the callbacks, as long as there are any."""
        calls_at = 0.0
        while True:
            with self._gate:
                if self._closed or not self._callbacks:
                    self._follower = None
                    return
            if self._must_read():
                self._read_now()
            current = self._current()
            if self._callbacks.are_due(current.generations) and monotonic() >= calls_at:
                calls_at = monotonic() + schedule.FILES_SECONDS
                self._callbacks.call(current.environment, current.generations)
            with self._gate:
                wake_at = self._schedule.next_at
                if self._callbacks.are_due(self._current().generations):
                    wake_at = min(wake_at, calls_at)
                if not self._closed:
                    self._gate.wait(max(0.0, wake_at - monotonic()))

    def _current(self) -> Snapshot:
        assert self._snapshot is not None  # noqa: S101 - a callback is added after the first read
        return self._snapshot


live = Live


class _Flight:
    """One read, for which other threads may wait."""

    __slots__ = ("ended", "error")

    def __init__(self) -> None:
        self.ended = False
        self.error: Exception | None = None


def _changed(before: Environment, after: Environment, names: Iterable[str]) -> list[str]:
    """Return those of `names` whose values differ, or that only one environment has."""
    return sorted(name for name in names if before.get(name) != after.get(name))


def _start(function: Callable[[], None]) -> threading.Thread | None:
    """Start a thread; return None if the interpreter is about to end, which allows none."""
    thread = threading.Thread(target=function, name="envkit-live", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
