"""Search for orphaned rotations every hour while a scheduler runs, for its metrics.

    listeners = [metrics, OrphanSearch(metrics.orphaned, environ=os.environ)]

The search is a listener of the scheduler, and reads the stores in its own thread. If a place
cannot be searched, the number of the last search remains.
"""

from __future__ import annotations

import threading
import time

from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.rotation.orphans import find_orphans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.rotation.catalog import Collected, Rotation, Survey
    from envkit.rotation.outcome import Outcome

EVERY_SECONDS = 3600.0
SEARCH_SECONDS = 60.0


class OrphanSearch:
    """Searches for orphaned rotations; see the module's docstring.

    Args:
        found: called with the number of orphans, from another thread.
        environ: the process environment.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        found: Callable[[int], None],
        *,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._found = found
        self._environ = environ
        self._clock = clock
        self._survey: Survey | None = None
        self._next_at = 0.0
        self._thread: threading.Thread | None = None

    def loaded(self, collected: Collected) -> None:
        """Search soon, if all profiles were read: otherwise the others' rotations look orphaned."""
        self._survey, self._next_at = collected.survey, 0.0

    def ticked(self) -> None:
        """Search, unless a search is running or less than an hour old."""
        survey = self._survey
        busy = self._thread is not None and self._thread.is_alive()
        if survey is None or busy or self._clock() < self._next_at:
            return
        self._next_at = self._clock() + EVERY_SECONDS
        self._thread = threading.Thread(target=self._look, args=(survey,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until a running search has ended."""
        if self._thread is not None:
            self._thread.join(SEARCH_SECONDS)

    def error_occurred(self, error: EnvkitError) -> None:
        """Nothing."""

    def began(self, rotation: Rotation) -> None:
        """Nothing."""

    def ended(self, rotation: Rotation, outcome: Outcome, seconds: float) -> None:
        """Nothing."""

    def _look(self, survey: Survey) -> None:
        try:
            found = find_orphans(survey, environ=self._environ, deadline=Deadline(SEARCH_SECONDS))
        except Exception:  # noqa: BLE001 - most likely from a driver; the last number remains
            return
        self._found(len(found.orphans))
