"""Retries are for what is transient, and end with the deadline."""

from __future__ import annotations

import pytest

from envkit._internal import retry as retry_module
from envkit._internal.clock import Deadline
from envkit._internal.retry import ATTEMPTS, retry
from envkit.errors import AuthError, SourceError, UnavailableError

AN_HOUR = 3600.0


class Script:
    """A call that fails as it is told and then returns."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 0.0)


def outages(count: int) -> list[UnavailableError]:
    return [UnavailableError(f"outage {i}") for i in range(count)]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_a_transient_failure_is_tried_again(failures: int) -> None:
    call = Script(*outages(failures))
    assert retry(call, Deadline(AN_HOUR)) == "done"
    assert call.calls == failures + 1


@pytest.mark.usefixtures("at_once")
def test_the_last_of_too_many_failures_is_raised() -> None:
    failures = outages(ATTEMPTS)
    call = Script(*failures)
    with pytest.raises(UnavailableError) as caught:
        retry(call, Deadline(AN_HOUR))
    assert caught.value is failures[-1]
    assert call.calls == ATTEMPTS


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("failure", [AuthError("no"), SourceError("broken"), KeyError("a bug")])
def test_what_is_not_transient_is_raised_at_once(failure: Exception) -> None:
    call = Script(failure)
    with pytest.raises(type(failure)) as caught:
        retry(call, Deadline(AN_HOUR))
    assert caught.value is failure
    assert call.calls == 1


@pytest.mark.usefixtures("at_once")
def test_an_outage_that_turns_into_a_refusal_is_over() -> None:
    call = Script(*outages(1), AuthError("no"))
    with pytest.raises(AuthError):
        retry(call, Deadline(AN_HOUR))
    assert call.calls == 2


@pytest.mark.usefixtures("at_once")
def test_there_is_one_call_even_without_time_and_none_after_it() -> None:
    assert retry(Script(), Deadline(0)) == "done"
    call = Script(*outages(1))
    with pytest.raises(UnavailableError):
        retry(call, Deadline(0))
    assert call.calls == 1


def test_no_pause_goes_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 1e12)
    monkeypatch.setattr(retry_module, "MAX_DELAY_SECONDS", 1e12)
    call = Script(*outages(1))
    with pytest.raises(UnavailableError):  # else this would pause for some thousand years
        retry(call, Deadline(AN_HOUR))
    assert call.calls == 1
