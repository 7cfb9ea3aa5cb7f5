"""Log that a live environment cannot be read: once when that begins, and once when it ends.

It goes to the logger `envkit`, without any value.
"""

from __future__ import annotations

import logging

from envkit.errors import EnvkitError

LOG = logging.getLogger("envkit")


class Outage:
    """The reads of one environment that failed since the last one that did not."""

    def __init__(self) -> None:
        self._began = False

    def note(self, environment: str, error: Exception | None, age_seconds: float) -> None:
        """Log the first failure after a success, and the first success after a failure.

        Args:
            environment: its name.
            error: of the last read; None if it has succeeded.
            age_seconds: of the values that are in use.
        """
        if self._began == (error is not None):
            return
        self._began = error is not None
        if error is None:
            LOG.warning("'%s' can be refreshed again", environment)
            return
        # what a bug says may show a value
        what = error.message if isinstance(error, EnvkitError) else type(error).__name__
        LOG.warning(
            "cannot refresh '%s': %s; values from %.0f s ago stay in use",
            environment,
            what,
            age_seconds,
        )
