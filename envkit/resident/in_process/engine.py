"""What a live environment does: read, look for changes, call back, all of it for many threads.

Guarantees: one thread reads at a time; another one waits for it only if it has no value
yet, or asks for a newer one; a snapshot is replaced as a whole, and only by a complete, valid
environment whose audit record is written. A failure after the first read is logged, not raised.
"""

from __future__ import annotations

import threading
from time import monotonic

from envkit.errors import AuditError, EnvkitError, UnavailableError
from envkit.resident.asking import problem_of
from envkit.resident.decide import Renew
from envkit.resident.in_process import outage, refusals
from envkit.resident.in_process.callbacks import Callbacks
from envkit.resident.in_process.looking import READ, Looking
from envkit.resident.in_process.snapshot import differing, first, following, new_names
from envkit.resident.logins import RELEASE_SECONDS
from envkit.resident.noticing import PROFILES, Look, look, look_at_files
from envkit.resident.state import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from envkit._internal.clock import Deadline
    from envkit.resident.in_process.logins import Logins
    from envkit.resident.in_process.looking import Watched
    from envkit.resident.in_process.reading import Reader
    from envkit.resident.in_process.snapshot import Snapshot
    from envkit.resident.noticing import WatchedSource
    from envkit.resident.state import Notice

    T = TypeVar("T")

RETRY_SECONDS = 1.0  # how long a refused login waits for a newer value
CALLBACK_SECONDS = 1.0  # between two calls of the callbacks, at least
LONGEST_WAIT_SECONDS = 60.0
THREAD_NAME = "envkit-live"


