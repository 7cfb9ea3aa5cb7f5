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
    return turns(watcher, lambda events: any(isinstance(event, kind) for event in events))


def turns(watcher: Watcher, done: Callable[[list[Event]], object]) -> list[Event]:
    """Do what is due again and again until `done` says so of the events; return all of them."""
    events: list[Event] = []
    end = time.monotonic() + LIMIT_SECONDS
    while not done(events):
        assert time.monotonic() < end, events
        events += turn(watcher)
    return events
