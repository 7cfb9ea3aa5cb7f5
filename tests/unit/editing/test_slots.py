"""What holds a value: compare-and-set on that value, whatever else changes meanwhile."""

from __future__ import annotations

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.slots import ATTEMPTS, Held, ProfileHolder, StoreHolder
from envkit.errors import ConflictError, DeniedError, ProfileError, UnchangeableError
from envkit.profile.location import Location
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support.permissions import as_nobody, folder_of_nobody

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
    holder = StoreHolder(Busy(), REF)
    assert holder.where == "memory:db#password"
    assert holder.read() == Held(Secret("old"), "1")
    assert StoreHolder(Busy(), REF._replace(field="none")).read() == Held(None, "1")
    assert StoreHolder(Busy(), REF._replace(path="none")).read() == Held(None, None)


def test_a_change_of_another_field_is_no_conflict():
    store = Busy(beside("b"), beside("c"))
    holder = StoreHolder(store, REF)
    assert holder.write(Secret("new"), before=holder.read()) == "4"
    assert store.now() == {"password": "new", "user": "c"}


def test_a_change_of_the_value_is_a_conflict_and_stays():
    store = Busy({"password": "theirs", "user": "a"})
    holder = StoreHolder(store, REF)
    for value in (Secret("new"), None):
        with pytest.raises(ConflictError):
            holder.write(value, before=Held(Secret("old"), "1"))
    assert store.now()["password"] == "theirs"


def test_a_removal_is_a_conflict_and_stays():
    store = Busy({"user": "a"})
    holder = StoreHolder(store, REF)
    with pytest.raises(ConflictError):
        holder.write(Secret("new"), before=holder.read())
    assert store.now() == {"user": "a"}


def test_a_secret_that_changes_all_the_time_is_given_up():
    store = Busy(*(beside(str(number)) for number in range(ATTEMPTS)))
    holder = StoreHolder(store, REF)
    with pytest.raises(ConflictError):
        holder.write(Secret("new"), before=holder.read())
    assert store.now() == beside(str(ATTEMPTS - 1))


def test_a_conflict_that_is_none_is_not_tried_again():
    class Stubborn(Busy):
        tries = 0

        def write(self, ref, value, *, expected):
            self.tries += 1
            raise ConflictError("scheduled for deletion")

    store = Stubborn()
    holder = StoreHolder(store, REF)
    with pytest.raises(ConflictError, match="scheduled"):
        holder.write(Secret("new"), before=holder.read())
    assert store.tries == 1


def test_an_earlier_value_comes_back_beside_changes_of_others():
    store = Busy()
    holder = StoreHolder(store, REF)
    holder.write(Secret("new"), before=holder.read())
    store.changes = [{"password": "new", "user": "b"}]
    holder.restore("1", before=holder.read())
    assert store.now() == {"password": "old", "user": "b"}


def test_a_store_without_versions_says_so():
    class Plain:
        name, settings, remote = "plain", {}, False

        def check(self, ref): ...
        def locate(self, ref):
            return "the shelf"

        def fetch(self, refs):
            return {}

        def write(self, ref, value, *, expected):
            return "1"

    with pytest.raises(UnchangeableError, match="the shelf has no versions"):
        StoreHolder(Plain(), REF).restore("1", before=Held(None, None))


# ---------------------------------------------------------------- a line of the profile


def line_of(path, name="A"):
    return ProfileHolder(name, Location(str(path), 2), Deadline(15))


@pytest.fixture
def profile(project):
    return project.profile("dev.toml", '[variables]\nA = "1" # one\nB = "2"\n')


def test_a_line_is_read_written_and_removed(profile):
    holder = line_of(profile)
    assert holder.where == "profiles/dev.toml:2"
    assert holder.read() == Held(Secret("1"), None)
    assert holder.write(Secret("x"), before=holder.read()) is None
    assert profile.read_text() == '[variables]\nA = "x" # one\nB = "2"\n'
    holder.write(None, before=holder.read())
    assert profile.read_text() == '[variables]\nB = "2"\n'
    assert holder.read() == Held(None, None)


@pytest.mark.parametrize("text", ['[variables]\nA = "9"\n', '[variables]\nA = "{{ B }}"\n', ""])
def test_a_line_that_was_changed_meanwhile_is_a_conflict(profile, text):
    holder = line_of(profile)
    before = holder.read()
    profile.write_text(text)
    with pytest.raises(ConflictError, match=r"A in profiles/dev\.toml was changed"):
        holder.write(Secret("x"), before=before)
    assert profile.read_text() == text


def test_a_change_beside_the_line_is_none(profile):
    holder = line_of(profile)
    before = holder.read()
    profile.write_text('[variables]\nB = "3"\nA = "1"\n')
    holder.write(Secret("x"), before=before)
    assert profile.read_text() == '[variables]\nB = "3"\nA = "x"\n'


def test_a_profile_that_is_gone(profile):
    holder = line_of(profile)
    profile.unlink()
    with pytest.raises(ProfileError, match="any more"):
        holder.read()


def test_a_profile_that_may_not_be_written_stays():
    with folder_of_nobody() as root:
        path = root / "dev.env"
        path.write_text("A=1\n")
        root.chmod(0o555)
        with as_nobody(), pytest.raises(DeniedError, match="cannot write"):
            line_of(path).write(Secret("x"), before=Held(Secret("1"), None))
        root.chmod(0o755)
        assert path.read_text() == "A=1\n"
