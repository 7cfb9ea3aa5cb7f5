"""`envkit rotate serve`: the scheduler, on one machine or as a worker of a fleet."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.audit.session import Access
from envkit.cli.complete import environments
from envkit.cli.formats.rotation.results import what
from envkit.cli.interaction.trusting import split_by_trust
from envkit.cli.output import printable
from envkit.cli.parameters import Profiles, Reason
from envkit.errors import UsageError
from envkit.profile.discovery import profiles_folder
from envkit.rotation.jobs import CONCURRENCY, run_rotation
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher
from envkit.rotation.scheduler.endpoint import Endpoint
from envkit.rotation.scheduler.loop import TICK_SECONDS, Scheduler
from envkit.rotation.scheduler.metrics import SchedulerMetrics
from envkit.rotation.scheduler.orphan_search import OrphanSearch
from envkit.rotation_state.evidence import Sightings

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.errors import EnvkitError
    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation.fleet.worker import FleetWorker
    from envkit.rotation.outcome import Outcome
    from envkit.rotation.scheduler.loop import Listener

EXAMPLE = "envkit rotate serve --env prod --listen 127.0.0.1:9464"

MAX_CONCURRENCY = 64
DEAD_SECONDS = 8 * TICK_SECONDS  # a scheduler without a tick for this long is stuck


def serve(
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Run only rotations of this environment. Repeatable. [default: all]",
            autocompletion=environments,
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            metavar="NUMBER",
            min=1,
            max=MAX_CONCURRENCY,
            help=f"Rotations to run at once, from 1 to {MAX_CONCURRENCY}. [default: {CONCURRENCY}]",
            show_default=False,
        ),
    ] = CONCURRENCY,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Address for /healthz, /readyz and /metrics, such as 127.0.0.1:9464.",
        ),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="DSN",
            help="Share the work with other workers: postgresql://..., env:NAME or file:PATH. "
            "[default: $ENVKIT_QUEUE]",
        ),
    ] = None,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Create the queue's tables if needed, then exit."),
    ] = False,
    reason: Reason = None,
    profiles: Profiles = None,
) -> int:
    """Run rotations when they are due, until stopped."""
    from envkit.rotation.fleet.database import apply_schema, queue_dsn, queue_place

    dsn = queue_dsn(queue, os.environ)
    if migrate:
        if dsn is None:
            raise UsageError("--migrate needs a queue", hint="name it with --queue")
        done = "created the tables" if apply_schema(dsn) else "the tables already exist"
        print(f"{done} at {queue_place(dsn)}")
        return 0
    catalog = CatalogWatcher(profiles_folder(profiles, os.environ), env or (), environ=os.environ)
    _allow(catalog.read(), reason)
    sightings = Sightings()
    log, metrics = Log(), SchedulerMetrics() if listen else None
    listeners: list[Listener] = [log]
    if metrics is not None:  # the metrics count the same events
        listeners = [metrics, OrphanSearch(metrics.orphaned, environ=os.environ), log]

    def run_one(rotation: Rotation, stopping: Callable[[], bool]) -> Outcome:
        return run_rotation(
            rotation,
            environ=os.environ,
            reason=reason,
            stopping=stopping,
            warn=log.error_occurred,
            sightings=sightings,
        )

    scheduler: Scheduler | FleetWorker
    if dsn is None:
        scheduler = Scheduler(catalog, run_one, concurrency=concurrency, listeners=listeners)
    else:
        from envkit.rotation.fleet.worker import FleetWorker

        scheduler = FleetWorker(
            dsn,
            catalog,
            run_one,
            environments=env or (),
            concurrency=concurrency,
            listeners=listeners,
        )
    _obey_signals(scheduler)
    with ExitStack() as stack:
        if metrics is not None and listen is not None:
            endpoint = Endpoint(
                listen,
                metrics=metrics.text,
                healthy=lambda: _hangs(metrics),
                ready=scheduler.waiting_for,
            )
            stack.enter_context(endpoint)
            log.write(f"listening on {endpoint.host}:{endpoint.port}")
        scheduler.run()
    log.write("stopped")
    return 0


def _allow(collected: Collected, reason: str | None) -> None:
    """Refuse to start if no rotation could ever run."""
    if not collected.rotations:
        for error in collected.broken.values():
            raise error
        raise UsageError(
            "no rotation in these profiles",
            hint="add a table [rotation.NAME] to a profile",
        )
    # the others are reported when they are due
    allowed, _ = split_by_trust(collected.rotations)
    protected = {one.profile.name: one.profile for one in allowed}
    names = [one.policy.name for one in allowed]
    Access("rotate", reason=reason, service=True).allow(protected.values(), names)


def _obey_signals(scheduler: Scheduler | FleetWorker) -> None:
    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second signal exits immediately
        scheduler.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda *_: scheduler.reload())


def _hangs(metrics: SchedulerMetrics) -> str:
    alive = time.time() - metrics.ticked_at < DEAD_SECONDS
    return "" if alive else "the scheduler is stuck"


class Log:
    """Prints one line per event of a scheduler."""

    def __init__(self) -> None:
        self._last_news: dict[str, tuple[str, str]] = {}

    def write(self, text: str) -> None:
        """Print a line with its time."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        print(now, printable(text), flush=True)

    def loaded(self, collected: Collected) -> None:
        """Print the number of rotations, and the errors of broken ones."""
        profiles = {one.profile.name for one in collected.rotations}
        number = len(collected.rotations)
        self.write(
            f"{number} rotation{'' if number == 1 else 's'}"
            + (f" in {', '.join(sorted(profiles))}" if profiles else "")
        )
        for error in collected.broken.values():
            self.error_occurred(error)

    def error_occurred(self, error: EnvkitError) -> None:
        """Print an error."""
        self.write(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))

    def ticked(self) -> None:
        """Print nothing."""

    def began(self, rotation: Rotation) -> None:
        """Print nothing: most of the time there is nothing to do."""

    def ended(self, rotation: Rotation, outcome: Outcome, seconds: float) -> None:
        """Print an outcome unless it is a repetition."""
        name = rotation.full_name
        news = (outcome.status, outcome.reason)
        known = self._last_news.get(name) == news
        self._last_news[name] = news
        if outcome.status in (OutcomeStatus.NOT_DUE, OutcomeStatus.BUSY) or (
            known and not outcome.changed
        ):
            return
        text = f"{name}: {outcome.status}: {what(outcome, time.time())}"
        if outcome.error is not None and outcome.error.hint:
            text += f" ({outcome.error.hint})"
        self.write(text + (f", after {seconds:.1f} s" if outcome.changed else ""))
