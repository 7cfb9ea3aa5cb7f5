"""The scheduler loop, with rotations that each test scripts."""

import os
import threading
import time

import pytest

from envkit.errors import ProfileError, UnavailableError
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher
from envkit.rotation.scheduler.loop import Scheduler
from support.rotating import table

CANARY = "canary-93c5a0e1"
LONG_SECONDS = 30


def profile(*names):
    return "".join(table(name, name.upper()) for name in names)


class Listener:
    """Records events, and lets a test wait for them."""

    def __init__(self):
        self.told = []
        self.condition = threading.Condition()

    def _tell(self, *what):
        with self.condition:
            self.told.append(what)
            self.condition.notify_all()

    def loaded(self, collected):
        self._tell("loaded", *(one.full_name for one in collected.rotations))

    def error_occurred(self, error):
        self._tell("troubled", type(error))

    def ticked(self):
        self._tell("ticked")

    def began(self, rotation):
        self._tell("began", rotation.full_name)

    def ended(self, rotation, outcome, seconds):
        assert seconds >= 0
        self._tell("ended", rotation.full_name, outcome.status)

    def wait_for(self, *what, times=1):
        with self.condition:
            done = self.condition.wait_for(
                lambda: self.told.count(what) >= times, timeout=LONG_SECONDS
            )
        assert done, f"{what} was not told in {self.told}"


class Carrier:
    """Carries rotations on as a test wants; by default none is due."""

    def __init__(self):
        self.what = {}
        self.running = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, rotation, stopping):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            return self.what.get(rotation.full_name, self.not_due)(rotation, stopping)
        finally:
            with self.lock:
                self.running -= 1

    @staticmethod
    def not_due(rotation, _stopping):
        return Outcome(rotation.full_name, OutcomeStatus.NOT_DUE, until=time.time() + 1e6)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
def start(project, listener, carrier):
    """Return a function that starts a scheduler in a thread, and stop it afterwards."""
    started = []

    def start(**options):
        catalog = CatalogWatcher(str(project.profiles), environ=os.environ)
        catalog.read()
        scheduler = Scheduler(catalog, carrier, listeners=[listener], **options)
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        started.append((scheduler, thread))
        return scheduler, thread

    yield start
    for scheduler, thread in started:
        scheduler.stop()
        thread.join(LONG_SECONDS)
        assert not thread.is_alive(), "the scheduler does not stop"


def test_every_rotation_is_checked_when_the_loop_starts(project, start, listener):
    project.profile("prod.toml", profile("db", "cache"))
    start()
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE)
    listener.wait_for("ended", "prod/cache", OutcomeStatus.NOT_DUE)
    assert listener.told[0] == ("loaded", "prod/cache", "prod/db")


def test_a_rotation_is_checked_again_right_after_it_ran(project, start, listener, carrier):
    project.profile("prod.toml", profile("db"))
    outcomes = iter([OutcomeStatus.ROTATED, OutcomeStatus.NOT_DUE])
    carrier.what["prod/db"] = lambda rotation, _: Outcome(
        rotation.full_name, next(outcomes), until=time.time() + 1e6
    )
    start()
    listener.wait_for("ended", "prod/db", OutcomeStatus.ROTATED)
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE)


def test_a_hanging_or_failing_rotation_delays_no_other(project, start, listener, carrier):
    project.profile("prod.toml", profile("a_hangs", "b_fails", "c_breaks", "d_works"))
    forever = threading.Event()

    def fail(*_):
        raise UnavailableError("the store is away")

    def bug(*_):
        raise ValueError(CANARY)

    carrier.what["prod/a_hangs"] = lambda rotation, _: (
        forever.wait(LONG_SECONDS),
        Outcome(rotation.full_name, OutcomeStatus.STOPPED),
    )[1]
    carrier.what["prod/b_fails"], carrier.what["prod/c_breaks"] = fail, bug
    start(concurrency=2)
    listener.wait_for("ended", "prod/d_works", OutcomeStatus.NOT_DUE)
    assert ("ended", "prod/b_fails", OutcomeStatus.FAILED) in listener.told
    assert ("ended", "prod/c_breaks", OutcomeStatus.FAILED) in listener.told
    assert ("ended", "prod/a_hangs", OutcomeStatus.STOPPED) not in listener.told
    forever.set()


