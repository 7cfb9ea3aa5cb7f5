"""A user of a Valkey whose URL is in a `.env` file, and the rotation of its password.

def test_something(cache):
    client = redis.Redis(**options(envkit.live("prod"), "REDIS_URL"))
    cache.rotate()                     # the old password is gone
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from envkit.rotation.outcome import OutcomeStatus
from support.rotating import DAY, Rotating, table
from support.rotators import RedisHarness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project
    from support.valkey import Valkey

PROFILE = """
[sources.dotenv]
poll = "1h"          # so that only a refused login finds a change

[variables]
REDIS_URL = "{{{{ REDIS_URL }}}}"
PLACE = "{{{{ PLACE }}}}"

{rotation}
"""


class Cache:
    """A user of a Valkey whose URL is in `.env.prod`, and the rotation of its password.

    Attributes:
        harness: the user and the server.
        url: the first one.
    """

    def __init__(self, project: Project, valkey: Valkey, stack: ExitStack) -> None:
        self.project = project
        self.harness = RedisHarness(valkey, stack)
        target = f'target = {{ url = "{self.harness.url}" }}'
        rotation = table("cache", "REDIS_URL", 'grace = "1h"', target, rotator="redis")
        project.profile("prod.toml", PROFILE.format(rotation=rotation))
        self.url = self.harness.current()["url"].reveal()
        self.write(self.url)
        self._rotating = Rotating(project.profiles, {"HOME": str(project.root)})

    def write(self, url: str) -> None:
        self.project.dotenv("prod", f"REDIS_URL={url}\nPLACE=x\n")

    def rotate(self) -> None:
        """Give the user a new password, and take the old one away."""
        assert self._rotating.run("rotate").status == OutcomeStatus.IN_GRACE
        self._rotating.now += DAY
        assert self._rotating.run().status == OutcomeStatus.ROTATED

    def connections(self) -> set[int]:
        """Return the ids of the user's connections."""
        lines = self.harness.ask("CLIENT LIST")
        return {int(one["id"]) for one in lines if one["user"] == self.harness.user}


@pytest.fixture
def cache(project: Project, valkey: Valkey) -> Iterator[Cache]:
    with ExitStack() as stack:
        yield Cache(project, valkey, stack)
