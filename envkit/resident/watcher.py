"""Notice when an environment changes, without blocking the event loop that asks.

    watcher = Watcher(WatchRequest(["prod"]))
    access.begin(watcher.prepare())               # may ask a person; no store is read
    app = start(watcher.first().environ)          # blocks, and raises what `exec` would
    while ...:
        wait_readable([*watcher.filenos(), ...], watcher.next_time())
        for event in watcher.step(monotonic()):
            ...                                   # Changed, Warned, Recovered

Guarantees: an environment that is not valid, or that a store failed to give, is never
announced; stores other than files are asked only in short-lived child processes, so clients are
never loaded in this one; values are only in memory and in an anonymous pipe.
"""

from __future__ import annotations

import os
from time import monotonic

from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError, UnavailableError
from envkit.launch.overlay import FileContent
from envkit.resident import asking
from envkit.resident.decide import Announce, Look, Read, Renew, Wait, after, decide, watching
from envkit.resident.forked import JobState, all_parts, start_job
from envkit.resident.holding import HoldingFile
from envkit.resident.logins import LOGIN, WARNING, Logins, has_leases
from envkit.resident.noticing import PROFILES, look, look_at_files, polls, watched_sources
from envkit.resident.request import Changed, Recovered, Warned, WatchRequest, event_of
from envkit.resident.state import (
    Announced,
    LookBegun,
    Looked,
    Poked,
    Prepared,
    Problem,
    ReadBegun,
    ReadRefused,
    ReadValid,
    RenewBegun,
    RenewEnded,
    Settings,
    State,
)
from envkit.sources.poke import last_poke
from envkit.sources.registry import never_ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from envkit.resident import state as states
    from envkit.resident.forked import Job
    from envkit.resident.noticing import WatchedSource
    from envkit.resident.request import Event
    from envkit.resolution.prepare import PreparedProfile

__all__ = ["Changed", "Recovered", "Warned", "WatchRequest", "Watcher"]


