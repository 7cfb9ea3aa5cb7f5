"""Retries apply to transient failures, and end with the deadline."""

from __future__ import annotations

import time

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import AuthError, SourceError, UnavailableError
from envkit.sources import retry as retry_module
from envkit.sources.retry import ATTEMPTS, SPREAD_SECONDS, Pace, retry, retry_after

AN_HOUR = 3600.0


class Script:
    """A call with a list of failures, which then returns."""

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
    """Do not wait between two calls, unless a test sets a pause."""
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 0.0)


def outages(count: int) -> list[UnavailableError]:
    return [UnavailableError(f"outage {i}") for i in range(count)]


@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_a_transient_failure_is_retried(failures: int) -> None:
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
def test_a_permanent_or_repeated_failure_is_raised(failures: list[Exception]) -> None:
    call = Script(*failures)
    with pytest.raises(type(failures[-1])) as caught:
        retry(call, Deadline(AN_HOUR))
    assert caught.value is failures[-1]
    assert call.calls == len(failures)


def test_nothing_is_repeated_where_the_deadline_does_not_allow_it() -> None:
    for failure in (UnavailableError("down"), busy(0.0)):
        script = Script(failure)
        with pytest.raises(UnavailableError) as raised:
            retry(script, Deadline(5, repeats=False))
        assert raised.value is failure


def test_retry_calls_once_without_time_and_not_again() -> None:
    assert retry(Script(), Deadline(0)) == "done"
    call = Script(*outages(1))
    with pytest.raises(UnavailableError):
        retry(call, Deadline(0))
    assert call.calls == 1


def test_no_pause_extends_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 1e12)
    monkeypatch.setattr(retry_module, "MAX_DELAY_SECONDS", 1e12)
    call = Script(*outages(1))
    with pytest.raises(UnavailableError):  # otherwise this would pause for some thousand years
        retry(call, Deadline(AN_HOUR))
    assert call.calls == 1


# ---------------------------------------------------------------- slowing down


def busy(retry_after_seconds: float | None = None) -> UnavailableError:
    error = UnavailableError("slow down")
    error.slow_down = True
    error.retry_after_seconds = retry_after_seconds
    return error


@pytest.mark.parametrize("times", [1, ATTEMPTS, 50])
@pytest.mark.parametrize("wanted", [None, 0.0, 0.001])
def test_a_throttling_server_is_asked_until_it_serves(
    monkeypatch: pytest.MonkeyPatch, times: int, wanted: float | None
) -> None:
    monkeypatch.setattr(retry_module, "SPREAD_SECONDS", 0.0)
    call = Script(*[busy(wanted) for _ in range(times)])
    assert retry(call, Deadline(AN_HOUR)) == "done"
    assert call.calls == times + 1


@pytest.mark.parametrize("wanted", [AN_HOUR, AN_HOUR + 1, 1e18, float("inf")])
def test_a_pause_beyond_the_deadline_is_not_started(wanted: float) -> None:
    call = Script(busy(wanted))
    with pytest.raises(UnavailableError, match="slow down"):
        retry(call, Deadline(AN_HOUR))
    assert call.calls == 1


def test_an_explicit_number_of_attempts_includes_throttled_ones() -> None:
    call = Script(*[busy() for _ in range(9)])
    with pytest.raises(UnavailableError):
        retry(call, Deadline(AN_HOUR), attempts=3)
    assert call.calls == 3


def test_callers_of_one_server_share_a_pause() -> None:
    pace = Pace(4)
    with pytest.raises(UnavailableError, match="slow down"):
        retry(Script(busy(AN_HOUR)), Deadline(60), pace=pace)
    other = Script()
    with pytest.raises(UnavailableError, match="busy"):
        retry(other, Deadline(60), pace=pace, busy=lambda: UnavailableError("busy"))
    assert other.calls == 0


def test_throttling_halves_the_concurrency_and_an_answer_adds_one() -> None:
    pace = Pace(16)
    seen = []
    for failure in (
        None,
        busy(),
        busy(),
        None,
        None,
        UnavailableError("down"),
        busy(),
        *[None] * 20,
    ):
        assert pace.begin(Deadline(AN_HOUR))
        pace.end(failure)
        seen.append(pace.at_once)
    assert seen == [16, 8, 4, 5, 6, 6, 3, *range(4, 17), *[16] * 7]


def test_pace_limits_the_concurrent_requests() -> None:
    pace = Pace(2)
    assert pace.begin(Deadline(AN_HOUR))
    assert pace.begin(Deadline(AN_HOUR))
    assert not pace.begin(Deadline(0))
    pace.end(None)
    assert pace.begin(Deadline(0))


def test_a_rate_limits_the_requests_beyond_the_burst() -> None:
    pace = Pace(9, per_second=1 / AN_HOUR, burst=2)
    assert [pace.begin(Deadline(60)) for _ in range(3)] == [True, True, False]


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
SOME_DATE = "Sun, 29 Nov 2099 00:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        *((" 5 ", None, 5.0), ("0", None, 0.0), ("1.5", None, 1.5), ("120", DATE, 120.0)),
        *((text, None, None) for text in (None, "", " ", "-5", "+5", "soon", "nan", "inf", "1e9")),
        *(
            (text, None, None)
            for text in ("0x10", "\uff15", "5 s", "9" * 5000, "1,5", "\0", "5\n6")
        ),
        ("999999999999999999", None, 999999999999999999.0),
        # a date counts from that of the answer, whatever this machine's clock says
        ("Wed, 21 Oct 2026 07:28:07 GMT", DATE, 7.0),
        ("Wednesday, 21-Oct-26 07:28:07 GMT", DATE, 7.0),
        ("Wed Oct 21 07:28:07 2026", DATE, 7.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", DATE, 0.0),
        ("Wed, 21 Oct 2026 09:28:07 +0200", DATE, 7.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None, 0.0),
        *((text, DATE, None) for text in ("Wed, 99 Oct 2026", "Wed, 21 Foo 2026 07:28:00 GMT")),
    ],
)
def test_retry_after_is_parsed_to_seconds_or_nothing(
    header: str | None, date: str | None, seconds: float | None
) -> None:
    assert retry_after(header, date) == seconds


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_a_date_that_names_no_zone_is_in_utc_wherever_we_are(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert retry_after("Wed Oct 21 07:28:07 2026", DATE) == 7.0
        assert retry_after("Wed, 21 Oct 2026 07:28:07 GMT", "Wed Oct 21 07:28:00 2026") == 7.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_retry_after_date_without_a_date_header_counts_from_now() -> None:
    assert (retry_after(SOME_DATE) or 0) > AN_HOUR
    assert SPREAD_SECONDS < 1
