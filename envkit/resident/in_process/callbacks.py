"""The callbacks of a live environment, and which change each of them has been told of."""

from __future__ import annotations

from envkit.resident.in_process.outage import LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.secret import Secret


class _Callback:
    __slots__ = ("call", "name", "seen")

    def __init__(self, name: str, call: Callable[[Secret | None], object], seen: int) -> None:
        self.name = name
        self.call = call
        self.seen = seen


class Callbacks:
    """Functions that are called when a variable has changed. Safe for threads."""

    def __init__(self) -> None:
        self._all: dict[_Callback, None] = {}  # in their order

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(
        self, name: str, call: Callable[[Secret | None], object], seen: int
    ) -> Callable[[], None]:
        """Add a callback that knows generation `seen`; return what removes it."""
        one = _Callback(name, call, seen)
        self._all[one] = None
        return lambda: self._all.pop(one, None)

    def are_due(self, generations: Mapping[str, int]) -> bool:
        """Return whether a callback does not know the generation of its variable."""
        return any(generations.get(one.name, 0) != one.seen for one in list(self._all))

    def call(self, values: Mapping[str, Secret], generations: Mapping[str, int]) -> None:
        """Call each callback whose variable has changed. One that fails ends no other."""
        for one in list(self._all):
            generation = generations.get(one.name, 0)
            if generation == one.seen or one not in self._all:
                continue
            one.seen = generation
            try:
                one.call(values.get(one.name))
            except BaseException as error:  # noqa: BLE001 - also `sys.exit()`; its text may show a value
                LOG.error(
                    "the callback for a change of %s failed: %s at %s",
                    one.name,
                    type(error).__name__,
                    _place(error),
                )


def _place(error: BaseException) -> str:
    """Return the file and the line where an exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
