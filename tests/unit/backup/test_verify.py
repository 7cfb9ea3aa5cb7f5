"""How each place of a backup compares with its store."""

import pytest

from envkit.backup.format import EnvironmentBackup
from envkit.backup.verify import State, compare_environment
from envkit.profile.placeholder import parse_reference
from support.backups import saved

PLACE = "vault:db#password"


def compared(before, now):
    found = compare_environment(
        EnvironmentBackup("prod", {}, tuple(before)),
        EnvironmentBackup("prod", {}, tuple(now)),
        {parse_reference(PLACE)},
    )
    return [one.state for one in found]


@pytest.mark.parametrize(
    ("before", "now", "states"),
    [
        ([saved(PLACE, "x")], [saved(PLACE, "x")], [State.SAME]),
        # another field of the same secret has changed
        ([saved(PLACE, "x")], [saved(PLACE, "x", version="8")], [State.SAME]),
        ([saved(PLACE, "x")], [saved(PLACE, "y", version="8")], [State.CHANGED]),
        # the store was made again, and counts from the beginning
        ([saved(PLACE, "x")], [saved(PLACE, "y", version="7")], [State.CHANGED]),
        ([saved(PLACE, "x")], [saved(PLACE, None)], [State.GONE]),
        ([saved(PLACE, "x")], [], [State.UNKNOWN]),
        ([saved("vault:other#password", "x")], [], [State.UNUSED]),
        ([saved(PLACE, None)], [saved(PLACE, "x")], [State.NEW]),
        ([saved(PLACE, None)], [saved(PLACE, None)], []),
        ([saved(PLACE, None)], [], []),
        ([], [saved(PLACE, "x")], [State.NEW]),
        ([], [saved(PLACE, None)], []),
    ],
)
def test_each_place_has_one_state(before, now, states):
    assert compared(before, now) == states
