"""A PostgreSQL login that is really rotated while an app uses it.

    database = RotatedDatabase(project, alternate)
    with Load(database.live_request) as load:
        database.rotate(between=load.more)
    assert load.failures == []

The URL is in `.env.prod`, and the rotation is that of a profile. The clock of the rotation is the
test's, so that a grace period passes at once.
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any, Self

from envkit.resident.live import Live
from envkit.rotation.machine import Request
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation_state.policy import Policy
from support.rotating import Rotating, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.rotators import PostgresHarness

GRACE_SECONDS = 600.0
ENOUGH_SECONDS = 60
PAUSE_SECONDS = 0.01


class RotatedDatabase:
    """A profile with DATABASE_URL (and DB_USER, DB_PASSWORD) and its rotation.

    Attributes:
        live: its live environment.
        url: the first URL, which a rotation replaces.
    """

    def __init__(self, project: Any, harness: PostgresHarness) -> None:
        self._project, self._harness = project, harness
        self.url = harness.current()["url"].reveal().partition("?")[0]
        target = {**harness.target, "dsn": "{{ dotenv:DSN }}"}
        toml = ", ".join(f"{key} = {json.dumps(value)}" for key, value in target.items())
        strategy = harness.kind.__name__.removesuffix("Rotator").lower()
        lines = [f"target = {{ {toml} }}", f'strategy = "{strategy}"', 'grace = "10m"']
        if "retire_when" in Policy._fields:  # retire although the old user is connected
            lines.append('retire_when = "grace"')
        project.profile(
            "prod.toml",
            '[sources.dotenv]\ntype = "dotenv"\n[variables]\n'
            'DATABASE_URL = "{{ dotenv:DATABASE_URL }}"\n'
            + table("db", "DATABASE_URL", *lines, rotator="postgres"),
        )
        project.dotenv("prod", f"DATABASE_URL={self.url}\nDSN={harness.target['dsn']}\n")
        self._rotating = Rotating(project.profiles, project.environ)
        self.live = Live("prod", profiles=str(project.profiles))

    def rotate(self, between: Callable[[], None]) -> None:
        """Rotate, let the grace period pass, and retire; `between` the steps and at the end."""
        outcome = self._rotating.run(Request.ROTATE)
        between()
        while outcome.status in (OutcomeStatus.IN_GRACE, OutcomeStatus.WAITING):
            self._rotating.now += GRACE_SECONDS
            outcome = self._rotating.run()
        assert outcome.error is None, outcome.error
        between()

    def sessions(self) -> set[int]:
        """Return the server processes of the app's users."""
        names = ", ".join(repr(self._harness.role(name)) for name in self._harness.role_names)
        found = self._harness.database.run(
            f"SELECT pid FROM pg_stat_activity WHERE usename IN ({names})"
        )
        return {pid for (pid,) in found}


class Load:
    """Sends requests from several threads, until it is left.

    Args:
        request: sends one, and returns the process of the server that answered.
        threads: how many.

    Attributes:
        failures: the exceptions of requests that failed.
    """

    def __init__(self, request: Callable[[], int], threads: int = 3) -> None:
        self._request = request
        self._stop, self._news = threading.Event(), threading.Condition()
        self._seen: set[object] = set()
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self) -> None:
        """Wait until some new connections have been opened, or requests have failed."""
        with self._news:
            wanted = len(self._seen) + 5
            assert self._news.wait_for(lambda: len(self._seen) >= wanted, ENOUGH_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                seen: object = self._request()
            except Exception as error:  # noqa: BLE001 - it is what is counted
                self.failures.append(error)
                seen = error
            with self._news:
                self._seen.add(seen)
                self._news.notify_all()
            self._stop.wait(PAUSE_SECONDS)  # requests without a pause take a whole processor


class Loop:
    """An event loop in a thread, for requests of a `Load`."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Return what a coroutine function returns; from any thread."""

        async def call() -> Any:
            return await function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(ENOUGH_SECONDS)
