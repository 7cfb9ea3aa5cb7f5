"""Drive a watcher as the event loop of a supervisor does."""

from __future__ import annotations

import time
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.resident.watcher import Event, Watcher

LIMIT_SECONDS = 60.0


def turn(watcher: Watcher) -> list[Event]:
    """Wait until something is due, do it, and return what has happened."""
    select(watcher.filenos(), [], [], max(0.0, watcher.next_time() - time.monotonic()))
    return watcher.step(time.monotonic())


def until(watcher: Watcher, kind: type[Event]) -> list[Event]:
    """Return what happens up to the first event of a kind, which is among the last."""
    return until_all(watcher, lambda events: any(isinstance(event, kind) for event in events))


def until_all(watcher: Watcher, condition: Callable[[list[Event]], bool]) -> list[Event]:
    """Return what happens until all of it together meets a condition."""
    events: list[Event] = []
    end = time.monotonic() + LIMIT_SECONDS
    while not condition(events):
        assert time.monotonic() < end, events
        events += turn(watcher)
    return events
