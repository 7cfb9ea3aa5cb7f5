"""A progress bar on stderr, for commands that take more than a second.

It appears only on a terminal.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress

DELAY_SECONDS = 1.0


class Bar:
    """Shows progress, from one second after the first call until the end.

    The delay leaves time for questions to the person.

    with Bar() as bar:
        bar.show("reading code", 3, 120)
    """

    def __init__(self, delay_seconds: float = DELAY_SECONDS) -> None:
        self._lock = threading.Lock()
        self._timer = threading.Timer(delay_seconds, self._begin)
        self._timer.daemon = True
        self._progress: Progress | None = None
        self._last = ("", 0, 0)
        self._waiting = sys.stderr.isatty()

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._progress is not None:
                self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Show the current action and its progress; a `total` of 0 is unknown."""
        with self._lock:
            self._last = (what, done, total)
            if self._waiting:
                self._waiting = False
                self._timer.start()
            self._update()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        with self._lock:
            if self._timer.finished.is_set():  # cancelled during the import
                return
            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
            self._progress.add_task("", total=None)
            self._update()

    def _update(self) -> None:
        if self._progress is not None:
            what, done, total = self._last
            task = self._progress.task_ids[0]
            self._progress.update(task, description=what, completed=done, total=total or None)
