"""In-memory targets that behave like real ones, and one rotator for all of them.

    target = Alternate()
    rotator = target.open(deadline=deadline, confirm=confirm, id="1")
    target.refuses["set"] = RejectedError       # the next time
    target.fails["set"] = UnavailableError("")  # until it is removed
    target.logs_in(fields)

`support.rotation_world` stops processes between their operations; the tests of the engine and
the contract of rotation stores use the same targets without stopping them.
"""

import threading
from contextlib import nullcontext
from types import MappingProxyType

from envkit.errors import RotationError
from envkit.rotation.protocols import Created, Usage
from envkit.secret import Secret

SETTLE_SECONDS = 50.0


def text(fields, field="password"):
    return fields[field].reveal() if field in fields else None


class Undisturbed:
    """The process of a rotator that no test pauses; see `support.rotation_world.Process`."""

    def at(self, operation):
        pass

    def in_one_step(self):
        return nullcontext()


class Target:
    """The common base of the targets.

    Attributes:
        fields: of the secret that are rotated.
        start: the first fields of the secret.
        overlap: whether the old and the new credential both work.
        made: the number of credentials that were created.
        calls: the methods of the rotator that were called, in order.
        refuses: a method -> the kind of error that its next call raises.
        fails: a method -> an error that every call raises, or a function that returns one;
            until the entry is removed.
        id: of the rotation that the rotator was opened for.
        given: all arguments that it was opened with.
        description: what the rotator calls its target.
        sessions: of the old credential, as `in_use` reports them.
        locks: whether the target has a lock, so that nothing happens between `confirm` and
            the change.
    """

    fields = ("password",)
    start = MappingProxyType({"password": "p0"})
    overlap = True
    description = "fake:1"
    locks = True
    looks_beside = ()

    def __init__(self):
        self.made = 0
        self.calls = []
        self.refuses = {}
        self.fails = {}
        self.id = None
        self.given = {}
        self.sessions = []
        self.lock = threading.Lock()  # a real target runs one operation at a time

    def open(self, *, process=None, **given):
        """Open the rotator, as the engine does."""
        self.id = given["id"]
        self.given = given
        return Rotator(self, process or Undisturbed(), given)

    def number(self):
        """Return the number of a new credential."""
        self.made += 1
        return self.made

    def called(self, method):
        """Record a call, and raise its error if there is one."""
        self.calls.append(method)
        refused = self.refuses.pop(method, None)
        if refused is not None:
            raise refused("the target says no")
        error = self.fails.get(method)
        if callable(error):
            error = error()
        if error is not None:
            raise error


class Rotator:
    """Perform the steps of its target, one operation at a time."""

    def __init__(self, target, process, given):
        self.target = target
        self.process = process
        self.confirm, self.settle = given["confirm"], given["settle"]
        self.issued = given["issued"]
        self.looks_beside = target.looks_beside

    def _operation(self, name, *args):
        self.process.at(name)
        self.target.called(name)
        if self.target.locks:
            with self.process.in_one_step(), self.target.lock:
                result = getattr(self.target, name)(self.confirm, *args)
        else:
            result = getattr(self.target, name)(self, *args)
        self.process.at(f"{name} done")
        return result

    def describe_target(self):
        return self.target.description

    def prepare(self, current):
        return self._operation("prepare", current)

    def create(self, current, facts):
        return self._operation("create", current, facts)

    def set(self, old, new, facts):
        self._operation("set", old, new)

    def test(self, new, facts):
        self.process.at("test")
        self.target.called("test")
        if not self.target.logs_in(new):
            raise RotationError("the new credential does not log in")

    def probe(self, fields, facts):
        self.process.at("probe")
        self.target.called("probe")
        return self.target.logs_in(fields)

    def is_dead(self, fields, keep, facts):
        return not (self.target.description and self.probe(fields, facts))

    def in_use(self, fields, facts):
        self.process.at("look")
        self.target.called("in_use")
        return Usage(tuple(self.target.sessions))

    def finish(self, old, new, facts):
        self.process.at("finish")
        self.target.called("finish")

    def retire(self, fields, keep, facts):
        self._operation("retire", fields, keep, facts)


class Additive(Target):
    """A user may have several passwords, as in Redis.

    Args:
        first: the password at first.
        prefix: the text before the number of the other passwords.
        field: the name of the password in the secret.
    """

    def __init__(self, first="p0", prefix="p", field="password"):
        super().__init__()
        self.fields = (field,)
        self.prefix = prefix
        self.passwords = {first}

    def prepare(self, confirm, current):
        return {"seen": "yes"}

    def create(self, confirm, current, facts):
        assert facts["seen"] == "yes"
        number = self.number()
        return Created({self.fields[0]: Secret(f"{self.prefix}{number}")}, {"number": str(number)})

    def set(self, confirm, old, new):
        confirm()
        self.passwords.add(text(new, self.fields[0]))

    def retire(self, confirm, fields, keep, facts):
        if fields and fields != keep:
            confirm()
            self.passwords.discard(text(fields, self.fields[0]))

    def logs_in(self, fields):
        return text(fields, self.fields[0]) in self.passwords

    def check_nothing_is_left(self, current, record):
        assert self.passwords == {current[self.fields[0]]}


