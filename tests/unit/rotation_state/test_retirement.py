"""Why an old credential is kept after its grace period, and from when on that is an alarm."""

import pytest

from envkit.rotation_state.evidence import Evidence, Reader
from envkit.rotation_state.record import Phase, Record
from envkit.rotation_state.retirement import (
    Retirement,
    RetireWhen,
    block,
    is_alarm,
    last_block,
)

NOW, EXTRA = 1000.0, 500.0
UNUSED = Retirement(RetireWhen.UNUSED, 60.0, EXTRA)
SEEN = Evidence(NOW, NOW, NOW, readers=(Reader("app_a", "10.0.0.5", "gunicorn", seen_at=NOW),))


def graced(evidence, retire_at=NOW - 1, phase=Phase.GRACE):
    return Record("prod/db", phase=phase, retire_at=retire_at, evidence=evidence)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (SEEN, "is in use, so it still works: 1 session of app_a from 10.0.0.5 'gunicorn'"),
        (SEEN._replace(looked_at=NOW + 5), "was in use minutes ago, so it still works: 1 session"),
        (Evidence(), "cannot see whether the old credential is in use, so it still works"),
        (SEEN._replace(error="denied"), "cannot see whether the old credential is in use (denied)"),
    ],
)
def test_a_block_says_who_uses_the_old_credential_or_why_nobody_knows(evidence, reason):
    found = block(graced(evidence), UNUSED, NOW + 5)
    assert (found.alarm, reason in found.reason) == (False, True)


@pytest.mark.parametrize(
    ("record", "blocked"),
    [
        (graced(SEEN), True),
        (graced(SEEN, NOW), True),
        (graced(SEEN, NOW + 1), False),
        (graced(Evidence()), False),
        (graced(SEEN, phase=Phase.RETIRING), False),
        (graced(SEEN._replace(seen_at=0.0, readers=())), False),  # a later step has failed
        (graced(SEEN._replace(seen_at=NOW - 70)), False),
        (graced(SEEN._replace(seen_at=NOW - 50)), True),
        (graced(SEEN._replace(seen_at=0.0, error="denied")), True),
    ],
)
def test_a_rotation_is_blocked_once_a_run_has_kept_its_old_credential(record, blocked):
    assert bool(last_block(record, UNUSED)) is blocked
    assert is_alarm(record, UNUSED, NOW + EXTRA + 1) is blocked
    assert not is_alarm(record, UNUSED, NOW)


@pytest.mark.parametrize(("when", "blocked"), [(RetireWhen.GRACE, False), (RetireWhen.LIMIT, True)])
def test_there_is_no_alarm_if_the_next_run_retires_the_old_credential(when, blocked):
    retirement = UNUSED._replace(when=when)
    assert bool(last_block(graced(SEEN), retirement)) is blocked
    assert not is_alarm(graced(SEEN), retirement, NOW + EXTRA + 1)
