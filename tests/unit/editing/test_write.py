"""Compare-and-set of values: one write for each secret, whatever else changes meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.slots import CurrentValue, ProfileSlot, StoreSlot
from envkit.editing.write import Write, grouped, restore, write_one
from envkit.errors import ConflictError, UsageError
from envkit.profile.location import Location
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.dotenv import DotenvSource
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext

REF = Reference("memory", "db", "password")
USER = REF._replace(field="user")
BEFORE = CurrentValue(Secret("old"), "1")


def write(slot, value, before=BEFORE, seconds=15):
    return write_one(slot, value, before, Deadline(seconds))


class Busy(MemorySource):
    """A store in which another client changes a secret just before each write."""

    def __init__(self, *changes):
        super().__init__(SourceContext("memory", deadline=Deadline(15)))
        self.put("db", {"password": "old", "user": "a"})
        self.changes = list(changes)

    def write_group(self, values, *, expected):
        if self.changes:
            self.put("db", self.changes.pop(0))
        return super().write_group(values, expected=expected)

    def restore(self, ref, version, *, expected):
        if self.changes:
            self.put("db", self.changes.pop(0))
        return super().restore(ref, version, expected=expected)

    def now(self):
        return dict(self._versions["db"][-1].fields)


def beside(user):
    return {"password": "old", "user": user}


def test_a_change_of_another_field_is_not_a_conflict():
    store = Busy(beside("b"), beside("c"))
    slot = StoreSlot(store, REF)
    assert write(slot, Secret("new")) == "4"
    assert store.now() == {"password": "new", "user": "c"}


@pytest.mark.parametrize(
    "theirs",
    [{"password": "theirs", "user": "a"}, {"user": "a"}],
    ids=["changed", "removed"],
)
@pytest.mark.parametrize("value", [Secret("new"), None])
def test_an_earlier_foreign_change_is_a_conflict_and_is_preserved(theirs, value):
    store = Busy(theirs)
    with pytest.raises(ConflictError):
        write(StoreSlot(store, REF), value)
    assert store.now() == theirs


@pytest.mark.parametrize("changes", [1, 12])
def test_a_write_is_retried_however_often_another_field_changes(changes):
    store = Busy(*(beside(str(number)) for number in range(changes)))
    write(StoreSlot(store, REF), Secret("new"))
    assert store.now() == {"password": "new", "user": str(changes - 1)}


def test_a_write_is_given_up_after_the_deadline():
    store = Busy(beside("b"))
    with pytest.raises(ConflictError):
        write(StoreSlot(store, REF), Secret("new"), seconds=0)
    assert store.now() == beside("b")


def test_a_false_conflict_is_not_retried():
    class Stubborn(Busy):
        tries = 0

        def write_group(self, values, *, expected):
            self.tries += 1
            raise ConflictError("scheduled for deletion")

    store = Stubborn()
    with pytest.raises(ConflictError, match="scheduled"):
        write(StoreSlot(store, REF), Secret("new"))
    assert store.tries == 1


def both(store, password="new", user="b"):
    """Return the writes of two fields, as one group."""
    [group] = grouped(
        [
            Write(StoreSlot(store, REF), BEFORE, Secret(password)),
            Write(StoreSlot(store, USER), CurrentValue(Secret("a"), "1"), Secret(user)),
        ]
    )
    return group


def test_the_values_of_one_secret_are_written_in_one_version():
    store = Busy()
    group = both(store)
    assert group.indexes == (0, 1)
    assert group.run(Deadline(15)) == "2"
    assert store.now() == {"password": "new", "user": "b"}


def test_a_conflict_on_one_value_of_a_secret_stops_all_of_them():
    store = Busy(beside("theirs"))
    with pytest.raises(ConflictError):
        both(store).run(Deadline(15))
    assert store.now() == beside("theirs")


def test_values_of_different_secrets_are_written_one_after_another():
    store = Busy()
    slots = [StoreSlot(store, ref) for ref in (REF, REF._replace(path="other"), USER)]
    writes = [Write(slot, slot.read(), Secret("x")) for slot in slots]
    assert [group.indexes for group in grouped(writes)] == [(0, 2), (1,)]


def test_two_different_values_for_one_place_are_refused():
    store = Busy()
    writes = [Write(StoreSlot(store, REF), BEFORE, Secret(value)) for value in ("x", "x", "y")]
    [group] = grouped(writes[:2])
    assert (group.indexes, len(group.writes)) == ((0, 1), 1)
    with pytest.raises(UsageError, match="memory:db#password would get two different values"):
        grouped(writes)


def test_concurrent_sets_of_variables_of_one_file_all_succeed(project):
    names = [f"KEY_{number}" for number in range(20)]
    project.dotenv("dev", "".join(f"{name}=old\n" for name in names))
    barrier = Barrier(len(names))

    def change(name):
        deadline = Deadline(60)
        root = str(project.root)
        context = SourceContext("dotenv", environment="dev", root=root, deadline=deadline)
        slot = StoreSlot(DotenvSource(context), Reference("dotenv", name))
        before = slot.read()
        barrier.wait()
        write_one(slot, Secret(f"new-{name}"), before, deadline)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(change, names))
    assert (project.root / ".env.dev").read_text().split() == [f"{n}=new-{n}" for n in names]


def test_a_source_without_groups_gets_one_value_after_another():
    class Plain:
        name, settings, remote = "plain", {}, False

        def __init__(self):
            self.written = []

        def check(self, ref): ...
        def locate(self, ref):
            return str(ref)

        def fetch(self, refs):
            return {}

        def write(self, ref, value, *, expected):
            self.written.append(ref)
            return str(len(self.written))

    source = Plain()
    nothing = CurrentValue(None, None)
    writes = [Write(StoreSlot(source, ref), nothing, Secret("x")) for ref in (REF, USER)]
    assert [group.run(Deadline(15)) for group in grouped(writes)] == ["1", "2"]
    assert source.written == [REF, USER]


def test_literals_of_one_profile_are_written_in_one_step(project):
    path = project.profile("dev.toml", '[variables]\nA = "1" # one\nB = "2"\n')
    slots = [ProfileSlot(name, Location(str(path), 2), Deadline(15)) for name in "AB"]
    [group] = grouped(Write(slot, slot.read(), Secret("x")) for slot in slots)
    path.write_text(path.read_text().replace('"2"', '"theirs"'))
    with pytest.raises(ConflictError, match="B in"):
        group.run(Deadline(15))
    assert path.read_text() == '[variables]\nA = "1" # one\nB = "theirs"\n'
    [group] = grouped(Write(slot, slot.read(), Secret("x")) for slot in slots)
    assert group.run(Deadline(15)) is None
    assert path.read_text() == '[variables]\nA = "x" # one\nB = "x"\n'


def test_a_rollback_preserves_changes_of_other_fields():
    store = Busy()
    slot = StoreSlot(store, REF)
    write(slot, Secret("new"))
    store.changes = [{"password": "new", "user": "b"}]
    restore(slot, "1", slot.read(), Deadline(15))
    assert store.now() == {"password": "old", "user": "b"}
