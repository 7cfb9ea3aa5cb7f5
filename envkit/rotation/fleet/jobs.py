"""The jobs of a fleet's workers.

    rotate    one job for each rotation, scheduled for its next look; it schedules the next one
    discover  every minute: schedules a job for each rotation that has none, or whose timing
              has changed in the profiles
    revive    every minute: retries the jobs of dead workers

A job has only the names of a profile and of a rotation. The state of a rotation is in its store
alone, so that a lost, late or repeated job does no harm. `lock` prevents two jobs of a rotation
from running at once, `queueing_lock` from waiting at once.

A rotation that fails retries the same job later; the next job is scheduled only after a success.
So no job waits while another one runs, unless a worker was killed in between or lost the
database. Retrying the old job is then refused (UniqueViolation), and it is finished instead.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from datetime import UTC, datetime
from typing import NamedTuple

from envkit._internal.clock import pause_seconds
from envkit.errors import EnvkitError
from envkit.rotation.outcome import OutcomeStatus, attempt
from envkit.rotation.scheduler.timers import next_look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    import procrastinate
    from procrastinate.job_context import JobContext
    from procrastinate.jobs import Job

    from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher
    from envkit.rotation.scheduler.loop import Listener, RunRotation
    from envkit.rotation_state.schedule import Timing

    T = TypeVar("T")

_LOOKING = (OutcomeStatus.IN_GRACE, OutcomeStatus.IN_USE, OutcomeStatus.BLOCKED)
ROTATE, DISCOVER, REVIVE = "envkit.rotate", "envkit.discover", "envkit.revive"


class Pace(NamedTuple):
    """How quickly a fleet notices changes.

    Attributes:
        periodic: when `discover` and `revive` run: a cron expression, with seconds if it has
            six fields.
        poll_seconds: how late a job may begin.
        heartbeat_seconds: how often a worker reports that it is alive.
        gone_seconds: how long a worker may be silent before it counts as dead.
        margin_seconds: how much longer than its timeout a job may take.
        patience_seconds: how long to wait for a database that does not answer, before it
            counts as unreachable.
        look_seconds: the shortest time between two looks for users of an old credential.
    """

    periodic: str = "* * * * *"
    poll_seconds: float = 2.0
    heartbeat_seconds: float = 10.0
    gone_seconds: float = 45.0
    margin_seconds: float = 60.0
    patience_seconds: float = 10.0
    look_seconds: float = 30.0


class _RetryLaterError(Exception):
    """The job must run again at a given time; the exception does not say why."""

    def __init__(self, at: float) -> None:
        super().__init__("to be done again")
        self.at = at


class FleetJobs:
    """The jobs of one worker.

    Args:
        queue: its name, of at most 128 characters.
        catalog: the rotations; it has been read.
        run_rotation: runs one rotation.
        listeners: notified of what happens.
        pace: how quickly changes are noticed.
        stopping: returns whether the worker was told to stop.
    """

    def __init__(
        self,
        queue: str,
        catalog: CatalogWatcher,
        run_rotation: RunRotation,
        listeners: Sequence[Listener],
        pace: Pace,
        stopping: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._catalog = catalog
        self._run_rotation = run_rotation
        self._listeners = listeners
        self._pace = pace
        self._stopping = stopping
        self._timings: dict[str, Timing] = {}
        self._reload = False
        self._reading = asyncio.Lock()

    def reload(self) -> None:
        """Let the next job read the profiles again."""
        self._reload = True

    def register(self, app: procrastinate.App) -> None:
        """Register the jobs with an app."""
        from procrastinate.retry import BaseRetryStrategy, RetryDecision

        class Later(BaseRetryStrategy):
            def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
                at = time.time() + pause_seconds(job.attempts + 1)
                if isinstance(exception, _RetryLaterError):
                    at = exception.at
                return RetryDecision(retry_at=_moment(at))

        app.task(name=ROTATE, queue=self._queue, pass_context=True, retry=Later())(self._rotate)
        for name, function in ((DISCOVER, self._discover), (REVIVE, self._revive)):
            own = f"{name} {self._queue}"
            task = app.task(
                name=name, queue=self._queue, pass_context=True, lock=own, queueing_lock=own
            )(function)
            app.periodic(cron=self._pace.periodic, periodic_id=self._queue)(task)

    async def _rotate(self, context: JobContext, *, profile: str, rotation: str) -> None:
        """Run a rotation, and schedule the job for its next look."""
        name = f"{profile}/{rotation}"
        await self._read_if_stale()
        found = self._catalog.rotations.get(name)
        if found is None:
            return  # no profile has it any more; if our catalog is old, `discover` finds it again
        for listener in self._listeners:
            listener.began(found)
        begun = time.monotonic()
        outcome = await in_thread(
            lambda: attempt(name, lambda: self._run_rotation(found, self._stopping))
        )
        for listener in self._listeners:
            listener.ended(found, outcome, time.monotonic() - begun)
        at = next_look(outcome, time.time(), failures=context.job.attempts + 1)
        if outcome.status in _LOOKING and outcome.record and outcome.record.evidence.tried_at:
            at = max(at, time.time() + self._pace.look_seconds)
        if outcome.status in (OutcomeStatus.FAILED, OutcomeStatus.STOPPED):
            raise _RetryLaterError(at)
        await self._schedule(context.app, name, at)

    async def _discover(self, context: JobContext, timestamp: int) -> None:  # noqa: ARG002
        """Schedule a job for each rotation that has none, or whose timing has changed."""
        await self._read_if_stale()
        manager = context.app.job_manager
        jobs: dict[str | None, Job] = {}
        for one in await manager.list_jobs_async(task=ROTATE):
            # a running job schedules the next one itself
            if one.status == "doing" or (one.status == "todo" and one.lock not in jobs):
                jobs[one.lock] = one
        timings = {n: one.policy.timing for n, one in self._catalog.rotations.items()}
        for name, timing in timings.items():
            job = jobs.get(name)
            if job is not None:
                changed = self._timings.get(name, timing) != timing
                if not changed or job.status != "todo" or job.id is None:
                    continue
                if not await manager.cancel_job_by_id_async(job.id, delete_job=True):
                    continue  # it has started since
            await self._schedule(context.app, name, time.time())
        self._timings = timings

    async def _revive(self, context: JobContext, timestamp: int) -> None:  # noqa: ARG002
        """Retry the jobs of dead workers, and those whose result was lost in an outage."""
        from procrastinate.exceptions import ConnectorException, UniqueViolation
        from procrastinate.jobs import Status

        manager = context.app.job_manager
        longest = max(
            (one.policy.timeout_seconds for one in self._catalog.rotations.values()), default=0.0
        )
        left = await manager.get_stalled_jobs(seconds_since_heartbeat=self._pace.gone_seconds)
        with warnings.catch_warnings():
            # only this call finds a job whose worker is alive but could not save the result
            warnings.simplefilter("ignore", DeprecationWarning)
            late = await manager.get_stalled_jobs(
                nb_seconds=int(longest + self._pace.margin_seconds), task_name=ROTATE
            )
        for job in {job.id: job for job in (*left, *late)}.values():
            again = job.task_name == ROTATE  # the other tasks are periodic
            try:
                if again:
                    await manager.retry_job(job)
                    continue
            except UniqueViolation:
                pass  # a newer job is waiting
            except ConnectorException:
                continue  # another worker has advanced it
            await manager.finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def _schedule(self, app: procrastinate.App, name: str, at: float) -> None:
        """Schedule a job for a rotation, unless one is waiting already."""
        from procrastinate.exceptions import AlreadyEnqueued

        profile, _, rotation = name.partition("/")
        deferrer = app.configure_task(
            ROTATE, lock=name, queueing_lock=name, schedule_at=_moment(at)
        )
        try:
            await deferrer.defer_async(profile=profile, rotation=rotation)
        except AlreadyEnqueued:
            return

    async def _read_if_stale(self) -> None:
        async with self._reading:
            if not self._reload and not self._catalog.stale():
                return
            self._reload = False
            try:
                collected = await in_thread(self._catalog.read)
            except EnvkitError as error:
                for listener in self._listeners:
                    listener.error_occurred(error)
                return
            for listener in self._listeners:
                listener.loaded(collected)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread that does not prevent the process from exiting."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(method: Callable[..., None], result: object) -> None:
        if not future.done():
            method(result)

    def work() -> None:
        method: Callable[..., None] = future.set_result
        result: object
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - raised where the future is awaited
            method, result = future.set_exception, error
        try:
            loop.call_soon_threadsafe(settle, method, result)
        except RuntimeError:
            return  # the loop has ended, and no caller is waiting

    threading.Thread(target=work, daemon=True).start()
    return await future
