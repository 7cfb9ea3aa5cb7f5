"""A constant load of HTTP requests, and what became of them.

    with Load(port) as load:
        load.mark()                     # from here on, requests count as "while rotating"
        ...
    load.report()

Each client sends one request at a time, on a new connection, at a constant pace. An app that
is being restarted refuses connections: a client then tries again until it gets an answer, as a
load balancer does, and the time that this takes is the gap. A request whose connection breaks
before the answer has failed.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from typing import NamedTuple, Self

from support.fault_proxy import HOST

CLIENTS = 4
PACE_SECONDS = 0.1  # between the starts of two requests of a client
PATIENCE_SECONDS = 30.0
REFUSED = "refused"  # what an app answers if it cannot log in
CUT, SILENT = "connection broken", "no answer"


class Report(NamedTuple):
    """What became of the requests.

    Attributes:
        requests: how many were sent.
        failures: how many failed, by the kind of failure.
        before_per_second: answered requests before `mark`.
        while_per_second: the same, after it.
        gap_seconds: the longest time for which a client could not connect.
    """

    requests: int
    failures: Counter[str]
    before_per_second: float
    while_per_second: float
    gap_seconds: float

    @property
    def refused(self) -> int:
        """The number of requests that failed because a login was refused."""
        return self.failures[REFUSED]

    @property
    def failed(self) -> int:
        return self.failures.total()


class Load:
    """See the module's docstring.

    Args:
        port: of the app.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._answered = self._sent = self._before = 0
        self._gap = 0.0
        self._failures: Counter[str] = Counter()
        self._times: list[float] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Self:
        self._times.append(time.monotonic())
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._times.append(time.monotonic())
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def mark(self) -> None:
        """Say that the rotations begin."""
        with self._lock:
            self._times.append(time.monotonic())
            self._before = self._answered

    def report(self) -> Report:
        """Return the results, once the load has ended."""
        begin, mark, end = self._times
        before = self._before / (mark - begin)
        during = (self._answered - self._before) / (end - mark)
        return Report(self._sent, self._failures, before, during, self._gap)

    def _run(self, number: int) -> None:
        next_at = time.monotonic() + PACE_SECONDS * number / CLIENTS
        while not self._stop.wait(max(0.0, next_at - time.monotonic())):
            next_at = max(next_at + PACE_SECONDS, time.monotonic() - PACE_SECONDS)
            failure, gap = self._ask()
            with self._lock:
                self._sent += 1
                self._gap = max(self._gap, gap)
                if failure:
                    self._failures[failure] += 1
                else:
                    self._answered += 1

    def _ask(self) -> tuple[str, float]:
        """Send one request; return why it failed, and for how long the app was not there."""
        begin = time.monotonic()
        gap = 0.0
        while True:
            connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE_SECONDS)
            try:
                connection.connect()
                connection.request("GET", "/", headers={"Connection": "close"})
                response = connection.getresponse()
                text = response.read().decode()
            except ConnectionRefusedError:
                gap = time.monotonic() - begin
                if gap > PATIENCE_SECONDS or self._stop.wait(0.005):
                    return ("" if self._stop.is_set() else SILENT), gap
            except TimeoutError:
                return SILENT, gap
            except (OSError, http.client.HTTPException):
                return CUT, gap
            else:
                return ("" if response.status == http.client.OK else text), gap
            finally:
                connection.close()
