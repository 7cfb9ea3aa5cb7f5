"""What a watcher is asked to watch."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.resident.state import DEBOUNCE_SECONDS, MIN_INTERVAL_SECONDS
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
