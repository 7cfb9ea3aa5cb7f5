"""What the children of a watcher do: look at sources, or read the environment.

What they send is plain data. An error is sent as it is, so that a person sees what `exec` would
say.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit.audit.log import versions_of
from envkit.errors import (
    DotenvError,
    EnvkitError,
    InvalidSettingError,
    LinkRefusedError,
    ResolutionError,
    SourceError,
    UntrustedError,
)
from envkit.launch.exec import check_limits, parent_environment
from envkit.launch.overlay import overlay
from envkit.resident.logins import for_each, hold_leases, resume_login, send_login
from envkit.resident.noticing import look, watched_sources
from envkit.resident.state import Problem
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import KEEP, USE, resolve_prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.launch.overlay import FileContent
    from envkit.resident.forked import Send
    from envkit.resident.noticing import WatchedSource
    from envkit.resident.request import WatchRequest
    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile

    Logins: TypeAlias = Mapping[str, Mapping[str, object]]

LOOKED, READ, REFUSED = "looked", "read", "refused"
ATTEMPTS = 3  # to read files that another program is writing
# errors of sources that only a person can fix, and that are no outage
_OF_PEOPLE = (DotenvError, InvalidSettingError, LinkRefusedError, UntrustedError)


def prepare_request(request: WatchRequest, deadline: Deadline, owner: int) -> list[PreparedProfile]:
    """Load the profiles of a request and open their sources.

    Args:
        request: which profiles.
        deadline: nothing waits longer.
        owner: the id of the process that renews and revokes what is read.

    Raises:
        EnvkitError: as `prepare`.
    """
    prepared = prepare(
        request.environments,
        profiles=request.profiles,
        only=request.only,
        exclude=request.exclude,
        overrides=request.overrides,
        environ=os.environ,
        deadline=deadline,
    )
    hold_leases(prepared, owner)
    return prepared


def look_at(
    watched: Sequence[WatchedSource],
    deadline: Deadline,
    logins: Logins,
    beside: Iterable[WatchedSource] = (),
) -> Callable[[Send], None]:
    """Return the work of a child that looks at sources, all at once; it sends each as it is done.

    Args:
        watched: the sources.
        deadline: theirs, which begins anew.
        logins: by the names of sources, from children before.
        beside: other sources, whose leases those of `watched` may use.
    """

    def look_at_one(source: WatchedSource, send: Send) -> None:
        found = look(source)
        send_login(source, send)
        error = None if found.error is None else pickled(found.error)
        send((LOOKED, source.name, dict(found.tokens), error))

    return for_each(look_at_one, watched, deadline, logins, beside=beside)


def read_first(
    prepared: Sequence[PreparedProfile], request: WatchRequest, deadline: Deadline
) -> Callable[[Send], None]:
    """Return the work of the child that reads the environment for the first time."""

    def work(send: Send) -> None:
        _read(lambda: prepared, request, deadline, {}, send, saved=USE)

    return work


def read_again(request: WatchRequest, logins: Logins) -> Callable[[Send], None]:
    """Return the work of a child that loads the profiles anew, and reads the environment."""
    owner = os.getpid()

    def work(send: Send) -> None:
        deadline = Deadline(request.timeout_seconds)

        def prepared() -> Sequence[PreparedProfile]:
            found = prepare_request(request, deadline, owner)
            if request.approve is not None:
                request.approve(found)
            return found

        _read(prepared, request, deadline, logins, send, command=request.command)

    return work


def _read(
    prepare_: Callable[[], Sequence[PreparedProfile]],
    request: WatchRequest,
    deadline: Deadline,
    logins: Logins,
    send: Send,
    *,
    command: Sequence[str] = (),
    saved: str = KEEP,
) -> None:
    watched: Sequence[WatchedSource] = ()
    try:
        prepared = prepare_()
        watched = list(watched_sources(prepared).values())
        for source in watched:
            resume_login(source, logins)
        environment = _steady(prepared, watched, deadline, saved)
        files: dict[bytes, FileContent] = {}
        environ = overlay(environment, parent_environment(), pristine=request.pristine, files=files)
        if command:
            check_limits([os.fsencode(word) for word in command], environ)
        plain = {name: tuple(content) for name, content in files.items()}
        versions = versions_of(environment.variables())
        age = environment.stale_seconds
        send((READ, environ, tuple(environment), versions, plain, age))
    except EnvkitError as error:
        send((REFUSED, str(problem_of(error)), pickled(error)))
    except Exception as bug:  # noqa: BLE001 - its message might quote a value
        send((REFUSED, str(Problem.FAILED), pickled(_internal_error(bug))))
    for source in watched:
        send_login(source, send)


def _steady(
    prepared: Sequence[PreparedProfile],
    watched: Sequence[WatchedSource],
    deadline: Deadline,
    saved: str,
) -> Environment:
    """Resolve the environment, and once more if a file was written meanwhile.

    Another program may have written only a part of it when it was read.
    """
    quick = [one for one in watched if one.is_quick]
    before = [look(one).tokens for one in quick]
    environment: Environment | None = None
    for _ in range(ATTEMPTS):
        error: EnvkitError | None = None
        try:
            environment = resolve_prepared(prepared, deadline, saved=saved)
        except EnvkitError as raised:
            error = raised
        after = [look(one).tokens for one in quick]
        if after == before:
            break
        before = after
    if error is not None:
        raise error
    assert environment is not None  # noqa: S101 - it was resolved, or there is an error
    return environment


def problem_of(error: EnvkitError) -> Problem:
    """Return whether a store failed, or what the stores and profiles say is not valid."""
    errors = (
        [one.error for one in error.failures] if isinstance(error, ResolutionError) else [error]
    )
    outage = any(isinstance(one, SourceError) and not isinstance(one, _OF_PEOPLE) for one in errors)
    return Problem.FAILED if outage else Problem.INVALID


def _internal_error(bug: Exception) -> EnvkitError:
    import traceback

    frame = traceback.extract_tb(bug.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return EnvkitError(f"internal error: {type(bug).__name__} at {place}")


def pickled(error: EnvkitError) -> bytes:
    """Return an error for `unpickled` in another process; of a plug-in's, at least the message."""
    import pickle

    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - what a plug-in made of it
        return pickle.dumps(SourceError(error.message, hint=error.hint))
    return data


def unpickled(data: bytes) -> EnvkitError:
    """Return the error that a child has sent."""
    import pickle

    error = pickle.loads(data)  # noqa: S301 - our own child's
    assert isinstance(error, EnvkitError)  # noqa: S101
    return error
