"""The Prometheus metrics of a scheduler: the state of each rotation, and its runs.

    metrics = SchedulerMetrics()
    Scheduler(catalog, run_rotation, listeners=[metrics])
    metrics.text()

The metrics have no value and no error message. Their labels are names of rotations, statuses and
steps, so that their number is small. A rotation that no profile has any more is left out.

In a fleet each worker reports only its own runs. To combine workers, take the maximum of times
and the minimum of `overdue`.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from envkit import __version__
from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.status import RotationState, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from envkit.errors import EnvkitError
    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation.outcome import Outcome
    from envkit.rotation.status import RotationStatus
    from envkit.rotation_state.record import Record

# duration of a run in seconds; a rotation may be given an hour
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_NAME = "envkit_rotation"


class _Seen(NamedTuple):
    """One rotation as of its last run."""

    rotation: Rotation
    status: str
    record: Record | None
    failures: int = 0  # in a row, in this process

    def status_of(self, now: float) -> _StatusNow:
        return _StatusNow(self, status_of(self.rotation, self.record, now), now)


class _StatusNow(NamedTuple):
    """The present state of a rotation, as far as it is known."""

    seen: _Seen
    at: RotationStatus
    now: float

    @property
    def in_progress(self) -> bool:
        return self.seen.record is not None and self.seen.record.in_progress


_NEEDS_A_PERSON = (OutcomeStatus.REFUSED, OutcomeStatus.QUARANTINED, OutcomeStatus.BLOCKED)
_OF_EACH: dict[str, tuple[str, Callable[[_StatusNow], float | None]]] = {
    "last_success_timestamp_seconds": (
        "Unix time of the last successful rotation; 0 if there was none.",
        lambda one: one.at.last_rotated_at,
    ),
    "age_seconds": (
        "Seconds since the last successful rotation; absent if there was none.",
        lambda one: max(0.0, one.now - last) if (last := one.at.last_rotated_at) else None,
    ),
    "due_timestamp_seconds": (
        "Unix time when the next rotation becomes due.",
        lambda one: one.at.due_at,
    ),
    "due": (
        "1 if the rotation is due and has not started.",
        lambda one: float(one.at.due_at <= one.now and not one.in_progress),
    ),
    "overdue": (
        "1 if the rotation is overdue.",
        lambda one: float(one.at.state == RotationState.OVERDUE),
    ),
    "in_progress": (
        "1 if a rotation is in progress, including its grace period.",
        lambda one: float(one.in_progress),
    ),
    "needs_a_person": (
        "1 if the rotation was refused, quarantined or blocked and needs a person to act.",
        lambda one: float(one.seen.status in _NEEDS_A_PERSON),
    ),
    "failures_in_a_row": (
        "Number of consecutive failures of the next step.",
        lambda one: float(max(one.at.tries, one.seen.failures)),
    ),
    "failing": (
        "1 if the last step failed or the rotation could not start.",
        lambda one: float(one.at.state == RotationState.FAILING or bool(one.seen.failures)),
    ),
    "old_credential_sessions": (
        "Number of sessions of the old credential that the last look at the target has seen.",
        lambda one: float(one.at.evidence.sessions),
    ),
    "retirement_blocked_seconds": (
        "Seconds since the end of the grace period, while the old credential is in use.",
        lambda one: max(0.0, one.now - one.at.retire_at) if one.at.blocked else 0.0,
    ),
    "unknown_passwords": (
        "Number of passwords that the user had at the target and that envkit does not know.",
        lambda one: float(one.at.extra_passwords),
    ),
}


class SchedulerMetrics:
    """Records the events of a scheduler, as one of its listeners.

    Args:
        clock: seconds since the epoch.

    Raises:
        ExtraMissingError: prometheus-client is not installed.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        try:
            import prometheus_client as prometheus
            from prometheus_client import metrics_core
        except ImportError:
            raise ExtraMissingError(
                "--listen needs prometheus-client, which is not installed",
                hint=install_hint("serve"),
            ) from None
        self._generate = prometheus.generate_latest
        self._metrics = metrics_core
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen | None] = {}
        self._running = 0
        self._unreadable = 0
        self._orphaned = 0
        self._ticked_at = 0.0
        self._registry = prometheus.CollectorRegistry()
        self._registry.register(self)
        self._runs = prometheus.Counter(
            f"{_NAME}_runs", "Rotation runs, by status.", ["status"],
            registry=self._registry,
        )  # fmt: skip
        self._failures = prometheus.Counter(
            f"{_NAME}_failures", "Failed rotation runs, by step.",
            ["step"], registry=self._registry,
        )  # fmt: skip
        self._seconds = prometheus.Histogram(
            f"{_NAME}_run_duration_seconds", "Duration of rotation runs that executed a step.",
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        for status in OutcomeStatus:
            self._runs.labels(status)

    # ---------------------------------------------------------------- watching

    def loaded(self, collected: Collected) -> None:
        """Drop the rotations that no profile has any more."""
        with self._lock:
            self._seen = {
                one.full_name: seen and seen._replace(rotation=one)
                for one in collected.rotations
                for seen in (self._seen.get(one.full_name),)
            }
            self._unreadable = len(collected.broken)

    def error_occurred(self, error: EnvkitError) -> None:
        """Do nothing: profiles that cannot be read show in the time of the last read."""

    def orphaned(self, number: int) -> None:
        """Record the number of orphaned rotations."""
        self._orphaned = number

    def ticked(self) -> None:
        """Record that the scheduler is alive."""
        self._ticked_at = self._clock()

    def began(self, rotation: Rotation) -> None:  # noqa: ARG002 - a listener's
        """Count the rotation as running."""
        with self._lock:
            self._running += 1

    def ended(self, rotation: Rotation, outcome: Outcome, seconds: float) -> None:
        """Record the outcome."""
        name = rotation.full_name
        with self._lock:
            self._running -= 1
            if name in self._seen:
                before = self._seen[name]
                # a store that does not answer does not erase the last known record
                record = outcome.record or (before.record if before else None)
                failures = _failures(before.failures if before else 0, outcome)
                self._seen[name] = _Seen(rotation, outcome.status, record, failures)
        self._runs.labels(outcome.status).inc()
        if not outcome.ok:
            self._failures.labels(outcome.step or "look").inc()
        if outcome.status not in (OutcomeStatus.NOT_DUE, OutcomeStatus.BUSY):
            self._seconds.observe(seconds)

    # ---------------------------------------------------------------- reporting

    @property
    def ticked_at(self) -> float:
        """When the scheduler was last alive; 0 before it started."""
        return self._ticked_at

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return self._generate(self._registry)

    def collect(self) -> Iterator[Any]:
        """Yield the metrics that are computed on request, as a collector of prometheus-client."""
        now = self._clock()
        with self._lock:
            known, running = dict(self._seen), self._running
            unreadable, ticked_at = self._unreadable, self._ticked_at
        statuses = dict(_readable(known, now))
        yield self._gauge("envkit_build_info", "Always 1.", "version", {__version__: 1.0})
        for name, text, value in (
            ("envkit_rotations", "Rotations in the profiles.", len(known)),
            ("envkit_rotations_running", "Rotations that are running now.", running),
            (
                "envkit_rotations_orphaned",
                "Unfinished rotations that no profile names.",
                self._orphaned,
            ),
            ("envkit_profile_errors", "Profiles and rotations that are invalid.", unreadable),
            (
                "envkit_scheduler_tick_timestamp_seconds",
                "Unix time of the scheduler's last tick.",
                ticked_at,
            ),
        ):
            yield self._gauge(name, text, "", {"": float(value)})
        for name, (text, measure) in _OF_EACH.items():
            measured = {rotation: measure(one) for rotation, one in statuses.items()}
            values = {one: value for one, value in measured.items() if value is not None}
            yield self._gauge(f"{_NAME}_{name}", text, "rotation", values)

    def _gauge(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Any:
        labels = [label] if label else []
        family = self._metrics.GaugeMetricFamily(name, text, labels=labels)
        for value, number in values.items():
            family.add_metric([value] if label else [], number)
        return family


def _failures(before: int, outcome: Outcome) -> int:
    """Return how often a rotation has failed in a row, including this run."""
    if outcome.status == OutcomeStatus.FAILED:
        tried = not outcome.until  # otherwise the run only saw that its backoff is in effect
        return before + tried
    return before if outcome.status == OutcomeStatus.BUSY else 0


def _readable(known: Mapping[str, _Seen | None], now: float) -> Iterator[tuple[str, _StatusNow]]:
    for name, one in known.items():
        if one is not None:
            try:
                yield name, one.status_of(now)
            except (ValueError, OverflowError):  # skip only the row whose time is out of range
                continue
