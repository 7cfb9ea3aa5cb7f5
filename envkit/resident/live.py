"""A live environment for Python programs: the next connection uses the current login.

    live = envkit.live("prod")
    live["DATABASE_URL"]                  # Secret, current

What always holds: an environment that is not valid, or that a store failed to give, never
replaces the last valid one; all values of a snapshot come from one read.
"""

from __future__ import annotations

import threading
from time import monotonic

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import EnvkitError
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envkit.resolution.environment import Environment
    from envkit.secret import Secret
    from envkit.sources.protocols import Source

RETRY_SECONDS = 1.0  # how long a refused login waits for a newer value
FIRST_PAUSE_SECONDS = 0.02


class Snapshot(NamedTuple):
    """An environment as it was read at one time.

    Attributes:
        environment: the variables.
        generation: 1 for the first; grows by one when a value changes.
        read_at: on the monotonic clock.
    """

    environment: Environment
    generation: int
    read_at: float


class Live:
    """An environment that stays current; see the module's docstring. Safe for threads.

    Args:
        environments: names or aliases of profiles.
        profiles: the folder of profiles.
        only: globs, or one; only variables that match one of them are included.
        exclude: globs, or one; variables that match one of them are excluded.
        timeout_seconds: for all stores together, each time they are read.
        sources: used in place of the profile's sources of these names.
    """

    def __init__(
        self,
        *environments: str,
        profiles: str | None = None,
        only: Sequence[str] = (),
        exclude: Sequence[str] = (),
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        self._read: Callable[[], Environment] = lambda: resolve(
            *environments,
            profiles=profiles,
            only=only,
            exclude=exclude,
            timeout_seconds=timeout_seconds,
            sources=sources,
        )
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def __getitem__(self, name: str) -> Secret:
        return self.snapshot().environment[name]

    def __repr__(self) -> str:
        return "Live()"

    def snapshot(self) -> Snapshot:
        """Return the current environment, which is read at the first call.

        Raises:
            EnvkitError: it cannot be read, and there is none from before.
        """
        return self._snapshot or self._refresh(None)

    def text(self, name: str) -> Callable[[], str]:
        """Return a function without arguments that returns the current text of a variable."""
        return lambda: self[name].reveal()

    def newer(self, refused: Snapshot, names: Sequence[str]) -> Iterator[Snapshot]:
        """Ask the stores at once for a newer value of `names`, for up to a second.

        Args:
            refused: the snapshot whose login was refused.
            names: the variables that the login consists of.

        Yields:
            at most one snapshot, in which at least one of `names` has another value; nothing
            if the stores still have the refused ones after a second.
        """
        end, pause = monotonic() + RETRY_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            current = self._refresh(refused)
            if any(current.environment[n] != refused.environment[n] for n in names):
                yield current
                return
            if monotonic() + pause > end:
                return
            threading.Event().wait(pause)
            pause *= 2

    def _refresh(self, seen: Snapshot | None) -> Snapshot:
        with self._lock:
            current = self._snapshot
            if current is not None and current is not seen and seen is not None:
                return current  # another thread has read it meanwhile
            try:
                environment = self._read()
            except EnvkitError:
                if current is None:
                    raise
                return current
            if current is not None and dict(current.environment) == dict(environment):
                self._snapshot = current._replace(read_at=monotonic())
            else:
                generation = 1 if current is None else current.generation + 1
                self._snapshot = Snapshot(environment, generation, monotonic())
            return self._snapshot