class WithoutLock(Additive):
    """As in Redis, where a process may be paused between its last check and its change."""

    locks = False

    def create(self, rotator, current, facts):
        made = super().create(rotator.confirm, current, facts)
        return made._replace(issued=(text(made.new),))

    def set(self, rotator, old, new):
        password = text(new)
        rotator.confirm()
        rotator.process.at("add")
        added = password not in self.passwords
        self.passwords.add(password)
        rotator.process.at("added")
        if added:
            rotator.settle(new, lambda: self.passwords.discard(password))

    def retire(self, rotator, fields, keep, facts):
        if not fields or fields == keep:
            return
        rotator.confirm()
        rotator.process.at("remove")
        self.passwords -= {text(fields), *rotator.issued} - {text(keep)}

    def check_nothing_is_left(self, current, record):
        """The next rotation removes a credential that a killed process added too late."""
        assert current["password"] in self.passwords
        assert self.passwords <= {current["password"], *record["issued"]}


class Alternate(Target):
    """Two users alternate, as in PostgreSQL; the idle one cannot log in."""

    fields = ("password", "username")
    start = MappingProxyType({"password": "p0", "username": "a"})

    def __init__(self):
        super().__init__()
        self.users = {"a": "p0", "b": None}

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        idle = "b" if text(current, "username") == "a" else "a"
        return Created({"password": Secret(f"p{self.number()}"), "username": Secret(idle)})

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

    def check_nothing_is_left(self, current, record):
        works = {user: password for user, password in self.users.items() if password}
        assert works == {current["username"]: current["password"]}


class Single(Target):
    """One user with one password: setting the new one ends the old one."""

    overlap = False

    def __init__(self):
        super().__init__()
        self.password = "p0"

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        return Created({"password": Secret(f"p{self.number()}")})

    def set(self, confirm, old, new):
        confirm()
        self.password = text(new)

    def retire(self, confirm, fields, keep, facts):
        confirm()
        if fields and self.password == text(fields):
            self.password = text(keep)

    def logs_in(self, fields):
        return text(fields) == self.password

    def check_nothing_is_left(self, current, record):
        assert self.password == current["password"]


class Unstaged(Target):
    """The target creates the credential, which works before it can be saved (IAM)."""

    fields = ("password", "id")
    start = MappingProxyType({"password": "s0", "id": "k0"})
    MOST = 2

    def __init__(self):
        super().__init__()
        self.keys = {"k0": "s0"}

    def prepare(self, confirm, current):
        if len(self.keys) == self.MOST:
            raise RotationError("there is a second key, which is not ours")
        if text(current, "id") not in self.keys:
            raise RotationError("the secret's key is not there")
        return {"known": " ".join(sorted(self.keys))}

    def create(self, confirm, current, facts):
        confirm()
        if text(current, "id") not in facts["known"].split():
            raise RotationError("the record does not know the current key")
        self._forget_unknown(facts)
        assert len(self.keys) < self.MOST
        number = self.number()
        self.keys[f"k{number}"] = f"s{number}"
        return Created({"password": Secret(f"s{number}"), "id": Secret(f"k{number}")})

    def set(self, confirm, old, new):
        pass

    def retire(self, confirm, fields, keep, facts):
        confirm()
        if fields:
            self.keys.pop(text(fields, "id"), None)
        elif text(keep, "id") in facts["known"].split():
            self._forget_unknown(facts)

    def _forget_unknown(self, facts):
        for key in self.keys.keys() - set(facts["known"].split()):
            del self.keys[key]

    def logs_in(self, fields):
        return self.keys.get(text(fields, "id")) == text(fields)

    def check_nothing_is_left(self, current, record):
        assert self.keys == {current["id"]: current["password"]}


class Keyring(Target):
    """The readers are the target: the first key signs, and all of them verify."""

    start = MappingProxyType({"password": "p0"})
    description = ""

    def prepare(self, confirm, current):
        return {}

    def create(self, confirm, current, facts):
        old, new = text(current), f"p{self.number()}"
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

    def check_nothing_is_left(self, current, record):
        assert "," not in current["password"]


TARGETS = (Additive, WithoutLock, Alternate, Single, Unstaged, Keyring)
