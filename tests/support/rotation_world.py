"""A world to rotate in: one secret, a target, readers, and processes that can be stopped anywhere.

    world = World(Alternate)
    process = world.process()
    process.go_on()             # up to its next operation on the store or the target
    process.kill()

Every operation of a process waits until the test lets it happen, so that the test, and not
the scheduler of threads, decides how several of them are interleaved. After each of them
`world.check_readers` looks whether whoever reads the secret now can log in with it.

The targets keep what real ones keep. A change of a target and the look before it whether
the rotation is still ours are one step, as they are under a lock of the real target.
"""

from __future__ import annotations

import itertools
import json
import threading
from types import MappingProxyType

from envkit._internal.clock import Deadline
from envkit.errors import RejectedError, RotationError
from envkit.rotation.engine import Job, advance
from envkit.rotation.machine import Wish
from envkit.rotation.protocols import Created
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from envkit.secret import Secret

EVERY_SECONDS, GRACE_SECONDS = 1000.0, 100.0
LONG_SECONDS = 10_000.0  # more than a process may hold a rotation
SETTLE_SECONDS = 50.0
MOST_RUNS = 40  # until a rotation is at rest, each with all the time it needs


class Killed(BaseException):
    """The process is no more."""


def text(fields, field="password"):
    return fields[field].reveal() if field in fields else None


class Target:
    """What the rotators have in common.

    Attributes:
        fields: of the secret that are rotated.
        start: what the secret holds at first.
        overlap: whether old and new both work.
        refuses: a method -> what it raises, the next time.
    """

    fields = ("password",)
    start = MappingProxyType({"password": "p0"})
    overlap = True

    def __init__(self):
        self.numbers = itertools.count(1)
        self.refuses = {}

    def fails(self, method):
        error = self.refuses.pop(method, None)
        if error is not None:
            raise error("the target says no")


class Rotator:
    """Goes through the motions of its target, one operation at a time."""

    def __init__(self, target, process, confirm):
        self.target = target
        self.process = process
        self.confirm = confirm

    def _operation(self, name, *args):
        self.process.at(name)
        with self.process.in_one_step():
            self.target.fails(name)
            result = getattr(self.target, name)(self.confirm, *args)
        self.process.at(f"{name} done")
        return result

    def prepare(self, current):
        return self._operation("prepare", current)

    def create(self, current, facts):
        return self._operation("create", current, facts)

    def set(self, old, new, facts):
        self._operation("set", old, new)

    def test(self, new, facts):
        self.process.at("test")
        self.target.fails("test")
        if not self.target.logs_in(new):
            raise RotationError("the new credential does not log in")

    def probe(self, fields, facts):
        self.process.at("probe")
        return self.target.logs_in(fields)

    def finish(self, old, new, facts):
        self.process.at("finish")
        self.target.fails("finish")

    def retire(self, fields, keep, facts):
        self._operation("retire", fields, keep, facts)


class Additive(Target):
    """A user may have several passwords, as in Redis."""

    def __init__(self):
        super().__init__()
        self.passwords = {"p0"}

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        return Created({"password": Secret(f"p{next(self.numbers)}")})

    def set(self, confirm, old, new):
        confirm()
        self.passwords.add(text(new))

    def retire(self, confirm, fields, keep, facts):
        if fields and text(fields) != text(keep):
            confirm()
            self.passwords.discard(text(fields))

    def logs_in(self, fields):
        return text(fields) in self.passwords

    def check_nothing_is_left(self, current):
        assert self.passwords == {current["password"]}


class Alternate(Target):
    """Two users take turns, as in PostgreSQL; the idle one cannot log in."""

    fields = ("password", "username")
    start = MappingProxyType({"password": "p0", "username": "a"})

    def __init__(self):
        super().__init__()
        self.users = {"a": "p0", "b": None}

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        idle = "b" if text(current, "username") == "a" else "a"
        return Created({"password": Secret(f"p{next(self.numbers)}"), "username": Secret(idle)})

    def set(self, confirm, old, new):
        confirm()
        self.users[text(new, "username")] = text(new)

    def retire(self, confirm, fields, keep, facts):
        user = text(fields, "username")
        if user is None or user == text(keep, "username"):
            return
        confirm()
        if self.users[user] == text(fields):
            self.users[user] = None

    def logs_in(self, fields):
        return self.users.get(text(fields, "username"), None) == text(fields)

    def check_nothing_is_left(self, current):
        works = {user: password for user, password in self.users.items() if password}
        assert works == {current["username"]: current["password"]}


class Single(Target):
    """One user with one password: the old one works no longer once the new one is set."""

    overlap = False

    def __init__(self):
        super().__init__()
        self.password = "p0"

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        return Created({"password": Secret(f"p{next(self.numbers)}")})

    def set(self, confirm, old, new):
        confirm()
        self.password = text(new)

    def retire(self, confirm, fields, keep, facts):
        confirm()
        if fields and self.password == text(fields):
            self.password = text(keep)

    def logs_in(self, fields):
        return text(fields) == self.password

    def check_nothing_is_left(self, current):
        assert self.password == current["password"]


