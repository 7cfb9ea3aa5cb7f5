"""Drive a watcher as the event loop of `envkit exec --watch` does."""

from __future__ import annotations

import time
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.resident.watcher import Event, Watcher

PATIENCE_SECONDS = 60.0


def turns(watcher: Watcher, done: Callable[[list[Event]], object]) -> list[Event]:
    """Do what is due again and again until `done` says so of the events; return all of them."""
    events: list[Event] = []
    end = time.monotonic() + PATIENCE_SECONDS
    while not done(events):
        assert time.monotonic() < end, events
        select(watcher.filenos(), [], [], max(0.0, watcher.next_time() - time.monotonic()))
        events += watcher.step(time.monotonic())
    return events
