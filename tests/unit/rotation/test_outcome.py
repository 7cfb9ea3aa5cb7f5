"""The outcome of a run, and how an exception becomes one."""

import pytest

from envkit.errors import RotationError
from envkit.rotation.outcome import Outcome, OutcomeStatus, attempt


def test_a_run_that_returns_an_outcome_has_that_outcome():
    outcome = Outcome("prod/db", OutcomeStatus.IN_GRACE, until=5.0)
    assert attempt("prod/db", lambda: outcome) is outcome


def test_an_envkit_error_becomes_a_failure_with_its_message():
    def run():
        raise RotationError("the target says no", hint="ask it")

    outcome = attempt("prod/db", run)
    assert (outcome.rotation, outcome.status) == ("prod/db", OutcomeStatus.FAILED)
    assert outcome.reason == outcome.error.message == "the target says no"
    assert outcome.error.hint == "ask it"
    assert not outcome.ok


def test_any_other_exception_becomes_a_failure_with_its_type_and_without_its_text():
    def run():
        raise KeyError("canary-77aa")

    outcome = attempt("prod/db", run)
    assert outcome.reason == outcome.error.message == "the rotation failed: KeyError"
    assert "canary" not in repr(outcome)


def test_an_interrupt_is_not_an_outcome():
    def run():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt("prod/db", run)


@pytest.mark.parametrize("status", OutcomeStatus)
def test_four_outcomes_need_a_person(status):
    alarms = {"refused", "quarantined", "failed", "blocked"}
    assert Outcome("prod/db", status).ok is (status not in alarms)
