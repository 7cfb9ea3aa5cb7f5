"""What a restore does with each place, and which values it writes for a secret."""

import json

import pytest

from envkit.backup.restore_plan import Action, Place, Wanted, decide, wanted
from envkit.editing.slots import CurrentValue, StoreSlot
from envkit.errors import DeniedError
from envkit.profile.placeholder import parse_reference
from envkit.secret import Secret
from support.backups import saved

REFERENCE = parse_reference("vault:db#password")
DENIED = DeniedError("permission denied")


def place(current, *, writable=True, obstacle=None):
    one = Wanted(("DB",), REFERENCE, "vault:db#password", "7", Secret("backup"))
    slot = StoreSlot(None, REFERENCE) if writable else None
    now = current if current is None else CurrentValue(current and Secret(current), "9")
    return Place("prod", one, one.where, slot, now, obstacle)


ABSENT = ""


@pytest.mark.parametrize(
    ("current", "more", "kept", "overwritten"),
    [
        (ABSENT, {}, Action.RESTORE, Action.RESTORE),
        ("backup", {}, Action.SAME, Action.SAME),
        ("newer", {}, Action.KEEP, Action.REPLACE),
        (None, {"obstacle": DENIED}, Action.FAILED, Action.FAILED),
        (ABSENT, {"obstacle": DENIED}, Action.FAILED, Action.FAILED),
        ("backup", {"obstacle": DENIED}, Action.SAME, Action.SAME),
        ("newer", {"obstacle": DENIED}, Action.KEEP, Action.FAILED),
        (ABSENT, {"writable": False}, Action.FAILED, Action.FAILED),
    ],
)
def test_a_value_that_is_not_the_backups_is_replaced_only_on_request(
    current, more, kept, overwritten
):
    one = place(current, **more)
    if current == ABSENT:
        one = one._replace(current=CurrentValue(None, None))
    assert decide(one, overwrite=False) == kept
    assert decide(one, overwrite=True) == overwritten


def test_a_place_that_the_profile_does_not_read_is_never_written():
    for current in (ABSENT, "newer", None):
        assert decide(place(current)._replace(unused=True), overwrite=True) == Action.UNUSED


WHOLE = json.dumps({"user": "app", "port": 5432, "rate": 1.10})


@pytest.mark.parametrize(
    ("secrets", "written"),
    [
        ([saved("vault:db#password", "x")], {"vault:db#password": "x"}),
        ([saved("dotenv:#KEY", None)], {}),
        # a whole secret, with what a profile reads of it alone
        (
            [saved("vault:db#*", '{"user":"app","pass":"x"}'), saved("vault:db#user", "app")],
            {"vault:db#user": "app", "vault:db#pass": "x"},
        ),
        # the one field of a secret in Vault: its name is in the whole secret
        (
            [saved("vault:db", "x"), saved("vault:db#*", '{"password":"x"}')],
            {"vault:db#password": "x"},
        ),
        # a secret in AWS without fields
        ([saved("aws:key", "no JSON"), saved("aws:key#*", "no JSON")], {"aws:key": "no JSON"}),
    ],
)
def test_each_value_is_written_once_and_where_its_name_is_known(secrets, written):
    found = wanted(secrets)
    assert {str(one.reference): one.value.reveal() for one in found} == written
    assert not any(one.obstacle for one in found)


@pytest.mark.parametrize("reference", ["vault:db?version=3#password", "aws:db?stage=AWSPREVIOUS"])
def test_a_pinned_version_cannot_be_restored(reference):
    [one] = wanted([saved(reference)])
    assert "is pinned to one version" in one.obstacle.message
    assert "yourself" in one.obstacle.hint


def test_a_field_that_is_not_text_is_not_written_as_text():
    found = {one.reference.field: one for one in wanted([saved("vault:db#*", WHOLE)])}
    assert {name: one.value.reveal() for name, one in found.items()} == {
        "user": "app",
        "port": "5432",
        "rate": "1.1",
    }
    assert {name for name, one in found.items() if one.obstacle} == {"port", "rate"}
