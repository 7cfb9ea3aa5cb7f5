"""Live environments for tests: of `.env` files, and of a store that a test can stop.

live, store = of_store(project)
store.put("db", {"user": "app", "password": "new"})
look(live)                                   # as if the time of the next look had come
until(lambda: live["PASSWORD"].reveal() == "new")
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from envkit._internal.clock import Deadline
from envkit.errors import SourceError
from envkit.resident.live import Live
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome

PROFILE = """
[sources.vault]
address = "http://127.0.0.1:1"

[variables]
USER = "{{ vault:db#user }}"
PASSWORD = "{{ vault:db#password }}"
MODE = { value = "{{ vault:db#mode }}", choices = ["fast", "safe"], required = false }
"""
ENOUGH_SECONDS = 60


class Store(MemorySource):
    """A store behind a network, which a test can stop and let fail.

    Attributes:
        open: while it is clear, no read is answered.
        failure: what every read raises.
        begun: how many reads have begun.
    """

    remote = True

    def __init__(self) -> None:
        super().__init__(SourceContext("vault", deadline=Deadline(ENOUGH_SECONDS)))
        self.open = threading.Event()
        self.open.set()
        self.failure: SourceError | None = None
        self.begun = 0

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        self.begun += 1
        assert self.open.wait(ENOUGH_SECONDS)
        if self.failure is not None:
            raise self.failure
        return super().fetch(refs)

    def rotate(self, password: str, **more: str) -> None:
        """Make this the password."""
        self.put("db", {"user": "app", "password": password, **more})


def of_store(project: Any, **more: Any) -> tuple[Live, Store]:
    """Return a live environment with the variables of PROFILE, and its store."""
    store = Store()
    store.rotate("old")
    project.profile("prod.toml", PROFILE)
    return Live("prod", sources={"vault": store}, **more), store


def of_files(project: Any, text: str = "URL=old\n", **more: Any) -> Live:
    """Return a live environment with the variable URL of `.env.prod`."""
    project.profile("prod.env", "URL={{ URL }}\n")
    project.dotenv("prod", text)
    return Live("prod", **more)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that another thread brings about."""
    pause = threading.Event()
    for _ in range(ENOUGH_SECONDS * 200):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it does not happen")


def look(live: Live) -> None:
    """Let a look at everything be due now."""
    engine = live._engine
    with engine._gate:
        looking = engine._looking
        sources = {
            name: one._replace(next_look=0.0) for name, one in looking._state.sources.items()
        }
        looking._state = looking._state._replace(sources=sources)
        looking._note_next()
        engine._news.notify_all()
