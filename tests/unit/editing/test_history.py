"""The versions in which a value changed, and the one that a rollback restores."""

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.find import EditableVariable
from envkit.editing.history import Recorded, changes, earlier, versions
from envkit.editing.slots import StoreSlot
from envkit.errors import DeniedError, NoVersionError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import Absent, Reading, SourceContext, Version

REF = Reference("memory", "db", "password")
STATES = ("current", "previous", *["older"] * 8)


def recorded(*values):
    """Return versions, the newest first: texts, None for absent, or outcomes of a store."""
    found = []
    for index, value in enumerate(values):
        number, state = str(len(values) - index), STATES[index]
        outcome = value
        if value is None:
            outcome = Absent()
        elif value in ("deleted", "destroyed"):
            outcome, state = None, value
        elif isinstance(value, str):
            outcome = Reading(Secret(value), number, "")
        found.append(Recorded(Version(number, float(number), None, state), outcome))
    return found


DENIED = DeniedError("no")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a"], ["1 current"]),
        (["b", "a"], ["2 current", "1 previous"]),
        (["b", "b", "a"], ["2 current", "1 older"]),
        (["a", "a", "a"], ["1 current"]),
        (["a", "b", "b", "a"], ["4 current", "2 older", "1 older"]),
        # before the field was there, and after it was taken out
        (["a", "a", None, None], ["3 current"]),
        ([None, None, "a"], ["2 current absent", "1 older"]),
        (["a", None, "a"], ["3 current", "2 previous absent", "1 older"]),
        ([None, None], []),
        # a deleted or unreadable version may have changed it
        (["a", "deleted", "a"], ["3 current", "2 deleted", "1 older"]),
        (["b", "destroyed", "destroyed"], ["3 current", "2 destroyed", "1 destroyed"]),
        (["a", DENIED, "a"], ["3 current", "2 previous", "1 older"]),
    ],
)
def test_history_lists_only_versions_in_which_the_value_changed(values, expected):
    found = changes(recorded(*values))
    assert [
        f"{one.version.version} {one.version.state}{' absent' * one.absent}" for one in found
    ] == expected


@pytest.fixture
def variable():
    store = MemorySource(SourceContext("memory", deadline=Deadline(15)))
    for password, user in (("a", "x"), ("b", "x"), ("b", "y"), ("b", "z")):
        store.put("db", {"password": password, "user": user})
    slot = StoreSlot(store, REF)
    return EditableVariable("A", (), slot, slot.read())


def test_history_versions_have_their_values(variable):
    found = versions(variable)
    assert [one.value.reveal() for one in found] == ["b", "b", "b", "a"]
    assert variable.slot.source.reads == 5, "the present one, and each version once"


def test_rollback_selects_the_newest_version_with_another_value(variable):
    found = versions(variable)
    assert earlier(variable, found, None, "dev") == (found[3].version, Secret("a"))
    assert earlier(variable, found, "2", "dev") == (found[2].version, Secret("b"))


def test_an_unknown_version_is_refused(variable):
    with pytest.raises(NoVersionError, match="has no version 9"):
        earlier(variable, versions(variable), "9", "dev")
    with pytest.raises(NoVersionError, match=r"no earlier version of .* has a different value"):
        earlier(variable, versions(variable)[:3], None, "dev")
