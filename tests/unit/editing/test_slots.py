"""A value's slot: compare-and-set on that value, whatever else changes meanwhile."""

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.slots import ATTEMPTS, CurrentValue, ProfileSlot, StoreSlot
from envkit.errors import ConflictError, DeniedError, ProfileError, UnchangeableError
from envkit.profile.location import Location
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support.permissions import as_nobody, folder_of_nobody
from support.shelf import Shelf

REF = Reference("memory", "db", "password")


class Busy(MemorySource):
    """A store in which somebody else changes a secret just before each write."""

    def __init__(self, *changes):
        super().__init__(SourceContext("memory", deadline=Deadline(15)))
        self.put("db", {"password": "old", "user": "a"})
        self.changes = list(changes)

    def write(self, ref, value, *, expected):
        if self.changes:
            self.put("db", self.changes.pop(0))
        return super().write(ref, value, expected=expected)

    def restore(self, ref, version, *, expected):
        if self.changes:
            self.put("db", self.changes.pop(0))
        return super().restore(ref, version, expected=expected)

    def now(self):
        return dict(self._versions["db"][-1].fields)


def beside(user):
    return {"password": "old", "user": user}


def test_a_value_is_read_with_its_version():
    slot = StoreSlot(Busy(), REF)
    assert slot.where == "memory:db#password"
    assert slot.read() == CurrentValue(Secret("old"), "1")
    assert StoreSlot(Busy(), REF._replace(field="none")).read() == CurrentValue(None, "1")
    assert StoreSlot(Busy(), REF._replace(path="none")).read() == CurrentValue(None, None)


def test_a_change_of_another_field_is_no_conflict():
    store = Busy(beside("b"), beside("c"))
    slot = StoreSlot(store, REF)
    assert slot.write(Secret("new"), before=slot.read()) == "4"
    assert store.now() == {"password": "new", "user": "c"}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([{"password": "theirs", "user": "a"}], {"password": "theirs", "user": "a"}),
        ([{"user": "a"}], {"user": "a"}),
        ([beside(str(number)) for number in range(ATTEMPTS)], beside(str(ATTEMPTS - 1))),
    ],
    ids=["the value is another", "the value is removed", "the secret changes all the time"],
)
@pytest.mark.parametrize("value", [Secret("new"), None])
def test_a_change_that_comes_first_is_a_conflict_and_stays(changes, left, value):
    store = Busy(*changes)
    slot = StoreSlot(store, REF)
    with pytest.raises(ConflictError):
        slot.write(value, before=slot.read())
    assert store.now() == left


def test_a_conflict_that_is_none_is_not_tried_again():
    class Stubborn(Busy):
        tries = 0

        def write(self, ref, value, *, expected):
            self.tries += 1
            raise ConflictError("scheduled for deletion")

    store = Stubborn()
    slot = StoreSlot(store, REF)
    with pytest.raises(ConflictError, match="scheduled"):
        slot.write(Secret("new"), before=slot.read())
    assert store.tries == 1


def test_an_earlier_value_comes_back_beside_changes_of_others():
    store = Busy()
    slot = StoreSlot(store, REF)
    slot.write(Secret("new"), before=slot.read())
    store.changes = [{"password": "new", "user": "b"}]
    slot.restore("1", before=slot.read())
    assert store.now() == {"password": "old", "user": "b"}


def test_a_store_without_versions_says_so():
    with pytest.raises(UnchangeableError, match="shelf memory:db#password has no versions"):
        StoreSlot(Shelf(), REF).restore("1", before=CurrentValue(None, None))


# ---------------------------------------------------------------- a line of the profile


def line_of(path, name="A"):
    return ProfileSlot(name, Location(str(path), 2), Deadline(15))


@pytest.fixture
def profile(project):
    return project.profile("dev.toml", '[variables]\nA = "1" # one\nB = "2"\n')


def test_a_line_is_read_written_and_removed(profile):
    slot = line_of(profile)
    assert slot.where == "profiles/dev.toml:2"
    assert slot.read() == CurrentValue(Secret("1"), None)
    assert slot.write(Secret("x"), before=slot.read()) is None
    assert profile.read_text() == '[variables]\nA = "x" # one\nB = "2"\n'
    slot.write(None, before=slot.read())
    assert profile.read_text() == '[variables]\nB = "2"\n'
    assert slot.read() == CurrentValue(None, None)


@pytest.mark.parametrize("text", ['[variables]\nA = "9"\n', '[variables]\nA = "{{ B }}"\n', ""])
def test_a_line_that_was_changed_meanwhile_is_a_conflict(profile, text):
    slot = line_of(profile)
    before = slot.read()
    profile.write_text(text)
    with pytest.raises(ConflictError, match=r"A in profiles/dev\.toml was changed"):
        slot.write(Secret("x"), before=before)
    assert profile.read_text() == text


def test_a_change_beside_the_line_is_none(profile):
    slot = line_of(profile)
    before = slot.read()
    profile.write_text('[variables]\nB = "3"\nA = "1"\n')
    slot.write(Secret("x"), before=before)
    assert profile.read_text() == '[variables]\nB = "3"\nA = "x"\n'


def test_a_profile_that_is_gone(profile):
    slot = line_of(profile)
    profile.unlink()
    with pytest.raises(ProfileError, match="any more"):
        slot.read()


def test_a_profile_that_may_not_be_written_stays():
    with folder_of_nobody() as root:
        path = root / "dev.env"
        path.write_text("A=1\n")
        root.chmod(0o555)
        with as_nobody(), pytest.raises(DeniedError, match="cannot write"):
            line_of(path).write(Secret("x"), before=CurrentValue(Secret("1"), None))
        root.chmod(0o755)
        assert path.read_text() == "A=1\n"
