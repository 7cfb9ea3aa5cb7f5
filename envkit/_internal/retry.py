"""The retry policy for requests: transient failures only, full jitter, within the deadline.

Reference: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from random import uniform
from time import sleep

from envkit.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from envkit._internal.clock import Deadline

    T = TypeVar("T")

ATTEMPTS = 5
BASE_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 3.0


def retry(call: Callable[[], T], deadline: Deadline) -> T:
    """Return what `call` returns, calling it again while its failure is transient.

    Args:
        call: raises `SourceError`; `retryable` decides whether it is called again.
        deadline: no call is begun after it, and no pause goes beyond it.

    Raises:
        SourceError: the last failure, after ATTEMPTS calls or when no time is left.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except SourceError as error:
            ceiling = min(MAX_DELAY_SECONDS, BASE_DELAY_SECONDS * 2**attempt)
            pause = uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing
            if not error.retryable or attempt == ATTEMPTS:
                raise
            if pause >= deadline.remaining_seconds():
                raise
        sleep(pause)
    raise AssertionError("unreachable")
