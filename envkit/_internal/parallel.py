"""A bounded map over daemon threads that never outlives its deadline.

`concurrent.futures` is not used. The interpreter joins its threads at exit, so one
unresponsive server would keep the command from ending. Importing it also takes longer than
loading a `.env` profile.
"""

from __future__ import annotations

import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Generic, TypeVar

    from envkit._internal.clock import Deadline

    T = TypeVar("T")
    R = TypeVar("R")
else:  # `typing` would take 0.6 MiB of a process that only watches
    R = None

    class Generic:
        """Stands in for `typing.Generic`."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


# A thread that is about to wait may not notice a signal (Python hands the lock over first, and does
# not look again). So no wait is longer than this, and Ctrl-C never has to wait for a deadline.
TURN_SECONDS = 0.25


class ForkSafeLock:
    """A lock of a module, which is free in the child of a fork.

    Another thread of the parent may have had it; the child does not have that thread.
    """

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def locked(self) -> bool:
        """Return whether a thread has it."""
        return self._lock.locked()


# Held during the import of a store client. botocore restores the warning filters from before its
# import, which would remove the filters that requests adds in another thread.
import_lock = ForkSafeLock()


# Python's default of 5 ms is longer than most threads compute between waits
HANDOVER_SECONDS = 0.0001


class QuickHandover:
    """Make threads that alternate between computing and waiting hand over immediately.

    Without it, a thread whose file or response has arrived waits until the computing thread has
    used its 5 ms. Eight threads would then be slower than one.
    """

    def __enter__(self) -> None:
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(HANDOVER_SECONDS)

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self._before)


class Result(Generic[R]):
    """The result of one call: a value, an error, or a timeout.

    Attributes:
        error: the exception that the call raised.
        late: whether the deadline passed before the call ended.
    """

    __slots__ = ("_value", "error", "late")

    def __init__(
        self, value: R | None = None, *, error: BaseException | None = None, late: bool = False
    ) -> None:
        self._value = value
        self.error = error
        self.late = late

    @property
    def value(self) -> R:
        """The return value of the call.

        Raises:
            BaseException: the exception, if the call raised one.
        """
        if self.error is not None:
            raise self.error
        assert not self.late  # noqa: S101 - the caller asks for that first
        return self._value  # type: ignore[return-value]


def map_parallel(
    function: Callable[[T], R], items: Iterable[T], *, workers: int, deadline: Deadline
) -> list[Result[R]]:
    """Call `function` for each item and return the results in the order of the items.

    Args:
        function: called in at most `workers` threads at once.
        items: `function` is called once for each.
        workers: 1 or more.
        deadline: calls that have not ended by then are abandoned and marked as late.
    """
    work = list(items)
    results: list[Result[R]] = [Result(late=True)] * len(work)
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
                result = Result(function(work[index]))
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                result = Result(error=error)
            with state:
                results[index] = result
                left -= 1
                state.notify()

    for _ in range(min(workers, len(work))):
        threading.Thread(target=worker, daemon=True).start()
    with state:
        # a person who is asked for an MFA code extends the deadline meanwhile
        while not state.wait_for(lambda: left == 0, deadline.remaining_seconds(TURN_SECONDS)):
            if deadline.expired:
                break
        return list(results)


def call_in_time(
    function: Callable[[], R], deadline: Deadline, *, spare_seconds: float = 0.0
) -> Result[R]:
    """Call `function` in a thread, and abandon it when the deadline passes.

    Args:
        function: the function to call.
        deadline: when to abandon the call.
        spare_seconds: how long to wait after the deadline. A process that was suspended and
            resumes much later then has time to undo what it did too late.
    """
    results: list[Result[R]] = []
    ended = threading.Event()

    def call() -> None:
        try:
            results.append(Result(function()))
        except BaseException as error:  # noqa: BLE001 - the caller's
            results.append(Result(error=error))
        ended.set()

    if deadline.remaining_seconds() == 0:
        return Result(late=True)
    threading.Thread(target=call, daemon=True).start()
    # see `map_parallel`
    while not (over := ended.wait(deadline.remaining_seconds(TURN_SECONDS))):
        if deadline.expired:
            break
    return results[0] if over or ended.wait(spare_seconds) else Result(late=True)


class InTime:
    """Runs functions until one deadline.

    Args:
        deadline: nothing waits longer.
        workers: how many of them run at once, at most.
        late: returns the error of what is late.
    """

    def __init__(self, deadline: Deadline, workers: int, late: Callable[[], Exception]) -> None:
        self._deadline, self._workers, self._late = deadline, workers, late

    def parallel(self, function: Callable[[T], R], items: Collection[T]) -> list[Result[R]]:
        """Return the result of `function` for each item, in a pool, until the deadline."""
        return map_parallel(function, items, workers=self._workers, deadline=self._deadline)

    def values(self, function: Callable[[T], R], items: Collection[T]) -> list[R]:
        """Return what `parallel` does, as values; raise the first error."""
        return [self.value(result) for result in self.parallel(function, items)]

    def in_time(self, call: Callable[[], R]) -> R:
        """Return what `call` returns, or give it up when the deadline passes."""
        return self.value(call_in_time(call, self._deadline))

    def briefly(self, call: Callable[[], R], seconds: float) -> Result[R]:
        """Return what `call` returns, or give it up so soon that others have half of the time."""
        from envkit._internal.clock import Deadline

        return call_in_time(call, Deadline(min(seconds, self._deadline.remaining_seconds() / 2)))

    def value(self, result: Result[R]) -> R:
        """Return the value of a result, or raise its error.

        Raises:
            Exception: that of the function, or the one for what is late.
        """
        if result.late:
            raise self._late()
        return result.value
