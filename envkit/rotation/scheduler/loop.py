"""The loop of the scheduler: run rotations that are due, until it is stopped.

    scheduler = Scheduler(catalog, run_rotation, listeners=[metrics])
    signal.signal(signal.SIGTERM, lambda *_: scheduler.stop())
    scheduler.run()

The scheduler stores no state, so that a second one on another host, or none for a day, does no
harm. A rotation that fails, hangs or is slow does not delay others while fewer than `concurrency`
run. After a request to stop, no rotation starts; each running one finishes its step, within
`finish_seconds`, and the next run resumes it.

The scheduler sleeps until the next rotation must be looked at, but checks the clock and the files
of the profiles at least every TICK_SECONDS.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from envkit._internal.parallel import QuickHandover
from envkit.errors import EnvkitError
from envkit.rotation.jobs import CONCURRENCY
from envkit.rotation.outcome import attempt
from envkit.rotation.scheduler.timers import Timers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation.outcome import Outcome
    from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher

    # runs one rotation; calls the function between steps to know whether to stop
    RunRotation: TypeAlias = Callable[[Rotation, Callable[[], bool]], Outcome]

TICK_SECONDS = 15.0
FINISH_SECONDS = 25.0  # Kubernetes kills after 30 seconds


class Listener(Protocol):
    """Is notified of what a scheduler does, never with a value, by one thread at a time."""

    def loaded(self, collected: Collected) -> None:
        """The profiles were read."""

    def error_occurred(self, error: EnvkitError) -> None:
        """An error occurred that is not specific to one rotation; the scheduler continues."""

    def ticked(self) -> None:
        """The scheduler is alive."""

    def began(self, rotation: Rotation) -> None:
        """A rotation is being looked at."""

    def ended(self, rotation: Rotation, outcome: Outcome, seconds: float) -> None:
        """The run of a rotation has ended with this outcome."""


class _Done(NamedTuple):
    rotation: Rotation
    outcome: Outcome
    seconds: float


class Scheduler:
    """Runs the rotations of a catalog in threads of this process.

    Args:
        catalog: the rotations; it has been read.
        run_rotation: runs one rotation.
        concurrency: how many rotations run at once.
        listeners: notified of what happens.
        clock: returns seconds since the epoch.
        finish_seconds: how long running rotations may take after a request to stop.
    """

    def __init__(
        self,
        catalog: CatalogWatcher,
        run_rotation: RunRotation,
        *,
        concurrency: int = CONCURRENCY,
        listeners: Sequence[Listener] = (),
        clock: Callable[[], float] = time.time,
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._run_rotation = run_rotation
        self._concurrency = concurrency
        self._listeners = listeners
        self._clock = clock
        self._finish_seconds = finish_seconds
        self._timers = Timers()
        # a signal handler may call its `put` at any time, whatever this thread is doing
        self._inbox: SimpleQueue[_Done | None] = SimpleQueue()
        self._stopping = False
        self._reload = False

    def stop(self) -> None:
        """Request a stop. A signal handler may call this."""
        self._stopping = True
        self._inbox.put(None)

    def reload(self) -> None:
        """Request that the profiles are read again. A signal handler may call this."""
        self._reload = True
        self._inbox.put(None)

    def waiting_for(self) -> str:
        """Return what the scheduler is waiting for; empty if it works."""
        return "it is stopping" if self._stopping else ""

    def run(self) -> None:
        """Run until told to stop."""
        self._take(self._catalog.collected)
        with QuickHandover():
            while not self._stopping:
                if self._reload or self._catalog.stale():
                    self._read_again()
                self._begin()
                for listener in self._listeners:
                    listener.ticked()
                self._wait(self._sleep_seconds())
            self._finish()

    def _read_again(self) -> None:
        self._reload = False
        try:
            self._take(self._catalog.read())
        except EnvkitError as error:
            for listener in self._listeners:
                listener.error_occurred(error)

    def _take(self, collected: Collected) -> None:
        self._timers.replace(self._catalog.rotations, self._clock())
        for listener in self._listeners:
            listener.loaded(collected)

    def _begin(self) -> None:
        room = self._concurrency - len(self._timers.running)
        for name in self._timers.take(self._clock(), room):
            rotation = self._catalog.rotations[name]
            for listener in self._listeners:
                listener.began(rotation)
            # a daemon thread, so that a hanging rotation does not prevent the process from exiting
            threading.Thread(target=self._run_one, args=(rotation,), name=name, daemon=True).start()

    def _run_one(self, rotation: Rotation) -> None:
        begun = time.monotonic()
        outcome = attempt(
            rotation.full_name, lambda: self._run_rotation(rotation, lambda: self._stopping)
        )
        self._inbox.put(_Done(rotation, outcome, time.monotonic() - begun))

    def _sleep_seconds(self) -> float:
        if len(self._timers.running) >= self._concurrency:
            return TICK_SECONDS
        return min(max(self._timers.next_at() - self._clock(), 0.0), TICK_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Wait up to this many seconds for news, and process all that have arrived."""
        try:
            self._note(self._inbox.get(timeout=seconds))
            while True:
                self._note(self._inbox.get_nowait())
        except Empty:
            pass

    def _note(self, news: _Done | None) -> None:
        if news is None:
            return
        self._timers.done(news.outcome, self._clock())
        for listener in self._listeners:
            listener.ended(*news)

    def _finish(self) -> None:
        end = time.monotonic() + self._finish_seconds
        while self._timers.running and (left := end - time.monotonic()) > 0:
            self._wait(left)
