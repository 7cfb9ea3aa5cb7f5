"""A world to rotate in: one secret, a target, readers, and processes that can be stopped anywhere.

    world = World(Alternate)
    process = world.process()
    process.go_on()             # up to its next operation on the store or the target
    process.kill()

Every operation of a process waits until the test allows it. The test, not the thread
scheduler, therefore decides how processes interleave. After each of them
`world.check_readers` checks that a reader of the current secret can log in with it.

The targets are those of `support.fake_targets`. A change of a target and
the `confirm` before it are one step, as under a lock of a real target.
"""

import json
import threading
from functools import partial

from envkit._internal.clock import Deadline
from envkit.errors import RejectedError, RotationError
from envkit.rotation.engine import Job, advance
from envkit.rotation.machine import Request
from envkit.rotation.protocols import Reader
from envkit.rotation_state.retirement import Retirement, RetireWhen
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from envkit.secret import Secret

EVERY_SECONDS, GRACE_SECONDS = 1000.0, 100.0
QUIET_SECONDS, EXTRA_SECONDS = 50.0, 500.0  # without a session; from the grace to its limit
LONG_SECONDS = 10_000.0  # longer than a process can own a rotation
MOST_RUNS = 40  # that finish a rotation, each without a deadline


class Killed(BaseException):
    """The process was killed."""


class Process:
    """One run of a rotation that advances only when the test says so."""

    def __init__(self, world, requested=""):
        self.world = world
        self.outcome = None
        self.where = ""
        self.ended = False
        self._requested = requested
        self._alive = True
        self._free = 0
        self._turn = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._arrived.acquire()

    def at(self, operation):
        """Wait here until the test lets the process continue."""
        if self._free:
            return
        self.where = operation
        self._arrived.release()
        self._turn.acquire()
        if not self._alive:
            raise Killed

    def in_one_step(self):
        process = self

        class Free:
            def __enter__(self):
                process._free += 1

            def __exit__(self, *_):
                process._free -= 1

        return Free()

    def go_on(self):
        """Allow one operation; does nothing if the process has ended."""
        if not self.ended:
            self._turn.release()
            self._arrived.acquire()
            self.world.check_readers()

    def go_on_until(self, operation):
        """Continue until the process is about to do this operation, or has ended."""
        while not self.ended and self.where != operation:
            self.go_on()

    def finish(self):
        while not self.ended:
            self.go_on()
        return self.outcome

    def kill(self):
        self._alive = False
        self.go_on()
        while not self.ended:
            self.go_on()

    def _run(self):
        try:
            self.outcome = advance(
                self.world.job(self),
                deadline=Deadline(600),
                requested=self._requested,
                clock=lambda: self.world.now,
                me=f"host:{id(self)}",
            )
        except Killed:
            pass
        finally:
            self.ended = True
            self._arrived.release()


class World:
    """See the module's docstring."""

    def __init__(self, kind, *, grace_seconds=GRACE_SECONDS):
        self.target = kind()
        self.now = LONG_SECONDS
        self.grace_seconds = grace_seconds
        self.shelf = MemoryShelf({**kind.start, "touched": "0"})
        self.touched = 0
        self.job_options = {}

    def job(self, process):
        target = self.target
        store = MemoryRotationStore(self.shelf, target.fields, process.at)
        return Job(
            "prod/db",
            store,
            partial(target.open, process=process),
            lambda record, now: record.due_from + EVERY_SECONDS if record else 0.0,
            grace_seconds=self.grace_seconds,
            overlap=target.overlap,
            **self.job_options,
        )

    def process(self, requested=""):
        return Process(self, requested)

    def run(self, requested=""):
        """Run one process to its end, undisturbed."""
        return Process(self, requested).finish()

    def touch(self):
        """Change another field of the secret, as another client would."""
        self.touched += 1
        self.shelf.put({**self.shelf.fields, "touched": str(self.touched)})

    @property
    def current(self):
        return {name: self.shelf.fields[name] for name in self.target.fields}

    @property
    def envelope(self):
        return json.loads(self.shelf.envelope) if self.shelf.envelope else {}

    @property
    def record(self):
        return self.envelope.get("record", {})

    @property
    def in_progress(self):
        return self.record.get("phase") not in (None, "idle", "quarantined")

    def check_readers(self):
        """Check that a reader can log in with the current value, or (single) the pending one."""
        values = [self.current]
        if not self.target.overlap:
            values += self.envelope.get("values", {}).values()
        works = [
            self.target.logs_in({name: Secret(value) for name, value in fields.items()})
            for fields in values
        ]
        assert any(works), f"no reader can log in; record: {self.record}"

    def come_to_rest(self):
        """Run processes, with time in between, until no rotation is in progress."""
        self.target.refuses.clear()
        for _ in range(MOST_RUNS):
            outcome = self.run(Request.RESUME if self.record.get("holder") else "")
            if not self.in_progress:
                break
            self.now = max(self.now, outcome.until) + 1
        self.check_at_rest()

    def check_at_rest(self):
        """Check that no rotation is in progress, and that nothing is left behind."""
        assert not self.in_progress, self.record
        assert "values" not in self.envelope
        self.target.check_nothing_is_left(self.current, self.record)
        assert self.shelf.fields["touched"] == str(self.touched)


def fresh(kind):
    """Return a world in which no rotation has begun."""
    return World(kind)


def in_grace(kind):
    """Return a world in which readers have the new value, and the old one still works.

    Args:
        kind: of target, or a new world.
    """
    world = kind if isinstance(kind, World) else World(kind)
    while world.record.get("phase") != "grace":
        world.now = max(world.now + 1, world.run().until)
    return world


def after_grace(kind):
    """Return a world whose grace period is over, before the old value is retired."""
    world = in_grace(kind)
    world.now = world.record["retire_at"] + 1
    return world


def waiting(kind, when=RetireWhen.UNUSED):
    """Return a fresh world whose old credential has a session, and is kept while it has one."""
    world = World(kind)
    world.job_options["retirement"] = Retirement(when, QUIET_SECONDS, EXTRA_SECONDS)
    world.target.sessions.append(Reader("app_a", "10.0.0.5", "gunicorn"))
    return world


def overtake(world, first, second, done, overtaken_for):
    """Stop one process after some operations, let another do some, then let both continue.

    Returns:
        whether each of the two ended before it had to wait.
    """
    slow = world.process(first)
    for _ in range(done):
        slow.go_on()
    slow_ended = slow.ended
    other = world.process(second)
    for _ in range(overtaken_for):
        other.go_on()
    other_ended = other.ended
    slow.finish()
    other.finish()
    world.come_to_rest()
    return slow_ended, other_ended


def overtake_everywhere(kind, prelude, first, second):
    """Do so after each number of operations of both; say how often that was."""
    count = 0
    done = 0
    slow_ended = False
    while not slow_ended:
        done += 1
        overtaken_for = 0
        other_ended = False
        while not other_ended:
            overtaken_for += 1
            count += 1
            slow_ended, other_ended = overtake(prelude(kind), first, second, done, overtaken_for)
    return count


def rejected_or_failed(number):
    return RejectedError if number % 2 else RotationError
