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


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two calls; a test may say otherwise."""
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 0.0)


def outages(count: int) -> list[UnavailableError]:
    return [UnavailableError(f"outage {i}") for i in range(count)]


@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_a_transient_failure_is_tried_again(failures: int) -> None:
    call = Script(*outages(failures))
    assert retry(call, Deadline(AN_HOUR)) == "done"
    assert call.calls == failures + 1


@pytest.mark.parametrize(
    "failures",
    [
        outages(ATTEMPTS),
        [AuthError("no")],
        [SourceError("broken")],
        [KeyError("a bug")],
        [*outages(1), AuthError("no")],
    ],
    ids=["too many", "a refusal", "no retry", "a bug", "an outage that turns into a refusal"],
)
def test_what_is_not_transient_or_fails_too_often_is_raised(failures: list[Exception]) -> None:
    call = Script(*failures)
    with pytest.raises(type(failures[-1])) as caught:
        retry(call, Deadline(AN_HOUR))
    assert caught.value is failures[-1]
    assert call.calls == len(failures)


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
