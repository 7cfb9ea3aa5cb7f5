"""Look for orphaned rotations every hour while a scheduler runs, for its metrics.

    listeners = [metrics, OrphanSearch(metrics.orphaned, environ=os.environ)]

It is a listener of the scheduler, and asks the stores in a thread of its own. What cannot be
looked at leaves what was found before.
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
    """See the module's docstring.

    Args:
        found: called with how many there are, from another thread.
        environ: the process environment.
        clock: seconds since the epoch.
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
        """Look soon, where all profiles were read: with some of them, all others' are orphans."""
        self._survey, self._next_at = collected.survey, 0.0

    def ticked(self) -> None:
        """Look, unless that was done within the hour, or is being done."""
        survey = self._survey
        busy = self._thread is not None and self._thread.is_alive()
        if survey is None or busy or self._clock() < self._next_at:
            return
        self._next_at = self._clock() + EVERY_SECONDS
        self._thread = threading.Thread(target=self._look, args=(survey,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until a search that was begun is over."""
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
        except Exception:  # noqa: BLE001 - of a driver, most likely; what was found before remains
            return
        self._found(len(found.orphans))
