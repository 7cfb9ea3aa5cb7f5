"""One worker of a fleet: rotations as jobs of procrastinate, in PostgreSQL.

    worker = FleetWorker(dsn, roster, carry, watchers=[board])
    worker.run()

    rotate    one job for each rotation, scheduled for when it is to be looked at next; once
              it is done it leaves the next one
    discover  every minute: a job for each rotation that has none, and at once for those
              whose times the profiles have changed
    revive    every minute: what a worker that is gone has left is done again

What always holds: a job carries the names of a profile and of a rotation, nothing else; how
a rotation stands is in its store alone, so that a job that is lost, late, or done twice does
no harm. `lock` keeps two jobs of a rotation from running at once, `queueing_lock` from
waiting at once.

A rotation that fails is the same job again, later. So the job after it is made only once it
is well, and there never is one that waits beside one that runs, unless a worker was killed
in between or has lost the database: then retrying the old one is refused (UniqueViolation),
and it is done with.

When PostgreSQL is away the worker waits for it; what is under way goes on.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from datetime import UTC, datetime
from typing import NamedTuple

from envkit.errors import EnvkitError, RotationError
from envkit.rotation.agenda import next_look, pause_seconds
from envkit.rotation.fleet_database import (
    APPLICATION,
    CONNECT_SECONDS,
    apply_schema,
    database_error,
    queue_place,
    require,
)
from envkit.rotation.outcome import FAILED, STOPPED
from envkit.rotation.run import CONCURRENCY
from envkit.rotation.serve import FINISH_SECONDS, TICK_SECONDS, attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, TypeVar

    import procrastinate
    from procrastinate.job_context import JobContext
    from procrastinate.jobs import Job

    from envkit.rotation.roster import Roster
    from envkit.rotation.schedule import Timing
    from envkit.rotation.serve import Carry, Watcher
    from envkit.secret import Secret

    T = TypeVar("T")

ROTATE, DISCOVER, REVIVE = "envkit.rotate", "envkit.discover", "envkit.revive"
QUEUE_LENGTH = 128  # characters that procrastinate's column has
CONNECTIONS = 4  # the jobs themselves need none
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 1.0, 30.0


class Pace(NamedTuple):
    """How quickly a fleet notices what has happened.

    Attributes:
        periodic: when `discover` and `revive` run, a cron expression; six fields have seconds.
        poll_seconds: how late a job may begin.
        heartbeat_seconds: how often a worker says that it is alive.
        gone_seconds: after how long of silence it is taken to be gone.
        margin_seconds: how much longer than its timeout a job may take.
        patience_seconds: how long a database that does not answer is waited for, before it
            is taken to be away.
    """

    periodic: str = "* * * * *"
    poll_seconds: float = 2.0
    heartbeat_seconds: float = 10.0
    gone_seconds: float = 45.0
    margin_seconds: float = 60.0
    patience_seconds: float = 10.0


class _NotWellError(Exception):
    """The job is to be done again; it says when, and nothing of why."""

    def __init__(self, at: float) -> None:
        super().__init__("to be done again")
        self.at = at


class FleetWorker:
    """One process of a fleet.

    Args:
        dsn: of the queue.
        roster: what there is to rotate; it has been read.
        carry: carries one rotation on.
        environments: whose rotations; workers of the same ones share their jobs.
        concurrency: how many are carried on at once.
        watchers: who is told.
        pace: how quickly what has happened is noticed.
        finish_seconds: how long what is under way may take once it is told to stop.
    """

    def __init__(
        self,
        dsn: Secret,
        roster: Roster,
        carry: Carry,
        *,
        environments: Sequence[str] = (),
        concurrency: int = CONCURRENCY,
        watchers: Sequence[Watcher] = (),
        pace: Pace | None = None,
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        require()
        self._connected = False
        self._dsn = dsn
        self._place = queue_place(dsn)
        self._roster = roster
        self._carry = carry
        self._queue = ":".join(["envkit", *sorted(set(environments))])[:QUEUE_LENGTH]
        self._concurrency = concurrency
        self._watchers = watchers
        self._pace = pace or Pace()
        self._finish_seconds = finish_seconds
        self._timings: dict[str, Timing] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Any = None
        self._stopping = self._reload = False
        _quieten()

    def stop(self) -> None:
        """Ask it to stop. A signal's handler may call this."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def reload(self) -> None:
        """Ask it to read the profiles again. A signal's handler may call this."""
        self._reload = True

    def waiting_for(self) -> str:
        """Return why it does no work; empty where it does. Any thread may call this."""
        if self._stopping:
            return "it is stopping"
        return "" if self._connected else "the queue does not answer"

    def run(self) -> None:
        """Work until it is told to stop; makes the queue's tables where there are none.

        Raises:
            EnvkitError: the database cannot be used when it begins; see `apply_schema`.
        """
        apply_schema(self._dsn)
        for watcher in self._watchers:
            watcher.loaded(self._roster.collected)
        asyncio.run(self._work())

    # ---------------------------------------------------------------- the worker

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note_lost)
        self._woken = asyncio.Event()
        self._reading = asyncio.Lock()
        ticking = asyncio.create_task(self._tick())
        failures = 0
        while not self._stopping:
            begun = time.monotonic()
            error = await self._session()
            self._connected = False
            if error is None or self._stopping:
                continue
            for watcher in self._watchers:
                watcher.troubled(error)
            lasted = time.monotonic() - begun > LAST_WAIT_SECONDS
            failures = 0 if lasted else failures + 1
            wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(failures, 10), LAST_WAIT_SECONDS)
            await _first(self._woken.wait(), wait)
        ticking.cancel()

    async def _session(self) -> EnvkitError | None:
        """Work until it is told to stop or the database is lost; return what was wrong with it."""
        import psycopg
        from procrastinate.exceptions import ConnectorException
        from procrastinate.worker import Worker

        app = self._app()
        try:
            # says what is wrong, where the pool only says that it has waited for long enough
            await _in_thread(lambda: apply_schema(self._dsn))
            async with app.open_async():
                self._connected = True
                self._worker = Worker(
                    app,
                    queues=[self._queue],
                    name=None,
                    concurrency=self._concurrency,
                    fetch_job_polling_interval=self._pace.poll_seconds,
                    shutdown_graceful_timeout=self._finish_seconds,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                    update_heartbeat_interval=self._pace.heartbeat_seconds,
                    stalled_worker_timeout=self._pace.gone_seconds,
                )
                if not self._stopping:
                    await self._worker.run()
        except EnvkitError as error:
            return error
        except (ConnectorException, psycopg.Error) as error:
            return database_error(error.__cause__ or error, self._place)
        finally:
            self._worker = None
        # it has ended although nobody has stopped it: one of its side tasks has failed
        return None if self._stopping else database_error(psycopg.OperationalError(), self._place)

    def _wake(self) -> None:
        self._woken.set()
        if self._worker is not None:
            self._worker.stop()

    def _note_lost(self, _loop: object, context: dict[str, Any]) -> None:
        """Tell what nobody waited for: most often a job that could not say that it is over."""
        from procrastinate.exceptions import ConnectorException

        error = context.get("exception")
        if error is None or isinstance(error, ConnectorException):
            return  # the session tells that the database is away, and `revive` finds the job
        for watcher in self._watchers:
            watcher.troubled(RotationError(f"a job ended badly: {type(error).__name__}"))

    async def _tick(self) -> None:
        while True:
            for watcher in self._watchers:
                watcher.ticked()
            await asyncio.sleep(TICK_SECONDS)

    def _app(self) -> procrastinate.App:
        """Return a new app: one that has lost its database cannot be opened again."""
        import procrastinate
        from procrastinate.retry import BaseRetryStrategy, RetryDecision

        class Later(BaseRetryStrategy):
            def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
                at = time.time() + pause_seconds(job.attempts + 1)
                if isinstance(exception, _NotWellError):
                    at = exception.at
                return RetryDecision(retry_at=_moment(at))

        connector = procrastinate.PsycopgConnector(
            conninfo=self._dsn.reveal(),
            kwargs={"connect_timeout": CONNECT_SECONDS, "application_name": APPLICATION},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=self._pace.patience_seconds,
            reconnect_timeout=self._pace.patience_seconds,
        )
        app = procrastinate.App(connector=connector)
        app.task(name=ROTATE, queue=self._queue, pass_context=True, retry=Later())(self._rotate)
        for name, function in ((DISCOVER, self._discover), (REVIVE, self._revive)):
            own = f"{name} {self._queue}"
            task = app.task(
                name=name, queue=self._queue, pass_context=True, lock=own, queueing_lock=own
            )(function)
            app.periodic(cron=self._pace.periodic, periodic_id=self._queue)(task)
        return app

    # ---------------------------------------------------------------- the jobs

    async def _rotate(self, context: JobContext, *, profile: str, rotation: str) -> None:
        """Carry a rotation on, and leave the job that looks at it next."""
        name = f"{profile}/{rotation}"
        await self._read_if_stale()
        found = self._roster.rotations.get(name)
        if found is None:
            return  # no profile has it any more; should ours be old, `discover` finds it again
        for watcher in self._watchers:
            watcher.began(found)
        begun = time.monotonic()
        outcome = await _in_thread(lambda: attempt(self._carry, found, lambda: self._stopping))
        for watcher in self._watchers:
            watcher.ended(found, outcome, time.monotonic() - begun)
        at = next_look(outcome, time.time(), failures=context.job.attempts + 1)
        if outcome.status in (FAILED, STOPPED):
            raise _NotWellError(at)
        await self._leave(context.app, name, at)

    async def _discover(self, context: JobContext, timestamp: int) -> None:  # noqa: ARG002
        """Leave a job for each rotation that has none, or whose times have changed."""
        await self._read_if_stale()
        manager = context.app.job_manager
        jobs: dict[str | None, Job] = {}
        for one in await manager.list_jobs_async(task=ROTATE):
            # one that runs leaves the next one itself
            if one.status == "doing" or (one.status == "todo" and one.lock not in jobs):
                jobs[one.lock] = one
        timings = {n: one.policy.timing for n, one in self._roster.rotations.items()}
        for name, timing in timings.items():
            job = jobs.get(name)
            if job is not None:
                changed = self._timings.get(name, timing) != timing
                if not changed or job.status != "todo" or job.id is None:
                    continue
                if not await manager.cancel_job_by_id_async(job.id, delete_job=True):
                    continue  # it has begun meanwhile
            await self._leave(context.app, name, time.time())
        self._timings = timings

    async def _revive(self, context: JobContext, timestamp: int) -> None:  # noqa: ARG002
        """Do again what a worker that is gone has left, and what lost its end to an outage."""
        from procrastinate.exceptions import ConnectorException, UniqueViolation
        from procrastinate.jobs import Status

        manager = context.app.job_manager
        longest = max(
            (one.policy.timeout_seconds for one in self._roster.rotations.values()), default=0.0
        )
        left = await manager.get_stalled_jobs(seconds_since_heartbeat=self._pace.gone_seconds)
        with warnings.catch_warnings():
            # no other question finds a job whose worker lives, but could not say that it is over
            warnings.simplefilter("ignore", DeprecationWarning)
            late = await manager.get_stalled_jobs(
                nb_seconds=int(longest + self._pace.margin_seconds), task_name=ROTATE
            )
        for job in {job.id: job for job in (*left, *late)}.values():
            again = job.task_name == ROTATE  # the others come by themselves
            try:
                if again:
                    await manager.retry_job(job)
                    continue
            except UniqueViolation:
                pass  # a newer one waits
            except ConnectorException:
                continue  # it has gone on meanwhile
            await manager.finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def _leave(self, app: procrastinate.App, name: str, at: float) -> None:
        """Leave a job for a rotation, unless one waits already."""
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
            if not self._reload and not self._roster.stale():
                return
            self._reload = False
            try:
                collected = await _in_thread(self._roster.read)
            except EnvkitError as error:
                for watcher in self._watchers:
                    watcher.troubled(error)
                return
            for watcher in self._watchers:
                watcher.loaded(collected)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


async def _first(awaitable: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return


async def _in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread that does not keep the process from ending."""
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
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            method, result = future.set_exception, error
        try:
            loop.call_soon_threadsafe(settle, method, result)
        except RuntimeError:
            return  # the loop has ended, and nobody waits any more

    threading.Thread(target=work, daemon=True).start()
    return await future


def _quieten() -> None:
    """Keep what others log off stderr, unless the program that we are in wants it there."""
    import logging

    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).addHandler(logging.NullHandler())