class Unstaged(Target):
    """The target makes the credential, which works before anybody can write it down (IAM)."""

    fields = ("password", "id")
    start = MappingProxyType({"password": "s0", "id": "k0"})
    MOST = 2

    def __init__(self):
        super().__init__()
        self.keys = {"k0": "s0"}

    def prepare(self, confirm, current):
        if len(self.keys) == self.MOST:
            raise RotationError("there is a second key, which is not ours")
        return {"known": " ".join(sorted(self.keys))}

    def create(self, confirm, current, facts):
        confirm()
        self._forget_unknown(facts)
        assert len(self.keys) < self.MOST
        number = next(self.numbers)
        self.keys[f"k{number}"] = f"s{number}"
        return Created({"password": Secret(f"s{number}"), "id": Secret(f"k{number}")})

    def set(self, confirm, old, new):
        pass

    def retire(self, confirm, fields, keep, facts):
        confirm()
        if fields:
            self.keys.pop(text(fields, "id"), None)
        else:
            self._forget_unknown(facts)

    def _forget_unknown(self, facts):
        for key in self.keys.keys() - set(facts["known"].split()):
            del self.keys[key]

    def logs_in(self, fields):
        return self.keys.get(text(fields, "id")) == text(fields)

    def check_nothing_is_left(self, current):
        assert self.keys == {current["id"]: current["password"]}


class Keyring(Target):
    """The readers are the target: the first key signs, and all of them verify."""

    start = MappingProxyType({"password": "p0"})

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        old, new = text(current), f"p{next(self.numbers)}"
        return Created(
            {"password": Secret(f"{new},{old}")},
            announced={"password": Secret(f"{old},{new}")},
            settle_seconds=SETTLE_SECONDS,
            final={"password": Secret(new)},
        )

    def set(self, confirm, old, new):
        pass

    def retire(self, confirm, fields, keep, facts):
        pass

    def logs_in(self, fields):
        return bool(text(fields))

    def check_nothing_is_left(self, current):
        assert "," not in current["password"]


TARGETS = (Additive, Alternate, Single, Unstaged, Keyring)


class Process:
    """One run of a rotation, which goes on only when it is told to."""

    def __init__(self, world, wish=""):
        self.world = world
        self.outcome = None
        self.where = ""
        self.ended = False
        self._wish = wish
        self._alive = True
        self._free = 0
        self._turn = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._arrived.acquire()

    def at(self, operation):
        """Wait here until the test lets it go on."""
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
        """Let it do one operation; nothing where it has ended."""
        if not self.ended:
            self._turn.release()
            self._arrived.acquire()
            self.world.check_readers()

    def go_on_until(self, operation):
        """Let it go on until it is about to do this, or has ended."""
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
                wish=self._wish,
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

    def job(self, process):
        target = self.target
        store = MemoryRotationStore(self.shelf, target.fields, process.at)
        return Job(
            "prod/db",
            store,
            lambda *, deadline, confirm, id: Rotator(target, process, confirm),  # noqa: A006
            lambda record, now: record.due_from + EVERY_SECONDS if record else 0.0,
            grace_seconds=self.grace_seconds,
            overlap=target.overlap,
        )

    def process(self, wish=""):
        return Process(self, wish)

    def run(self, wish=""):
        """Run one process to its end, undisturbed."""
        return Process(self, wish).finish()

    def touch(self):
        """Change another field of the secret, as somebody else would."""
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
        """Whoever reads now logs in: with the current value, else (single) the pending one."""
        values = [self.current]
        if not self.target.overlap:
            values += self.envelope.get("values", {}).values()
        works = [
            self.target.logs_in({name: Secret(value) for name, value in fields.items()})
            for fields in values
        ]
        assert any(works), f"nobody can log in; record: {self.record}"

    def come_to_rest(self):
        """Run it, with time in between, until nothing is under way."""
        self.target.refuses.clear()
        for _ in range(MOST_RUNS):
            outcome = self.run(Wish.RESUME if self.record.get("holder") else "")
            if not self.in_progress:
                break
            self.now = max(self.now, outcome.until) + 1
        self.check_at_rest()

    def check_at_rest(self):
        """Nothing is under way, and nothing is left behind."""
        assert not self.in_progress, self.record
        assert "values" not in self.envelope
        self.target.check_nothing_is_left(self.current)
        assert self.shelf.fields["touched"] == str(self.touched)


def fresh(kind):
    """Return a world in which nothing was rotated yet."""
    return World(kind)


def in_grace(kind):
    """Return a world in which readers have the new value, and the old one still works."""
    world = World(kind)
    while world.record.get("phase") != "grace":
        world.now = max(world.now + 1, world.run().until)
    return world


def after_grace(kind):
    """Return a world in which the old value is to be retired."""
    world = in_grace(kind)
    world.now = world.record["retire_at"] + 1
    return world


def overtake(world, first, second, done, overtaken_for):
    """Stop one process after some operations, let another do some, then let both go on.

    Returns:
        whether each of the two had ended before it was its turn to wait.
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
