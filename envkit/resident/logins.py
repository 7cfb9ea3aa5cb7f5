"""The logins that the children of a watcher pass on, and their renewal in a separate child.

A source says when its login is due (`LoginState`). A login that cannot be renewed because the
store fails is tried again after longer and longer pauses; the app is never stopped for it.
"""

from __future__ import annotations

from time import monotonic

from envkit._internal.clock import pause_seconds
from envkit.errors import EnvkitError, UnavailableError
from envkit.resident.forked import JobState, start_job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.resident.forked import Job, Send
    from envkit.resident.noticing import WatchedSource
    from envkit.sources.model import LoginWarning

LOGIN, WARNING = "login", "warning"
FIRST_RETRY_SECONDS = 5.0
LAST_RETRY_SECONDS = 300.0
NEVER = float("inf")


class Logins:
    """The logins of the sources of one watcher, by the names of the sources.

    Attributes:
        states: as `LoginState.login_state` returned them.
        job: the child that renews logins now, if there is one.
    """

    def __init__(self) -> None:
        self.states: dict[str, Mapping[str, object]] = {}
        self.job: Job | None = None
        self._failures: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}

    def store(self, name: str, state: Mapping[str, object]) -> None:
        """Replace the login of a source."""
        self.states[name] = state

    def next_time(self) -> float:
        """Return when the next login is due; infinite while a child renews some."""
        if self.job is not None:
            return NEVER
        return min(map(self._due_at, self.states), default=NEVER)

    def step(
        self, watched: Mapping[str, WatchedSource], deadline: Deadline
    ) -> list[tuple[str, str]]:
        """Renew every login that is due, and return warnings with their hints."""
        warnings = self._receive()
        now = monotonic()
        for name in self.states.keys() - watched.keys():
            del self.states[name]
        due = [watched[name] for name in self.states if self._due_at(name) <= now]
        if due and self.job is None:
            for one in due:  # until the child has reported
                self._failed(one.name, now)
            work = renewal(due, deadline, self.states)
            try:
                self.job = start_job(work, deadline.timeout_seconds)
            except UnavailableError:
                return warnings  # a look warns if no process can be started
        return warnings

    def close(self) -> None:
        """End the child, if there is one."""
        if self.job is not None:
            self.job.close()
            self.job = None

    def _receive(self) -> list[tuple[str, str]]:
        warnings: list[tuple[str, str]] = []
        if self.job is None:
            return warnings
        for part in self.job.receive():
            if part[0] == WARNING:
                warnings.append((part[1], part[2]))
            elif part[0] == LOGIN:
                _, name, state = part
                self.store(name, state)
                self._failures.pop(name, None)
                self._retry_at.pop(name, None)
        if self.job.state is not JobState.RUNNING:
            self.job = None
        return warnings

    def _due_at(self, name: str) -> float:
        due = self.states[name].get("due_at")
        return max(due if isinstance(due, float) else NEVER, self._retry_at.get(name, 0.0))

    def _failed(self, name: str, now: float) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        pause = pause_seconds(failures, first=FIRST_RETRY_SECONDS, last=LAST_RETRY_SECONDS)
        self._retry_at[name] = now + pause


def renewal(
    watched: Sequence[WatchedSource],
    deadline: Deadline,
    states: Mapping[str, Mapping[str, object]],
) -> Callable[[Send], None]:
    """Return the work of a child that renews logins, all at once."""

    def renew(source: WatchedSource, send: Send) -> None:
        login: Any = source.source  # a `LoginState`, since it has passed one on
        try:
            warning: LoginWarning | None = login.renew_login()
        except EnvkitError:
            return  # tried again later; a look warns if the store stays away
        if warning is not None:
            send((WARNING, warning.text, warning.hint))
        send_login(source, send)

    return for_each(renew, watched, deadline, states)


def for_each(
    do: Callable[[WatchedSource, Send], None],
    watched: Sequence[WatchedSource],
    deadline: Deadline,
    states: Mapping[str, Mapping[str, object]],
) -> Callable[[Send], None]:
    """Return the work of a child that does something with sources, all at once.

    Args:
        do: does it with one source, which has resumed its login, and sends the result.
        watched: the sources.
        deadline: of the sources; it restarts.
        states: the logins from earlier children, by the names of the sources.
    """

    def work(send: Send) -> None:
        from envkit._internal.parallel import map_parallel

        def one(source: WatchedSource) -> None:
            resume_login(source, states)
            do(source, send)

        deadline.restart()
        map_parallel(one, watched, workers=len(watched), deadline=deadline)

    return work


def resume_login(watched: WatchedSource, states: Mapping[str, Mapping[str, object]]) -> None:
    """Give a source the login of an earlier child, if it takes one."""
    state = states.get(watched.name)
    resume = getattr(watched.source, "resume_login", None)
    if state and resume is not None:
        resume(state)


def send_login(watched: WatchedSource, send: Send) -> None:
    """Send the login of a source to the parent, if it passes one on."""
    login = getattr(watched.source, "login_state", None)
    if login is None:
        return
    try:
        state = dict(login())
    except EnvkitError:
        return
    if state:
        send((LOGIN, watched.name, state))