class Engine:
    """See the module's docstring.

    Args:
        reader: reads the environment.

    Attributes:
        reader: the same.
        current: the last snapshot; None before the first read.
        callbacks: functions that are called after a change.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.current: Snapshot | None = None
        self.callbacks = Callbacks()
        self._looking: Looking | None = None  # there is one as soon as there is a snapshot
        self._refusals = refusals.Refusals()
        self._closed = False
        self.after_fork()

    def after_fork(self) -> None:
        """Make locks and threads anew, in a child that has no thread of its parent's."""
        # not the lock of `Condition()`: its `with` is Python code, and a signal handler that raises
        # in it would never release the lock
        self._gate = threading.RLock()
        self._news = threading.Condition(self._gate)  # to wait for what the gate protects
        self._flight: _Flight | None = None
        self._refreshing = False
        self._follower: threading.Thread | None = None
        if self._looking is not None:
            self._looking.after_fork()
        if self.callbacks:
            self.start_following()

    def close(self) -> None:
        """Ask no store any more, end the threads, and revoke what this process has leased."""
        self._closed = True
        with self._gate:
            self._news.notify_all()
            flight = self._flight
            if flight and flight.thread != threading.get_ident() and self.reader.logins.have_leases:
                # which may be creating another user
                self._news.wait_for(lambda: flight.ended, RELEASE_SECONDS)
        self.reader.release()

    @property
    def age_seconds(self) -> float:
        """How long ago the values were last known to be those of the stores; 0 before a read."""
        looking = self._looking
        return 0.0 if looking is None else monotonic() - looking.confirmed_at

    # ---------------------------------------------------------------- access

    def snapshot(self) -> Snapshot:
        """Return the current snapshot; begin to look for a newer one if it is time to.

        Raises:
            EnvkitError: the first read failed.
        """
        current, looking = self.current, self._looking
        if current is None or looking is None:
            current = self._read_now()
        elif monotonic() >= looking.next_at and not self._closed:
            self._work(looking, slow=False)
            current = self.current or current
        if self._follower is None and self.reader.logins.have_leases:
            self.start_following()  # leases are renewed even if no value is used
        return current

    def newer(self, refused: Snapshot, names: Sequence[str]) -> Iterator[Snapshot]:
        """Yield each snapshot with another value of one of `names` than the one before it."""
        end = monotonic() + RETRY_SECONDS
        while True:
            current = self.current or self._read_now()
            if differing(refused.environment, current.environment, names):
                yield current
                refused = current
                continue
            with self._gate:
                now = monotonic()
                self._refusals = refusals.refused(self._refusals, current.generation, now)
                due = self._refusals.next_ask
                if due > end or self._closed:
                    return
                if due > now:
                    if self.current is current:
                        self._news.wait(due - now)  # a change ends it
                    continue
                self._refusals = refusals.asked(self._refusals, now)
            self._read_now()

    # ---------------------------------------------------------------- reads

    def _read_now(self) -> Snapshot:
        """Read the environment, or wait for the thread that does, and return the current one.

        Raises:
            EnvkitError: the first read failed.
            RuntimeError: this thread is in the first read: a signal handler or a source calls.
        """
        while True:
            mine = _Flight()
            try:
                with self._gate:
                    flight = self._flight = self._flight or mine
                if flight is mine:
                    self._fly(flight)
            finally:  # a signal handler may have raised something
                with self._gate:
                    if self._flight is mine:
                        self._flight = None
                    mine.ended = True
                    self._news.notify_all()
            if flight is mine:
                self._log(flight.notices)  # only now: what handles a log may read values
            elif flight.thread != mine.thread:
                with self._gate:
                    self._news.wait_for(lambda: flight.ended)  # noqa: B023
            elif self.current is None:
                raise RuntimeError(
                    "a signal handler or a source used a live environment during its first read: "
                    "call live.snapshot() when the program starts"
                )
            if self.current is not None:
                return self.current
            if flight.error is not None:
                raise flight.error.with_traceback(None) from flight.error.__cause__

    def _fly(self, flight: _Flight) -> None:
        """Read the environment; note on the flight how that failed."""
        before, looking = self.current, self._looking
        if before is None or looking is None:
            try:
                read = self.reader.first()
            except Exception as error:  # noqa: BLE001 - raised by `_read_now`
                flight.error = error
                return
            with self._gate:
                self._looking = Looking(read.watched)
                self._looking.leased(self.reader.logins.leased())
                self.current = first(read.environment, monotonic())
            return
        with self._gate:
            looking.begin_read()
        try:
            read = self.reader.again()
            after = following(before, read.environment, monotonic())
            changed = after.generation != before.generation
            if changed:
                read.record(new_names(after))
        except Exception as bug:  # noqa: BLE001 - logged by `_read_now`
            with self._gate:
                flight.notices = looking.refuse_read(*_refusal(bug))
            return
        except BaseException:  # a signal handler raised it: the next access reads
            with self._gate:
                looking.abandon_read()
            raise
        with self._gate:
            looking.leased(self.reader.logins.leased())
            flight.notices = looking.end_read(read.watched, changed=changed)
            self.current = after

    # ---------------------------------------------------------------- looks

    def _work(self, looking: Looking, *, slow: bool) -> None:
        """Look and read as long as something is due.

        Unless `slow`, what waits for a network is left to a thread, which is started.
        """
        while not self._closed:
            with self._gate:
                names = looking.take(slow=slow)
                if names is None:
                    is_due = looking.next_at <= monotonic()
                    if is_due and not slow and not self._refreshing:
                        self._refreshing = _start(self._refresh) is not None
                    return
            if isinstance(names, Renew):
                self._renew(looking, names.sources)
            elif names is READ:
                self._read_now()
            else:
                self._look(looking, names)

    def _look(self, looking: Looking, names: frozenset[str]) -> None:
        watched, left = looking.watched, set(names)
        try:
            for name, found in _look_at_all(watched, names, self.reader.logins):
                left.discard(name)
                with self._gate:
                    notices = looking.looked(name, found.tokens, found.error)
                    self._news.notify_all()
                self._log(notices)
        finally:  # a signal handler may have raised something
            if left:
                with self._gate:
                    looking.abandon_looks(left)

    def _renew(self, looking: Looking, names: frozenset[str]) -> None:
        watched, logins = looking.watched, self.reader.logins
        sources = [watched.sources[name] for name in sorted(names)]
        try:
            for one, done in _in_parallel(logins.renew, sources, watched.deadline):
                with self._gate:
                    # what was read meanwhile has taken over what was known before
                    if done and looking.watched is watched:
                        logins.store(one.name, one.source)
                        looking.leased(
                            found for found in logins.leased() if found.source == one.name
                        )
        finally:
            with self._gate:
                looking.end_renewal(names)

    def _log(self, notices: Sequence[Notice]) -> None:
        if not self._closed:
            outage.log(self.reader.name, notices, self.age_seconds)

    # ---------------------------------------------------------------- threads

    def _refresh(self) -> None:
        try:
            if self._looking is not None:
                self._work(self._looking, slow=True)
        finally:
            self._refreshing = False

    def start_following(self) -> None:
        """Start the thread that looks for changes and calls the callbacks, unless it runs."""
        with self._gate:
            if self._follower is None and not self._closed:
                self._follower = _start(self._follow)

    def _follow(self) -> None:
        calls_at = 0.0
        while True:
            looking, current = self._looking, self.current
            with self._gate:
                is_needed = self.callbacks or self.reader.logins.have_leases
                if self._closed or not is_needed or looking is None or current is None:
                    self._follower = None
                    return
            self._work(looking, slow=True)
            current = self.current or current
            if self.callbacks.are_due(current.generations) and monotonic() >= calls_at:
                calls_at = monotonic() + CALLBACK_SECONDS
                self.callbacks.call(current.environment, current.generations)
            with self._gate:
                if self._closed or (self.current is not current and monotonic() >= calls_at):
                    continue
                is_due = self.callbacks.are_due((self.current or current).generations)
                wake_at = min(looking.next_at, calls_at) if is_due else looking.next_at
                seconds = min(wake_at - monotonic(), LONGEST_WAIT_SECONDS)
                self._news.wait(max(0.0, seconds))


