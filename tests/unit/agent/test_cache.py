"""The agent's memory in a simulated time."""

import pytest

from envkit.agent import cache
from envkit.agent.cache import Cache, Entry, Moment, Reply


class World:
    def __init__(self):
        self.fresh = True
        self.cache = Cache(Moment(100.0, 100.0), is_fresh=lambda _: self.fresh, max_age=300.0)

    def put(self, key, at=100.0, body=b"hunter2"):
        self.cache.put(key, Entry(Reply(1, body, b""), {}, {}, "dev", Moment(at, at)))

    def get(self, key, at, boot=None):
        return self.cache.get(key, Moment(at, at if boot is None else boot))


@pytest.fixture
def world():
    return World()


def test_an_entry_is_served_until_its_maximum_age(world):
    world.put(b"k")
    assert world.get(b"k", 399.9).reply.body == b"hunter2"
    assert world.get(b"k", 400.0) is None
    assert len(world.cache) == 0
    assert world.get(b"other", 100.0) is None


def test_a_changed_file_drops_an_entry(world):
    world.put(b"k")
    world.fresh = False
    assert world.get(b"k", 101.0) is None
    world.fresh = True
    assert world.get(b"k", 101.0) is None


@pytest.mark.parametrize("boot", [160.0, 40.0])
def test_sleep_drops_everything(world, boot):
    world.put(b"k")
    assert world.get(b"k", 110.0, boot=boot) is None
    world.put(b"k", at=111.0)
    assert world.get(b"k", 112.0, boot=boot + 2) is not None, "only once"


def test_the_oldest_entries_leave_when_there_are_too_many(world, monkeypatch):
    monkeypatch.setattr(cache, "MAX_ENTRIES", 3)
    for number in range(5):
        world.put(b"%d" % number)
    assert [world.get(b"%d" % number, 101.0) is not None for number in range(5)] == [
        *(False, False, True, True, True)
    ]


def test_the_oldest_entries_leave_when_they_are_too_large(world, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    for number in range(4):
        world.put(b"%d" % number, body=b"x" * 40)
    world.put(b"3", body=b"y" * 40)
    assert len(world.cache) == 2
    assert world.get(b"3", 101.0).reply.body == b"y" * 40


def test_ages_and_repr_show_no_value(world):
    world.put(b"k")
    assert world.cache.ages(Moment(107.0, 107.0)) == [("dev", 7.0)]
    assert "hunter2" not in repr(world.get(b"k", 101.0))
    world.cache.clear()
    assert world.cache.ages(Moment(107.0, 107.0)) == []