def test_concurrency_limits_the_running_rotations(project, start, listener, carrier):
    names = [f"r{number}" for number in range(12)]
    project.profile("prod.toml", profile(*names))
    three = threading.Barrier(3)

    def meet(rotation, stopping):
        three.wait(LONG_SECONDS)
        return carrier.not_due(rotation, stopping)

    carrier.what = {f"prod/{name}": meet for name in names}
    start(concurrency=3)
    for name in names:
        listener.wait_for("ended", f"prod/{name}", OutcomeStatus.NOT_DUE)
    assert carrier.most == 3


def test_stopping_waits_for_running_rotations_and_starts_none(project, start, listener, carrier):
    project.profile("prod.toml", profile("a_slow", "b_next"))
    step = threading.Event()

    def a_step(rotation, stopping):
        step.wait(LONG_SECONDS)
        return Outcome(
            rotation.full_name, OutcomeStatus.STOPPED if stopping() else OutcomeStatus.FAILED
        )

    carrier.what["prod/a_slow"] = a_step
    scheduler, thread = start(concurrency=1)
    listener.wait_for("began", "prod/a_slow")
    scheduler.stop()
    step.set()
    thread.join(LONG_SECONDS)
    assert not thread.is_alive()
    assert ("ended", "prod/a_slow", OutcomeStatus.STOPPED) in listener.told
    assert ("began", "prod/b_next") not in listener.told


def test_stopping_does_not_wait_longer_than_its_limit(project, start, listener, carrier):
    project.profile("prod.toml", profile("db"))
    forever = threading.Event()
    carrier.what["prod/db"] = lambda *_: forever.wait(LONG_SECONDS)
    scheduler, thread = start(finish_seconds=0.05)
    listener.wait_for("began", "prod/db")
    scheduler.stop()
    thread.join(LONG_SECONDS)
    assert not thread.is_alive()
    forever.set()


def test_a_stop_before_the_start_is_obeyed(project, listener, carrier):
    project.profile("prod.toml", profile("db"))
    catalog = CatalogWatcher(str(project.profiles), environ=os.environ)
    catalog.read()
    scheduler = Scheduler(catalog, carrier, listeners=[listener])
    scheduler.stop()
    scheduler.run()
    assert ("began", "prod/db") not in listener.told


def test_the_loop_notices_a_changed_profile(project, start, listener, monkeypatch):
    monkeypatch.setattr("envkit.rotation.scheduler.loop.TICK_SECONDS", 0.01)
    project.profile("prod.toml", profile("db"))
    start()
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE)
    project.profile("staging.toml", profile("db").replace("dotenv:DB", "dotenv:DB2"))
    listener.wait_for("loaded", "prod/db", "staging/db")
    listener.wait_for("ended", "staging/db", OutcomeStatus.NOT_DUE)
    (project.profiles / "staging.toml").unlink()
    listener.wait_for("loaded", "prod/db", times=2)


def test_the_loop_reloads_the_profiles_at_once_on_request(project, start, listener):
    project.profile("prod.toml", profile("db"))
    scheduler, _ = start()
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE)
    scheduler.reload()
    listener.wait_for("loaded", "prod/db", times=2)
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE, times=2)


def test_profiles_that_became_unreadable_change_nothing(project, start, listener):
    project.profile("prod.toml", profile("db"))
    scheduler, _ = start()
    listener.wait_for("ended", "prod/db", OutcomeStatus.NOT_DUE)
    # two rotations of one secret, which do not say the same of it
    other = profile("db2").replace("DB2", "DB").replace("30d", "7d")
    project.profile("prod.toml", profile("db") + other)
    scheduler.reload()
    listener.wait_for("troubled", ProfileError)
    assert listener.told.count(("loaded", "prod/db")) == 1
