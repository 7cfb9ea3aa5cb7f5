"""One worker of a fleet: rotations as jobs of procrastinate, in PostgreSQL.

    worker = FleetWorker(dsn, catalog, run_rotation, listeners=[metrics])
    worker.run()

While PostgreSQL is unreachable, the worker waits for it and the running rotations continue. The
jobs are in `fleet.jobs`.
"""

from __future__ import annotations

import asyncio
import time

from envkit._internal.clock import pause_seconds
from envkit._internal.parallel import QuickHandover
from envkit.errors import EnvkitError, RotationError
from envkit.rotation.fleet.database import (
    APPLICATION,
    CONNECT_SECONDS,
    apply_schema,
    database_error,
    queue_place,
    require,
)
from envkit.rotation.fleet.jobs import FleetJobs, Pace, in_thread
from envkit.rotation.jobs import CONCURRENCY
from envkit.rotation.scheduler.loop import FINISH_SECONDS, TICK_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from typing import Any

    import procrastinate

    from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher
    from envkit.rotation.scheduler.loop import Listener, RunRotation
    from envkit.secret import Secret

QUEUE_LENGTH = 128  # characters, the limit of procrastinate's column
CONNECTIONS = 4  # the jobs themselves use none
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 1.0, 30.0


class FleetWorker:
    """One process of a fleet.

    Args:
        dsn: of the queue.
        catalog: the rotations; it has been read.
        run_rotation: runs one rotation.
        environments: the profiles; workers with the same profiles share their jobs.
        concurrency: how many rotations run at once.
        listeners: notified of what happens.
        pace: how quickly changes are noticed.
        finish_seconds: how long running rotations may take after a request to stop.
    """

    def __init__(
        self,
        dsn: Secret,
        catalog: CatalogWatcher,
        run_rotation: RunRotation,
        *,
        environments: Sequence[str] = (),
        concurrency: int = CONCURRENCY,
        listeners: Sequence[Listener] = (),
        pace: Pace | None = None,
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        require()
        self._connected = False
        self._dsn = dsn
        self._place = queue_place(dsn)
        self._catalog = catalog
        self._queue = ":".join(["envkit", *sorted(set(environments))])[:QUEUE_LENGTH]
        self._concurrency = concurrency
        self._listeners = listeners
        self._pace = pace or Pace()
        self._finish_seconds = finish_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Any = None
        self._stopping = False
        self._jobs = FleetJobs(
            self._queue, catalog, run_rotation, listeners, self._pace, lambda: self._stopping
        )
        _quieten()

    def stop(self) -> None:
        """Request a stop. A signal handler may call this."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def reload(self) -> None:
        """Request that the profiles are read again. A signal handler may call this."""
        self._jobs.reload()

    def waiting_for(self) -> str:
        """Return what the worker is waiting for; empty if it works. Any thread may call this."""
        if self._stopping:
            return "it is stopping"
        return "" if self._connected else "the queue does not answer"

    def run(self) -> None:
        """Work until told to stop. Creates the tables of the queue if there are none.

        Raises:
            EnvkitError: the database cannot be used at the start; see `apply_schema`.
        """
        apply_schema(self._dsn)
        for listener in self._listeners:
            listener.loaded(self._catalog.collected)
        with QuickHandover():
            asyncio.run(self._work())

    # ---------------------------------------------------------------- the worker

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note_lost)
        self._woken = asyncio.Event()
        ticking = asyncio.create_task(self._tick())
        failures = 0
        while not self._stopping:
            begun = time.monotonic()
            error = await self._session()
            self._connected = False
            if error is None or self._stopping:
                continue
            for listener in self._listeners:
                listener.error_occurred(error)
            lasted = time.monotonic() - begun > LAST_WAIT_SECONDS
            failures = 0 if lasted else failures + 1
            wait = pause_seconds(failures + 1, first=FIRST_WAIT_SECONDS, last=LAST_WAIT_SECONDS)
            await _first(self._woken.wait(), wait)
        ticking.cancel()

    async def _session(self) -> EnvkitError | None:
        """Work until told to stop or the database is lost; return the error of the database."""
        import psycopg
        from procrastinate.exceptions import ConnectorException
        from procrastinate.worker import Worker

        app = self._app()
        try:
            # reports the actual error, where the pool would report only a timeout
            await in_thread(lambda: apply_schema(self._dsn))
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
        # the session ended without a request to stop: one of its side tasks has failed
        return None if self._stopping else database_error(psycopg.OperationalError(), self._place)

    def _wake(self) -> None:
        self._woken.set()
        if self._worker is not None:
            self._worker.stop()

    def _note_lost(self, _loop: object, context: dict[str, Any]) -> None:
        """Report an error that no caller awaits: usually a job could not save its result."""
        from procrastinate.exceptions import ConnectorException

        error = context.get("exception")
        if error is None or isinstance(error, ConnectorException):
            return  # the session reports the lost database, and `revive` finds the job
        for listener in self._listeners:
            listener.error_occurred(RotationError(f"a job failed: {type(error).__name__}"))

    async def _tick(self) -> None:
        while True:
            for listener in self._listeners:
                listener.ticked()
            await asyncio.sleep(TICK_SECONDS)

    def _app(self) -> procrastinate.App:
        """Return a new app: an app that has lost its database cannot be reopened."""
        import procrastinate

        connector = procrastinate.PsycopgConnector(
            conninfo=self._dsn.reveal(),
            kwargs={"connect_timeout": CONNECT_SECONDS, "application_name": APPLICATION},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=self._pace.patience_seconds,
            reconnect_timeout=self._pace.patience_seconds,
        )
        app = procrastinate.App(connector=connector)
        self._jobs.register(app)
        return app


async def _first(awaitable: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return


def _quieten() -> None:
    """Keep the logs of libraries off stderr, unless the host program has configured them."""
    import logging

    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).addHandler(logging.NullHandler())
