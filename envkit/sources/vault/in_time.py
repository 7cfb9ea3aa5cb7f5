"""Ask a server several things at once, until the deadline of a source."""

from __future__ import annotations

from envkit._internal.parallel import call_in_time, map_parallel
from envkit.sources.vault.client import too_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import TypeVar

    from envkit._internal.parallel import Result
    from envkit.sources.model import SourceContext

    T = TypeVar("T")
    R = TypeVar("R")


class InTime:
    """Runs functions of one source.

    Args:
        context: of the source.
        workers: how many run at once, at most.
    """

    def __init__(self, context: SourceContext, workers: int) -> None:
        self._name, self._deadline, self._workers = context.name, context.deadline, workers

    def parallel(self, function: Callable[[T], R], items: Collection[T]) -> list[Result[R]]:
        """Return the result of `function` for each item, in a pool, until the deadline."""
        return map_parallel(function, items, workers=self._workers, deadline=self._deadline)

    def in_time(self, call: Callable[[], R]) -> R:
        """Return what `call` returns, or give it up when the deadline passes."""
        return self.value(call_in_time(call, self._deadline))

    def value(self, result: Result[R]) -> R:
        """Return the value of a result, or raise its error.

        Raises:
            UnavailableError: it was late.
        """
        if result.late:
            raise too_late(f"'{self._name}'", self._deadline)
        return result.value
