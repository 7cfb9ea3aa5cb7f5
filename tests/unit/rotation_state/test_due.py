"""When a rotation is due and overdue, from its record: which of its times counts."""

import pytest

from envkit.rotation_state.due import is_overdue, next_due
from envkit.rotation_state.evidence import Evidence
from envkit.rotation_state.record import Phase, Record
from envkit.rotation_state.retirement import RetireWhen
from support.rotating import DAY, one_rotation, table

NOW = 1_795_577_472.0
LATENESS = 3600.0 + 900.0  # an hour and the grace period
LATE = Record("prod/key", id="1", last_rotated_at=NOW - 40 * DAY)
# its old value is in use since the last rotation
BLOCKED = LATE._replace(
    phase=Phase.GRACE,
    promoted_at=NOW - 40 * DAY,
    retire_at=NOW - 39 * DAY,
    evidence=Evidence(tried_at=NOW),
)


@pytest.fixture
def policy(project):
    project.profile("prod.toml", table("key", "KEY"))
    return one_rotation(project.profiles).policy._replace(retire_when=RetireWhen.UNUSED)


@pytest.mark.parametrize(
    ("record", "overdue"),
    [
        (None, False),
        (Record("prod/key"), False),
        (LATE, True),
        (LATE._replace(phase=Phase.TESTED, started_at=NOW), True),
        (LATE._replace(phase=Phase.GRACE, promoted_at=NOW), False),
        (BLOCKED, True),
        (BLOCKED._replace(promoted_at=NOW - DAY), False),
        (BLOCKED._replace(evidence=Evidence()), False),
        (LATE._replace(phase=Phase.RETIRING, promoted_at=NOW - 40 * DAY), False),
        (LATE._replace(phase=Phase.REVERTING, promoted_at=NOW), True),
        (LATE._replace(given_up_at=NOW), True),
        (LATE._replace(last_rotated_at=NOW - DAY), False),
    ],
)
def test_a_rotation_is_overdue_until_the_store_has_its_new_value(policy, record, overdue):
    assert is_overdue(policy, record, NOW) is overdue


@pytest.mark.parametrize(
    ("record", "counts_from"),
    [
        (LATE._replace(last_rotated_at=NOW - DAY), NOW - DAY),
        (LATE._replace(given_up_at=NOW - 2 * DAY), NOW - 2 * DAY),
        (LATE._replace(phase=Phase.GRACE, promoted_at=NOW - 3), NOW - 3),
        (LATE._replace(phase=Phase.REVERTED, promoted_at=NOW - 3, given_up_at=NOW), NOW),
    ],
)
def test_the_next_due_time_counts_from_the_last_value_or_the_last_rollback(
    policy, record, counts_from
):
    assert next_due(policy, record, NOW).starts == counts_from + 30 * DAY


def test_a_rolled_back_rotation_is_overdue_by_its_last_value(policy):
    record = LATE._replace(given_up_at=NOW)
    assert next_due(policy, record, NOW).overdue_at == NOW - 10 * DAY + LATENESS


def test_a_rotation_in_its_grace_period_is_overdue_by_its_new_value(policy):
    record = LATE._replace(phase=Phase.GRACE, promoted_at=NOW)
    assert next_due(policy, record, NOW).overdue_at == NOW + 30 * DAY + LATENESS


def test_a_rotation_that_was_never_done_is_due_now_and_never_overdue(policy):
    assert next_due(policy, None, NOW).starts == NOW
    assert next_due(policy, None, NOW).overdue_at == float("inf")
