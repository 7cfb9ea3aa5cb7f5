"""Retry requests: only transient failures, with full jitter, within the deadline.

A request to slow down is not a failure. envkit repeats the request until the deadline and waits as
long as the server asks. All requests to a server share one `Pace`: envkit sends none
during a pause, and fewer concurrent ones afterwards.

Reference: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
Reference: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

from __future__ import annotations

import re
import threading
from time import monotonic, sleep

from envkit.errors import SourceError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from envkit._internal.clock import Deadline

    T = TypeVar("T")

ATTEMPTS = 5
BASE_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 3.0
SPREAD_SECONDS = 0.25  # so that clients with the same Retry-After do not all return at once
_SECONDS = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)


class Pace:
    """Limits the requests to one server; shared by all its clients.

    Each request to slow down halves the number of concurrent requests, and each response raises
    it by one.

    Args:
        at_once: the maximum number of concurrent requests.
        per_second: how many requests may begin per second; None for no limit.
        burst: how many of them may begin at the same time.
    """

    def __init__(
        self, at_once: int, *, per_second: float | None = None, burst: int | None = None
    ) -> None:
        self._state = threading.Condition()
        self._most = self._allowed = at_once
        self._sent = 0
        self._refusals = 0  # consecutive ones
        self._pause_end = 0.0
        self._per_second = per_second
        self._burst = max(1, burst if burst is not None else int(per_second or 1))
        self._tokens, self._filled = float(self._burst), monotonic()

    @property
    def at_once(self) -> int:
        """The current limit of concurrent requests."""
        return self._allowed

    def begin(self, deadline: Deadline) -> bool:
        """Wait until the next request may begin; return False if the deadline passes first."""
        with self._state:
            while True:
                pause = self._pause_seconds()
                left = deadline.remaining_seconds()
                if pause and pause >= left:
                    return False
                if not pause and self._sent < self._allowed:
                    self._sent += 1
                    self._tokens -= 1
                    return True
                if not left:
                    return False
                self._state.wait(pause or left)

    def end(self, failure: BaseException | None) -> None:
        """Record how a request ended."""
        with self._state:
            self._sent -= 1
            if isinstance(failure, UnavailableError) and failure.slow_down:
                self._slow_down(failure.retry_after_seconds)
            elif failure is None:
                self._refusals = 0
                self._allowed = min(self._most, self._allowed + 1)
            self._state.notify_all()

    def _slow_down(self, wanted: float | None) -> None:
        self._allowed = max(1, self._allowed // 2)
        now = monotonic()
        if now >= self._pause_end:  # requests from before the pause count once
            self._refusals += 1
        ceiling = min(MAX_DELAY_SECONDS, BASE_DELAY_SECONDS * 2**self._refusals)
        pause = _drawn(ceiling / 2, ceiling)
        if wanted is not None:
            spread = _drawn(0, SPREAD_SECONDS)
            pause = max(pause, wanted + spread) if wanted else pause
        self._pause_end = max(self._pause_end, now + pause)

    def _pause_seconds(self) -> float:
        now = monotonic()
        pause = max(0.0, self._pause_end - now)
        if self._per_second is None:
            return pause
        filled = self._tokens + (now - self._filled) * self._per_second
        self._tokens, self._filled = min(float(self._burst), filled), now
        if self._tokens >= 1:
            return pause
        return max(pause, (1 - self._tokens) / self._per_second)


def retry(
    call: Callable[[], T],
    deadline: Deadline,
    *,
    pace: Pace | None = None,
    busy: Callable[[], SourceError] | None = None,
    attempts: int | None = None,
) -> T:
    """Return the result of `call`; repeat it while its failure is transient.

    Args:
        call: raises `SourceError`; `retryable` decides whether it is repeated.
        deadline: no call begins after it, and no pause extends beyond it.
        pace: the pace of the server, if it has one.
        busy: returns the error for a call that the pace leaves no time for.
        attempts: the maximum number of calls. Default: ATTEMPTS, and until the deadline for a
            server that asks to slow down.

    Raises:
        SourceError: the last failure, after the last attempt or when no time is left.
    """
    pace = pace or Pace(1)
    failures = 0
    last: SourceError | None = None
    while True:
        if not pace.begin(deadline):
            raise last or (busy() if busy else UnavailableError("no time is left"))
        failure: BaseException | None = None
        try:
            return call()
        except SourceError as error:
            failure = last = error
        except BaseException as error:
            failure = error
            raise
        finally:
            pace.end(failure)
        slow_down = isinstance(last, UnavailableError) and last.slow_down
        failures += not slow_down or attempts is not None
        if not last.retryable or not deadline.repeats or failures >= (attempts or ATTEMPTS):
            raise last
        if slow_down:
            continue  # the pace waits
        ceiling = min(MAX_DELAY_SECONDS, BASE_DELAY_SECONDS * 2**failures)
        pause = _drawn(0, ceiling)
        if pause >= deadline.remaining_seconds():
            raise last
        sleep(pause)


def retry_after(header: str | None, date: str | None = None) -> float | None:
    """Return how many seconds a server asks to wait; None without a valid header.

    Args:
        header: `Retry-After`: seconds or a date.
        date: `Date` of the same response; used instead of the local clock for a `Retry-After` date.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not text or not text[0].isalpha():
        return None
    then = _epoch_seconds(text)
    if then is None:
        return None
    now = _epoch_seconds(date or "")
    if now is None:
        from time import time

        now = time()
    return max(0.0, then - now)


def _epoch_seconds(text: str) -> float | None:
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
        # one of the three formats has no time zone and means UTC
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _drawn(least: float, most: float) -> float:
    """Return a random number of seconds, which spreads load and guards nothing."""
    from random import uniform  # 0.3 MiB, which a process that only watches does not need

    return uniform(least, most)  # noqa: S311
