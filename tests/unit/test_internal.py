"""Deadlines end waiting, retries are for what is transient, and no thread outlives its use."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from envkit._internal import retry as retry_module
from envkit._internal.clock import Deadline
from envkit._internal.parallel import call_in_time, map_parallel
from envkit._internal.retry import ATTEMPTS, retry
from envkit.errors import AuthError, SourceError, UnavailableError

AN_HOUR = 3600.0


# ---------------------------------------------------------------- Deadline


def test_a_deadline_ahead() -> None:
    deadline = Deadline(AN_HOUR)
    assert not deadline.expired
    assert 0 < deadline.remaining_seconds() <= AN_HOUR
    assert deadline.remaining_seconds(at_most=5.0) == 5.0
    assert deadline.timeout_seconds == AN_HOUR


def test_time_only_runs_down() -> None:
    deadline = Deadline(AN_HOUR)
    readings = [deadline.remaining_seconds() for _ in range(100)]
    assert readings == sorted(readings, reverse=True)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_deadline_that_has_passed(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.expired
    assert deadline.remaining_seconds() == 0.0
    assert deadline.remaining_seconds(at_most=5.0) == 0.0


# ---------------------------------------------------------------- retry


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


# ---------------------------------------------------------------- map_parallel


def test_results_keep_the_order_of_the_items_however_they_end() -> None:
    ended = [threading.Event() for _ in range(6)]
    ended[5].set()

    def last_first(index: int) -> str:
        assert index == 5 or ended[index + 1].wait(30)
        ended[index].set()
        return f"result {index}"

    results = map_parallel(last_first, iter(range(6)), workers=6, deadline=Deadline(AN_HOUR))
    assert [result.value for result in results] == [f"result {index}" for index in range(6)]


def test_nothing_to_do() -> None:
    assert map_parallel(str, [], workers=4, deadline=Deadline(AN_HOUR)) == []


def test_exceptions_are_handed_back_in_their_places() -> None:
    raised = [ValueError("one"), None, KeyboardInterrupt(), SystemExit(3), UnavailableError("two")]

    def call(error: BaseException | None) -> str:
        if error is not None:
            raise error
        return "fine"

    results = map_parallel(call, raised, workers=2, deadline=Deadline(AN_HOUR))
    assert [result.error for result in results] == raised
    assert results[1].value == "fine"
    with pytest.raises(ValueError, match="one"):
        _ = results[0].value


def test_as_many_calls_at_once_as_there_are_workers_and_no_more() -> None:
    together = threading.Barrier(3)  # would break if there were not three at once
    lock = threading.Lock()
    running, most = 0, 0

    def call(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(30)
        with lock:
            running -= 1
        together.wait(30)

    results = map_parallel(call, range(9), workers=3, deadline=Deadline(AN_HOUR))
    assert [result.value for result in results] == [None] * 9
    assert most == 3


def test_nothing_is_begun_after_the_deadline() -> None:
    called: list[int] = []
    results = map_parallel(called.append, range(5), workers=2, deadline=Deadline(0))
    assert [result.late for result in results] == [True] * 5
    assert called == []


def test_what_is_stuck_is_given_up_and_its_late_result_is_not_handed_in() -> None:
    release = threading.Event()
    threads: list[threading.Thread] = []

    def stuck(_: int) -> str:
        threads.append(threading.current_thread())
        release.wait(60)
        return "late"

    result = call_in_time(lambda: stuck(1), Deadline(0.2))
    assert result.late
    release.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert (result.late, result.error) == (True, None)


def test_a_stuck_thread_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import threading\n"
        "from envkit._internal.clock import Deadline\n"
        "from envkit._internal.parallel import map_parallel\n"
        "def stuck(_): threading.Event().wait()\n"
        "results = map_parallel(stuck, [1, 2, 3], workers=2, deadline=Deadline(0.2))\n"
        "print([result.late for result in results])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[True, True, True]\n"
