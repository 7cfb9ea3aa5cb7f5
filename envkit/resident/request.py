"""What a watcher is asked to watch, and what it reports."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.launch.overlay import STALE
from envkit.resident.state import DEBOUNCE_SECONDS, MIN_INTERVAL_SECONDS, Began, Problem
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.launch.overlay import FileContent
    from envkit.resident import state as states
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
        command: the app and its arguments: an environment that the kernel would not pass to it
            is not announced.
        approve: called with the prepared profiles before each read but the first, in the child
            that reads; raises an `EnvkitError` if the app must not get their variables. It
            cannot ask a person.
    """

    environments: Sequence[str] = ()
    profiles: str | None = None
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    overrides: Mapping[str, str] | None = None
    pristine: bool = False
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    debounce_seconds: float = DEBOUNCE_SECONDS
    min_interval_seconds: float = MIN_INTERVAL_SECONDS
    command: Sequence[str] = ()
    approve: Callable[[Sequence[PreparedProfile]], None] | None = None


class Changed(NamedTuple):
    """A new environment, complete and valid.

    Attributes:
        environ: all variables for the app, as `overlay` returns them.
        names: the profile's variables whose value is new, and those that are gone; for the
            first environment all of them.
        versions: per variable the versions of the secrets that it was made from, for audit.
        files: the variables with `as = "file"`, which are not in `environ`.
        stale_seconds: the age of the values, if a store is unavailable and values that were
            saved before were used; only for the first environment.
    """

    environ: dict[bytes, bytes]
    names: tuple[str, ...]
    versions: dict[str, list[str]]
    files: Mapping[bytes, FileContent] = {}
    stale_seconds: float | None = None

    def is_same(self, other: Changed) -> bool:
        """Return whether an app gets the same values from both."""
        mine, theirs = ({**one.environ, STALE: b""} for one in (self, other))
        return mine == theirs and self.files == other.files

    def value(self, name: str) -> object:
        """Return what can be compared with the value in another environment."""
        found = self.files.get(name.encode())
        return self.environ.get(name.encode()) if found is None else found

    def __repr__(self) -> str:
        return f"Changed(names={self.names!r})"


class Warned(NamedTuple):
    """A store has begun to fail, or the environment is no longer valid; once per outage.

    Attributes:
        text: for people, without values.
        hints: what to do about it, in the imperative.
    """

    text: str
    hints: tuple[str, ...] = ()


class Recovered(NamedTuple):
    """What a `Warned` said is over.

    Attributes:
        text: for people, without values.
    """

    text: str


if TYPE_CHECKING:
    Event: TypeAlias = Changed | Warned | Recovered


def event_of(notice: states.Notice) -> Warned | Recovered:
    """Return what a person is told of a notice."""
    if isinstance(notice, Began):
        return Warned(_text(notice), tuple(notice.error.hints()))
    return Recovered(_text(notice))


def _text(notice: states.Notice) -> str:
    if notice.source is not None:
        profile, _, source = notice.source.partition("/")
        which = f"source '{source}' of {profile}"
        if isinstance(notice, Began):
            return f"cannot look for changes in {which}: {notice.error.message}"
        return f"{which} answers again"
    if notice.problem is Problem.INVALID:
        if isinstance(notice, Began):
            return f"the changed environment is not valid, and not used: {notice.error.message}"
        return "the environment is valid again"
    if isinstance(notice, Began):
        return f"cannot read the changed environment: {notice.error.message}"
    return "the environment can be read again"
