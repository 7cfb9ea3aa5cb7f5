"""A bounded map over daemon threads that never outlives its deadline.

`concurrent.futures` is not used: its threads are joined when the interpreter
exits, so one silent server would hold the command beyond its deadline, and its
import costs more than a whole `.env` profile.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from envkit._internal.clock import Deadline

    T = TypeVar("T")
    R = TypeVar("R")

# Held while a store's client is imported. botocore sets the filters of warnings back to what
# they were before its import, and with them those that requests adds in another thread.
import_lock = threading.Lock()


def map_parallel(
    function: Callable[[T], R], items: Iterable[T], *, workers: int, deadline: Deadline
) -> list[R | BaseException | None]:
    """Call `function` for each item and return the results in the order of the items.

    Args:
        function: called in at most `workers` threads at once.
        items: each is handed to one call.
        workers: 1 or more.
        deadline: when it passes, what has no result yet is given up.

    Returns:
        per item: the result, the exception that the call raised, or None where the
        deadline passed first.
    """
    work = list(items)
    results: list[R | BaseException | None] = [None] * len(work)
    queue = iter(range(len(work)))
    left = len(work)
    state = threading.Condition()

    def worker() -> None:
        nonlocal left
        while True:
            with state:
                index = next(queue, None)
            if index is None or deadline.expired:
                return
            try:
                outcome: R | BaseException = function(work[index])
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                outcome = error
            with state:
                results[index] = outcome
                left -= 1
                state.notify()

    for _ in range(min(workers, len(work))):
        threading.Thread(target=worker, daemon=True).start()
    with state:
        state.wait_for(lambda: left == 0, timeout=deadline.remaining_seconds())
        return list(results)
