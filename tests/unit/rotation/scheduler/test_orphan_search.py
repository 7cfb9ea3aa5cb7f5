"""The scheduler counts orphaned records once an hour for its metrics."""

import pytest

from envkit._internal.clock import Deadline
from envkit.rotation.catalog import collect
from envkit.rotation.scheduler.orphan_search import EVERY_SECONDS, OrphanSearch
from support.rotating import record_file, stands, table

VALUES = {"old": {"KEY": "a"}, "new": {"KEY": "b"}}


class World:
    def __init__(self, project):
        self.project = project
        self.now = 1000.0
        self.told = []
        self.search = OrphanSearch(self.told.append, environ={}, clock=lambda: self.now)
        project.profile("prod.toml", table("other", "OTHER"))
        project.dotenv("prod", "KEY=a\nOTHER=x\n")

    def load(self, *environments):
        folder = str(self.project.profiles)
        self.search.loaded(collect(folder, environments, environ={}, deadline=Deadline(30)))

    def tick(self):
        self.search.ticked()
        self.search.wait()


@pytest.fixture
def world(project):
    world = World(project)
    stands(project, "prod", "gone", "KEY", phase="staged", started_at=-60.0, values=VALUES)
    return world


def test_orphaned_records_are_counted_once_an_hour_and_after_a_change_of_profiles(world):
    world.load()
    world.tick()
    world.tick()
    assert world.told == [1]
    record_file(world.project, "prod", "KEY").unlink()
    world.now += EVERY_SECONDS
    world.tick()
    assert world.told == [1, 0]
    world.load()
    world.tick()
    assert world.told == [1, 0, 0]


def test_orphaned_records_are_not_counted_when_only_some_profiles_are_served(world):
    world.load("prod")
    world.tick()
    assert world.told == []


def test_a_failed_search_keeps_the_previous_count_of_orphaned_records(world, monkeypatch):
    def fail(*_args, **_options):
        raise ValueError("of a driver")

    monkeypatch.setattr("envkit.rotation.scheduler.orphan_search.find_orphans", fail)
    world.load()
    world.tick()
    assert world.told == []
