"""When a token is renewed or replaced, as a function of its lease and the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit._internal.clock import Deadline
from envkit.sources.vault.auth import Lease
from envkit.sources.vault.life import NEVER, Life, begun, not_renewed, renewed, unknown

SPREADS = st.floats(-1, 1)
SECONDS = st.floats(10, 1e7)


def lease(seconds, *, renewable=True):
    return Lease(None if seconds is None else Deadline(seconds), renewable)


@given(SECONDS, SPREADS, st.booleans())
def test_a_token_is_looked_after_well_before_it_ends(seconds, spread, renewable):
    life = begun(lease(seconds, renewable=renewable), 1000.0, spread)
    share = (life.due_at - 1000.0) / (life.ends_at - 1000.0)
    expected = 2 / 3 if renewable else 1 / 2
    assert 0.9 * expected <= share + 1e-6
    assert share - 1e-6 <= 1.1 * expected


def test_a_token_that_never_expires_needs_no_care():
    assert begun(lease(None), 5.0, 1.0) == Life()
    assert Life().due_at == NEVER


@given(SPREADS)
def test_many_processes_that_begin_at_once_do_not_renew_at_once(spread):
    life = begun(lease(900), 0.0, spread)
    assert life.due_at == pytest.approx(600 * (1 + 0.1 * spread), abs=0.5)


def test_a_token_that_gets_its_whole_time_is_renewed_again():
    before = begun(lease(3600), 0.0, 0.0)
    after = renewed(before, lease(3600), 2400.0, 0.0)
    assert after.renewable
    assert after.due_at == pytest.approx(4800, abs=1)


def test_a_token_that_gets_less_is_at_its_maximum_and_is_replaced_at_half_of_the_rest():
    before = begun(lease(3600), 0.0, 0.0)
    after = renewed(before, lease(1000), 2400.0, 0.0)
    assert not after.renewable
    assert after.due_at == pytest.approx(2900, abs=1)


def test_a_token_that_may_not_be_renewed_is_replaced_at_half_of_the_rest():
    after = not_renewed(begun(lease(3600), 0.0, 0.0), 2400.0)
    assert not after.renewable
    assert after.due_at == pytest.approx(3000, abs=1)


def test_an_unknown_life_is_looked_up_soon_and_has_no_lease():
    life = unknown(100.0)
    assert not life.known
    assert life.lease(100.0) is None
    assert 100.0 < life.due_at < 200.0


def test_a_life_is_a_lease_again_in_the_next_process():
    assert begun(lease(50), 0.0, 0.0).lease(20.0).expiry.remaining_seconds() == pytest.approx(30, 1)
    assert Life().lease(1e9) == Lease(None, renewable=False)
