"""When each rotation is looked at next. Pure: a function of its outcomes and the time.

    timers = Timers()
    timers.replace(["prod/db-password"], now)   # a new rotation is looked at immediately
    for name in timers.take(now, room=8):
        ...
        timers.done(outcome, now)

Only one run at a time looks at a rotation. It is looked at again within LOOK_AGAIN_SECONDS,
because a person or another scheduler may have changed its state. Failures are retried with
growing pauses.

Nothing here knows whether a rotation is due: the run finds out.
"""

from __future__ import annotations

from envkit._internal.clock import pause_seconds
from envkit.rotation.outcome import OutcomeStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envkit.rotation.outcome import Outcome

LOOK_AGAIN_SECONDS = 900.0
SOON_SECONDS = 1.0  # the shortest pause after an outcome that could continue immediately
# after these outcomes the next time is not known yet
_MOVED = (
    OutcomeStatus.ROTATED,
    OutcomeStatus.ROLLED_BACK,
    OutcomeStatus.ABORTED,
    OutcomeStatus.STOPPED,
)


def next_look(outcome: Outcome, now: float, *, failures: int = 0) -> float:
    """Return when to look at a rotation again, in seconds since the epoch.

    Args:
        outcome: the outcome of its last run.
        now: the current time.
        failures: how often in a row it has failed, including this run.
    """
    at = outcome.until or now + LOOK_AGAIN_SECONDS
    if outcome.status in _MOVED:
        at = now
    if outcome.status == OutcomeStatus.FAILED:
        busy_until = outcome.record.busy_until if outcome.record is not None else 0.0
        at = max(outcome.until, busy_until, now + pause_seconds(max(failures, 1)))
    return min(max(at, now + SOON_SECONDS), now + LOOK_AGAIN_SECONDS)


class Timers:
    """When each rotation of one scheduler is looked at next, by its full name."""

    def __init__(self) -> None:
        self._looks: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._running: set[str] = set()
        self._outdated_runs: set[str] = set()  # running since before the last `replace`

    @property
    def running(self) -> frozenset[str]:
        """The rotations that are being looked at now."""
        return frozenset(self._running)

    def replace(self, names: Iterable[str], now: float) -> None:
        """Replace the rotations; each is looked at immediately, or as soon as its run ends.

        Args:
            names: full names.
            now: the current time.
        """
        self._looks = dict.fromkeys(names, now)
        self._failures = {name: self._failures.get(name, 0) for name in self._looks}
        self._outdated_runs = set(self._running)

    def take(self, now: float, room: int) -> list[str]:
        """Return the rotations to look at now, the longest waiting first, and mark them running.

        Args:
            now: the current time.
            room: how many more may run.
        """
        ready = sorted((at, name) for name, at in self._waiting() if at <= now)
        taken = [name for _, name in ready[: max(room, 0)]]
        self._running.update(taken)
        return taken

    def done(self, outcome: Outcome, now: float) -> None:
        """Record the outcome of a rotation that `take` returned."""
        name = outcome.rotation
        self._running.discard(name)
        if name in self._outdated_runs or name not in self._looks:
            self._outdated_runs.discard(name)
            return
        failures = self._failures[name] + 1 if outcome.status == OutcomeStatus.FAILED else 0
        self._failures[name] = failures
        self._looks[name] = next_look(outcome, now, failures=failures)

    def next_at(self) -> float:
        """Return when `take` has something if there is room; infinite if never."""
        return min((at for _, at in self._waiting()), default=float("inf"))

    def _waiting(self) -> Iterator[tuple[str, float]]:
        return ((name, at) for name, at in self._looks.items() if name not in self._running)