class _Flight:
    """One read, for which other threads may wait.

    Attributes:
        ended: whether it is over.
        error: why the first read failed.
        notices: the messages to log about a later one.
        thread: which one reads.
    """

    __slots__ = ("ended", "error", "notices", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.ended = False
        self.error: Exception | None = None
        self.notices: Sequence[Notice] = ()


def _look_at_all(
    watched: Watched, names: frozenset[str], logins: Logins
) -> Iterator[tuple[str, Look]]:
    """Look at files and sources, and at those behind a network all at once."""
    for name in sorted(names & watched.quick):
        is_files = name == PROFILES
        yield name, look_at_files(watched.files) if is_files else look(watched.sources[name])
    others = sorted(names - watched.quick)
    if not others:
        return

    def look_at(one: WatchedSource) -> Look:
        found = look(one)
        logins.store_looked(one.name, one.source)
        return found

    deadline = watched.deadline
    late = Look({}, UnavailableError(f"no answer within {deadline.timeout_seconds:g} s"))
    for one, found in _in_parallel(look_at, [watched.sources[n] for n in others], deadline):
        yield one.name, late if found is None else found


def _in_parallel(
    function: Callable[[WatchedSource], T], sources: Sequence[WatchedSource], deadline: Deadline
) -> Iterator[tuple[WatchedSource, T | None]]:
    """Return what a function returns for each source; None for those that are late."""
    from envkit._internal.parallel import map_parallel

    deadline.restart()
    try:
        results = map_parallel(function, sources, workers=len(sources), deadline=deadline)
    except RuntimeError:  # the interpreter is about to end, and starts no thread any more
        return
    for one, result in zip(sources, results, strict=True):
        yield one, None if result.late else result.value


def _refusal(bug: Exception) -> tuple[Problem, EnvkitError]:
    """Return what a failed read means; the text of a bug may show a value."""
    if not isinstance(bug, EnvkitError):
        return Problem.FAILED, EnvkitError(f"internal error: {type(bug).__name__}")
    return Problem.FAILED if isinstance(bug, AuditError) else problem_of(bug), bug


def _start(function: Callable[[], None]) -> threading.Thread | None:
    """Start a thread; return None if the interpreter is about to end, which allows none."""
    thread = threading.Thread(target=function, name=THREAD_NAME, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
