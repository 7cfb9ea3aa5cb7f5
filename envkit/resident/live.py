"""A live environment for Python programs: the next connection uses the current login.

    live = envkit.live("prod")
    live["DATABASE_URL"]                  # Secret, current
    live.on_change("JWT_KEYS", reload)

What always holds: an environment that is not valid, or that a store failed to give, never
replaces the last valid one; all values of a snapshot come from one read; only the first read
raises.
"""

from __future__ import annotations

from envkit.resident.in_process import forks
from envkit.resident.in_process.engine import Engine
from envkit.resident.in_process.reading import Reader
from envkit.resident.in_process.snapshot import Snapshot
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envkit.secret import Secret
    from envkit.sources.protocols import Source

__all__ = ["Live", "Snapshot", "live"]


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
        reader = Reader(
            environments,
            profiles=profiles,
            only=only,
            exclude=exclude,
            timeout_seconds=timeout_seconds,
            sources=sources,
            reason=reason,
        )
        self._engine = Engine(reader)
        forks.register(self._engine)

    # -------- reading values

    def __getitem__(self, name: str) -> Secret:
        return self._engine.snapshot().environment[name]

    def __contains__(self, name: object) -> bool:
        return name in self._engine.snapshot().environment

    __iter__ = None  # two values of one iteration could come from two reads: use `snapshot`

    def __repr__(self) -> str:
        name, current = self._engine.reader.name, self._engine.current
        if current is None:
            return f"Live({name!r}, not read yet)"
        count = len(current.environment)
        return f"Live({name!r}, {count} variables, generation {current.generation})"

    def snapshot(self) -> Snapshot:
        """Return the current environment; use it for values that belong together.

        Its `environment` also has typed values: `live.snapshot().environment.int("WORKERS")`.

        Raises:
            EnvkitError: it cannot be read, and there is none from before.
        """
        return self._engine.snapshot()

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
        current = self._engine.snapshot()
        current.environment.refuse_unknown(name)
        return current.generations.get(name, 0)

    @property
    def is_loaded(self) -> bool:
        """Whether the environment has been read, so that an access waits for no network."""
        return self._engine.current is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the values were last known to be those of the stores; 0 before a read."""
        return self._engine.age_seconds

    # -------- changes

    def newer(self, refused: Snapshot, names: Sequence[str]) -> Iterator[Snapshot]:
        """Ask the stores at once for a newer value of `names`, for up to a second.

        Args:
            refused: the snapshot whose login was refused.
            names: the variables that the login consists of.

        Yields:
            a snapshot in which at least one of `names` has another value; if you ask for the
            next one, because that login was refused too, the same again. It ends after a second.
        """
        return self._engine.newer(refused, tuple(names))

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
        if not callable(callback):
            raise TypeError(f"a callback is a function, not a {type(callback).__name__}")
        remove = self._engine.callbacks.add(name, callback, self.generation(name))
        self._engine.start_following()
        return remove

    def close(self) -> None:
        """Ask no store any more, and end the thread. The last values can still be read."""
        self._engine.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


live = Live
