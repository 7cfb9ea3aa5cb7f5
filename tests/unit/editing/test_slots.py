"""A slot reads, writes and removes a value at its place."""

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.slots import CurrentValue, ProfileSlot, StoreSlot
from envkit.editing.write import write_one
from envkit.errors import ConflictError, DeniedError, ProfileError, UnchangeableError
from envkit.profile.location import Location
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support.permissions import as_nobody, folder_of_nobody
from support.shelf import Shelf

REF = Reference("memory", "db", "password")


def memory():
    source = MemorySource(SourceContext("memory", deadline=Deadline(15)))
    source.put("db", {"password": "old"})
    return source


def write(slot, value, before):
    return write_one(slot, value, before, Deadline(15))


def test_a_slot_reads_a_value_with_its_version():
    slot = StoreSlot(memory(), REF)
    assert slot.where == "memory:db#password"
    assert slot.read() == CurrentValue(Secret("old"), "1")
    assert StoreSlot(memory(), REF._replace(field="none")).read() == CurrentValue(None, "1")
    assert StoreSlot(memory(), REF._replace(path="none")).read() == CurrentValue(None, None)


def test_a_slot_in_a_store_without_versions_is_an_error():
    with pytest.raises(UnchangeableError, match="shelf memory:db#password has no versions"):
        _ = StoreSlot(Shelf(), REF).versioned


# ---------------------------------------------------------------- a line of the profile


def line_of(path, name="A"):
    return ProfileSlot(name, Location(str(path), 2), Deadline(15))


@pytest.fixture
def profile(project):
    return project.profile("dev.toml", '[variables]\nA = "1" # one\nB = "2"\n')


def test_a_profile_slot_reads_writes_and_removes_a_line(profile):
    slot = line_of(profile)
    assert slot.where == "profiles/dev.toml:2"
    assert slot.read() == CurrentValue(Secret("1"), None)
    assert write(slot, Secret("x"), slot.read()) is None
    assert profile.read_text() == '[variables]\nA = "x" # one\nB = "2"\n'
    write(slot, None, slot.read())
    assert profile.read_text() == '[variables]\nB = "2"\n'
    assert slot.read() == CurrentValue(None, None)


@pytest.mark.parametrize("text", ['[variables]\nA = "9"\n', '[variables]\nA = "{{ B }}"\n', ""])
def test_a_line_that_was_changed_meanwhile_is_a_conflict(profile, text):
    slot = line_of(profile)
    before = slot.read()
    profile.write_text(text)
    with pytest.raises(ConflictError, match=r"A in profiles/dev\.toml was changed"):
        write(slot, Secret("x"), before)
    assert profile.read_text() == text


def test_a_change_beside_the_line_is_not_a_conflict(profile):
    slot = line_of(profile)
    before = slot.read()
    profile.write_text('[variables]\nB = "3"\nA = "1"\n')
    write(slot, Secret("x"), before)
    assert profile.read_text() == '[variables]\nB = "3"\nA = "x"\n'


def test_a_deleted_profile_is_an_error(profile):
    slot = line_of(profile)
    profile.unlink()
    with pytest.raises(ProfileError, match="any more"):
        slot.read()


def test_an_unwritable_profile_is_left_unchanged():
    with folder_of_nobody() as root:
        path = root / "dev.env"
        path.write_text("A=1\n")
        root.chmod(0o555)
        with as_nobody(), pytest.raises(DeniedError, match="cannot write"):
            write(line_of(path), Secret("x"), CurrentValue(Secret("1"), None))
        root.chmod(0o755)
        assert path.read_text() == "A=1\n"
