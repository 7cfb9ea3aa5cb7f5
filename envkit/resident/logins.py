"""The logins and leases that the children of a watcher pass on; a child renews them, too.

A source says what is due when (`LoginState`, `Leasing`), and `decide` says what is done. The app
is never stopped because something ends.
"""

from __future__ import annotations

from envkit.errors import EnvkitError, UnavailableError
from envkit.resident.forked import all_parts, start_job
from envkit.resident.state import FOREVER, Leased

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.resident.forked import Job, Send
    from envkit.resident.noticing import WatchedSource
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import LoginWarning

LOGIN, WARNING = "login", "warning"
RELEASE_SECONDS = 5.0  # at the end, for all stores together


class Logins:
    """What the sources of one watcher have for a limited time, by the names of the sources.

    Attributes:
        states: as `LoginState.login_state` returned them.
    """

    def __init__(self) -> None:
        self.states: dict[str, Mapping[str, Any]] = {}
        self._sources: dict[str, WatchedSource] = {}

    def watch(self, watched: Mapping[str, WatchedSource]) -> None:
        """Take over the sources; of those that are gone, only what must be revoked is kept."""
        self._sources.update(watched)
        for name in self.states.keys() - watched.keys():
            if not has_leases(self.states[name]):
                del self.states[name]

    def store(self, name: str, state: Mapping[str, Any]) -> None:
        """Replace what a source has."""
        self.states[name] = state

    def leased(self, name: str) -> Leased:
        """Return what `decide` must know of a source."""
        return leased(name, self.states[name])

    def renew(self, names: Iterable[str], deadline: Deadline) -> Job:
        """Start a child that renews what these sources have.

        Raises:
            UnavailableError: no process can be started.
        """
        asked = [self._sources[name] for name in sorted(names)]
        return start_job(renewal(asked, deadline, self.states), deadline.timeout_seconds)

    def release(self, deadline: Deadline) -> None:
        """Revoke all leases, and forget what the sources have; this takes a few seconds at most."""
        names = [name for name, state in self.states.items() if has_leases(state)]
        leasing = [self._sources[name] for name in names if name in self._sources]
        try:
            if leasing:
                list(all_parts(start_job(release(leasing, deadline, self.states), RELEASE_SECONDS)))
        except UnavailableError:
            return  # each ends by itself, or is revoked at the next start
        finally:
            self.states.clear()


def has_leases(state: Mapping[str, Any]) -> bool:
    """Return whether a source holds leases of dynamic secrets."""
    return "replace_at" in state


def leased(name: str, state: Mapping[str, Any]) -> Leased:
    """Return what `decide` must know of the state of a source."""
    return Leased(name, state.get("due_at", FOREVER), state.get("replace_at", FOREVER))


def hold_leases(prepared: Sequence[PreparedProfile], owner: int) -> None:
    """Let sources read dynamic secrets, for a process that renews and revokes them.

    Args:
        prepared: the profiles; sources of one store and login have their leases in common.
        owner: the id of the process.
    """
    first: dict[object, Any] = {}
    for one in prepared:
        for name, source in one.sources.items():
            hold = getattr(source, "hold_leases", None)
            if hold is not None:
                hold(owner, first.setdefault(one.store(name), source))


def release(
    watched: Sequence[WatchedSource],
    deadline: Deadline,
    states: Mapping[str, Mapping[str, object]],
) -> Callable[[Send], None]:
    """Return the work of a child that revokes all leases."""

    def one(source: WatchedSource, _: Send) -> None:
        leasing: Any = source.source
        try:
            leasing.release_leases()
        except EnvkitError:
            return  # each ends by itself

    return for_each(one, watched, deadline, states, RELEASE_SECONDS)


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
    at_most: float = FOREVER,
    beside: Iterable[WatchedSource] = (),
) -> Callable[[Send], None]:
    """Return the work of a child that does something with sources, all at once.

    Args:
        do: does it with one source, which has resumed its login, and sends the result.
        watched: the sources.
        deadline: of the sources; it restarts.
        states: the logins from earlier children, by the names of the sources.
        at_most: seconds, if that is less than the timeout of the deadline.
        beside: other sources, whose leases those of `watched` may use.
    """

    def work(send: Send) -> None:
        from envkit._internal.parallel import map_parallel

        for other in beside:
            resume_login(other, states)

        def one(source: WatchedSource) -> None:
            resume_login(source, states)
            do(source, send)

        deadline.restart(at_most)
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