class Watcher:
    """Watches one environment; see the module's docstring.

    All methods are called from the main thread of one process.
    """

    def __init__(self, request: WatchRequest) -> None:
        self._request = request
        self._pid = os.getpid()
        self._deadline = Deadline(request.timeout_seconds)
        self._prepared: Sequence[PreparedProfile] = ()
        self._watched: Mapping[str, WatchedSource] = {}
        self._settings = Settings({})
        self._state = State({}, {}, announced_at=0.0)
        self._logins = Logins()
        self._poke: object = None  # the last that was seen
        self._file = HoldingFile()
        self._looks: dict[Job, set[str]] = {}  # and the sources that each has not sent yet
        self._renewals: dict[Job, frozenset[str]] = {}
        self._reading: Job | None = None
        self._answer: tuple[Any, ...] | None = None  # what the reading child has sent
        self._current = Changed({}, (), {})  # with all names
        self._next: Changed | None = None  # valid, and not announced yet
        self._until = float("inf")
        self._closed = False

    @property
    def deadline(self) -> Deadline:
        """The deadline of the first read, which waits while a person is asked."""
        return self._deadline

    def prepare(self) -> Sequence[PreparedProfile]:
        """Load the profiles and open their sources, as `exec` does; read no store.

        It may ask a person for trust. It is called once, before `first`.

        Raises:
            EnvkitError: as `resolution.prepare.prepare`.
        """
        self._deadline = Deadline(self._request.timeout_seconds)
        self._take_over(asking.prepare_request(self._request, self._deadline, os.getpid()))
        return self._prepared

    def first(self) -> Changed:
        """Read the environment for the first time; blocks, for at most the timeout.

        Until it returns, signals have the effect that they have for `exec`. Afterwards envkit
        asks a person nothing more: the terminal is the app's.

        Raises:
            EnvkitError: what `exec` would raise.
        """
        try:
            return self._first()
        except BaseException:
            self.close()
            raise

    def _first(self) -> Changed:
        never_ask()
        self._poke = last_poke()
        quick = [PROFILES, *(name for name, one in self._watched.items() if one.is_quick)]
        base = {name: self._look_here(name).tokens for name in quick}
        work = asking.read_first(self._prepared, self._request, self._deadline)
        if all(one.is_quick for one in self._watched.values()):
            work(self._keep_first)  # it loads no client of a store
            found = self._found()
        else:
            job = start_job(work, self._deadline.remaining_seconds(), attached=True)
            for part in all_parts(job):
                self._keep_first(part)
            found = self._found(job)
        if isinstance(found, ReadRefused):
            raise found.error
        now = monotonic()
        self._current = found
        self._file.hold(found.names, found.versions, found.names)
        self._state = watching(self._settings, base, now)
        for name in self._logins.states:
            self._after(self._logins.leased(name), now, [])
        self._until = now
        return found

    def filenos(self) -> list[int]:
        """Return the file descriptors to wait on until they are readable; changes with `step`."""
        return [job.fileno() for job in self._jobs()]

    def children(self) -> frozenset[int]:
        """Return the ids of the child processes that the watcher waits for itself."""
        return frozenset(job.pid for job in self._jobs())

    def next_time(self) -> float:
        """Return when `step` must be called even if nothing is readable, on `monotonic`."""
        return min([self._until, *(job.late_at for job in self._jobs())])

    def step(self, now: float) -> list[Event]:
        """Do the next actions without blocking, and return the events.

        Args:
            now: from `monotonic`.
        """
        events: list[Event] = []
        if self._closed:
            return events
        self._receive(now, events)
        while True:
            action = decide(self._state, self._settings, now)
            match action:
                case Look():
                    self._look(action.sources, now, events)
                case Renew():
                    self._renew(action.sources, now, events)
                case Read():
                    self._after(ReadBegun(), now, events)
                    self._read(now, events)
                case Announce():
                    self._after(Announced(), now, events)
                    events.append(self._announced())
                case Wait():
                    self._file.write(self._state, self._watched, now)
                    self._until = action.until
                    return events

    def poke(self) -> None:
        """Look at every store in the next `step`: another process says that it wrote to one."""
        now = monotonic()
        self._after(Poked(), now, [])
        self._until = now

    def close(self) -> None:
        """End the child processes, and revoke what was leased; that takes a few seconds at most.

        It may be called at any time, and more than once.
        """
        self._closed, self._until = True, float("inf")
        for job in self._jobs():
            job.close()
        self._file.remove()
        self._looks.clear()
        self._renewals.clear()
        self._reading = None
        if os.getpid() == self._pid:
            self._logins.release(self._deadline)

    def _receive(self, now: float, events: list[Event]) -> None:
        for job in list(self._looks):
            self._receive_looks(job, now, events)
        if self._reading is not None:
            self._receive_read(self._reading, now, events)
        for job in list(self._renewals):
            self._receive_renewals(job, now, events)

    # ---------------------------------------------------------------- looks

    def _look(self, names: frozenset[str], now: float, events: list[Event]) -> None:
        quick = {name for name in names if name == PROFILES or self._watched[name].is_quick}
        # files are looked at together; the looks of many machines at a server drift apart
        spread = {name: 0.0 if name in quick else _spread() for name in names}
        self._after(LookBegun(spread), now, events)
        if PROFILES in names and (poke := last_poke()) != self._poke:
            self._poke = poke
            self._after(Poked(), now, events)
        for name in sorted(quick):
            self._after(self._look_here(name), now, events)
        asked = [self._watched[name] for name in sorted(names - quick)]
        if asked:
            others = [self._watched[name] for name in self._watched.keys() - names]
            work = asking.look_at(asked, self._deadline, self._logins.states, others)
            try:
                job = start_job(work, self._request.timeout_seconds)
            except UnavailableError as error:
                for one in asked:
                    self._after(Looked(one.name, {}, error, _spread()), now, events)
            else:
                self._looks[job] = {one.name for one in asked}

    def _look_here(self, name: str) -> Looked:
        if name == PROFILES:
            paths = [path for one in self._prepared for path in one.profile.files]
            return Looked(name, look_at_files(paths).tokens)
        found = look(self._watched[name])
        return Looked(name, found.tokens, found.error, _spread())

    def _receive_looks(self, job: Job, now: float, events: list[Event]) -> None:
        waiting = self._looks[job]
        for part in job.receive():
            if part[0] != asking.LOOKED:
                self._keep_looked(part, now, events)
                continue
            _, name, tokens, error = part
            waiting.discard(name)
            raised = None if error is None else asking.unpickled(error)
            self._after(Looked(name, tokens, raised, _spread()), now, events)
        if job.state is not JobState.RUNNING:
            del self._looks[job]
            for name in sorted(waiting):
                self._after(Looked(name, {}, self._ended(job), _spread()), now, events)

    # ---------------------------------------------------------------- reads

    def _read(self, now: float, events: list[Event]) -> None:
        self._answer = None
        work = asking.read_again(self._request, self._logins.states)
        try:
            self._reading = start_job(work, self._request.timeout_seconds)
        except UnavailableError as error:
            self._after(ReadRefused(Problem.FAILED, error, _spread()), now, events)

    def _receive_read(self, job: Job, now: float, events: list[Event]) -> None:
        for part in job.receive():
            self._keep(part, now, events)
        if job.state is JobState.RUNNING:
            return
        self._reading = None
        found = self._found(job)
        if isinstance(found, ReadRefused):
            self._after(found, now, events)
            return
        changed = not found.is_same(self._current)
        self._next = found if changed else None
        self._after(ReadValid(changed=changed), now, events)
        self._prepare_again(now, events)

    def _keep_first(self, part: tuple[Any, ...]) -> None:
        self._keep(part, monotonic(), [])

    def _keep(self, part: tuple[Any, ...], now: float, events: list[Event]) -> None:
        """Take over what a read or a renewal has sent."""
        if part[0] == LOGIN:
            self._logins.store(*part[1:])
            self._after(self._logins.leased(part[1]), now, events)
        elif part[0] == WARNING:
            events.append(Warned(part[1], (part[2],)))
        else:
            self._answer = part

    def _keep_looked(self, part: tuple[Any, ...], now: float, events: list[Event]) -> None:
        """Take over a login that a look has sent, unless it may know less than the last read."""
        renewing = any(part[1] in names for names in self._renewals.values())
        if not renewing and not has_leases(self._logins.states.get(part[1], {})):
            self._keep(part, now, events)

    # ---------------------------------------------------------------- renewals

    def _renew(self, names: frozenset[str], now: float, events: list[Event]) -> None:
        self._after(RenewBegun(names), now, events)
        try:
            job = self._logins.renew(names, self._deadline)
        except UnavailableError:
            for name in sorted(names):
                self._after(RenewEnded(name, _spread()), now, events)
        else:
            self._renewals[job] = names

    def _receive_renewals(self, job: Job, now: float, events: list[Event]) -> None:
        for part in job.receive():
            self._keep(part, now, events)
        if job.state is not JobState.RUNNING:
            for name in sorted(self._renewals.pop(job)):
                self._after(RenewEnded(name, _spread()), now, events)

    def _found(self, job: Job | None = None) -> Changed | ReadRefused:
        """Return what a read says of the environment: that of a child which has ended, or ours."""
        answer, self._answer = self._answer, None
        if answer is None or (job is not None and job.state is not JobState.DONE):
            return ReadRefused(Problem.FAILED, self._ended(job), _spread())
        if answer[0] == asking.REFUSED:
            return ReadRefused(Problem(answer[1]), asking.unpickled(answer[2]), _spread())
        _, environ, names, versions, files, stale_seconds = answer
        contents = {name: FileContent(*content) for name, content in files.items()}
        return Changed(environ, names, versions, contents, stale_seconds)

    def _ended(self, job: Job | None) -> EnvkitError:
        if job is not None and job.state is JobState.CRASHED:
            return EnvkitError("internal error: the process that asks the stores has crashed")
        return UnavailableError(
            f"no answer within {self._request.timeout_seconds:g} s",
            hint="check the store's address, or set a longer --timeout",
        )

    def _announced(self) -> Changed:
        before, after_ = self._current, self._next
        assert after_ is not None  # noqa: S101 - there is one where `decide` says so
        self._current, self._next = after_, None
        names = [
            name
            for name in dict.fromkeys((*after_.names, *before.names))
            if before.value(name) != after_.value(name)
        ]
        self._file.hold(after_.names, after_.versions, names)
        return after_._replace(names=tuple(names))

    # ---------------------------------------------------------------- profiles

    def _prepare_again(self, now: float, events: list[Event]) -> None:
        """Follow the profiles and settings with which the environment was just read."""
        deadline = Deadline(self._request.timeout_seconds)
        try:
            prepared = asking.prepare_request(self._request, deadline, os.getpid())
        except EnvkitError:
            return  # they have changed again, which is seen at the next look
        self._deadline = deadline
        self._take_over(prepared)
        self._after(Prepared(), now, events)

    def _take_over(self, prepared: Sequence[PreparedProfile]) -> None:
        self._prepared = prepared
        self._watched = watched_sources(prepared)
        self._logins.watch(self._watched)
        self._settings = Settings(
            polls(self._watched),
            self._request.debounce_seconds,
            self._request.min_interval_seconds,
        )

    # ---------------------------------------------------------------- both

    def _jobs(self) -> list[Job]:
        reading = [] if self._reading is None else [self._reading]
        return [*self._looks, *self._renewals, *reading]

    def _after(self, event: states.Event, now: float, events: list[Event]) -> None:
        self._file.note(event)
        self._state, notices = after(self._state, self._settings, event, now)
        events += map(event_of, notices)


def _spread() -> float:
    """Return a random number from -1 to 1, without the memory that `random` takes."""
    return int.from_bytes(os.urandom(4)) / 2**31 - 1
