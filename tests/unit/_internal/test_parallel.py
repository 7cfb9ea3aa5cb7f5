"""No call outlives its deadline, no thread its use; clients are imported one by one."""

from __future__ import annotations

import json
import os
import threading

import pytest

from envkit._internal.clock import Deadline
from envkit._internal.parallel import ForkSafeLock, InTime, call_in_time, map_parallel
from envkit.errors import UnavailableError
from support.process import run_python

AN_HOUR = 3600.0


def test_results_have_the_order_of_the_items_however_they_end() -> None:
    ended = [threading.Event() for _ in range(6)]
    ended[5].set()

    def last_first(index: int) -> str:
        assert index == 5 or ended[index + 1].wait(30)
        ended[index].set()
        return f"result {index}"

    results = map_parallel(last_first, iter(range(6)), workers=6, deadline=Deadline(AN_HOUR))
    assert [result.value for result in results] == [f"result {index}" for index in range(6)]


def test_map_parallel_of_nothing_returns_nothing() -> None:
    assert map_parallel(str, [], workers=4, deadline=Deadline(AN_HOUR)) == []


def test_exceptions_are_returned_in_their_places() -> None:
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


def test_as_many_calls_run_at_once_as_there_are_workers_and_no_more() -> None:
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


def test_no_call_starts_after_the_deadline() -> None:
    called: list[int] = []
    results = map_parallel(called.append, range(5), workers=2, deadline=Deadline(0))
    assert [result.late for result in results] == [True] * 5
    assert called == []


def test_a_stuck_call_is_given_up_and_its_late_result_is_discarded() -> None:
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
        "from envkit._internal.parallel import call_in_time, map_parallel\n"
        "def stuck(_): threading.Event().wait()\n"
        "results = map_parallel(stuck, [1, 2, 3], workers=2, deadline=Deadline(0.2))\n"
        "print([result.late for result in results])\n"
    )
    done = run_python(program)
    assert done.stdout == "[True, True, True]\n"


PROFILE = """\
[sources.vault]
address = "http://127.0.0.1:1"
[sources.aws]
endpoint_url = "http://127.0.0.1:1"
region = "eu-west-1"
[variables]
A = "{{ vault:secret/a#b }}"
B = "{{ aws:a#b }}"
"""
WATCH_IMPORTS = """\
import json, sys
import envkit
from envkit._internal.parallel import import_lock

seen = {}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("requests", "botocore.httpsession"):
            seen[name] = import_lock.locked()

sys.meta_path.insert(0, Finder())
try:
    envkit.resolve("dev")
except envkit.EnvkitError:
    print(json.dumps(seen))
"""


def test_clients_are_imported_one_after_another(project):
    """While botocore is imported it restores the warning filters, and with them what requests has
    added meanwhile: a profile with Vault and AWS sometimes printed a warning about PySocks.
    """
    project.profile("dev.toml", PROFILE)
    done = run_python(
        WATCH_IMPORTS,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(project.root),
            "VAULT_TOKEN": "none",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        },
        cwd=project.root,
    )
    assert json.loads(done.stdout) == {"requests": True, "botocore.httpsession": True}


def test_a_late_call_is_waited_for_within_its_allowance():
    going_on = threading.Event()
    late = call_in_time(going_on.wait, Deadline(0.01), spare_seconds=0.01)
    assert late.late
    threading.Timer(0.05, going_on.set).start()
    assert call_in_time(going_on.wait, Deadline(0.01), spare_seconds=30).value is True


def test_a_lock_of_a_module_is_free_in_a_child_whatever_a_thread_of_the_parent_had() -> None:
    lock = ForkSafeLock()
    with lock:
        pid = os.fork()
        if pid == 0:
            os._exit(lock.locked())
        assert os.waitpid(pid, 0)[1] == 0
        assert lock.locked()


def test_what_is_not_worth_the_wait_is_given_up_long_before_the_deadline() -> None:
    forever = threading.Event()
    waiting = InTime(Deadline(60), 1, TimeoutError)
    assert waiting.briefly(forever.wait, 0.01).late
    assert waiting.briefly(lambda: 5, 60.0).value == 5
    forever.set()


@pytest.mark.parametrize("way", ["one", "many"])
def test_a_call_that_extends_the_deadline_is_waited_for(way: str) -> None:
    deadline = Deadline(0.05)
    extended = threading.Event()

    def ask_a_person() -> int:
        deadline.leave_at_least(AN_HOUR)
        extended.wait(0.2)  # longer than the first deadline
        return 7

    if way == "one":
        assert call_in_time(ask_a_person, deadline).value == 7
    else:
        results = map_parallel(lambda _: ask_a_person(), [0], workers=1, deadline=deadline)
        assert results[0].value == 7


@pytest.mark.parametrize(
    "wait",
    [
        "map_parallel(work, [1], workers=1, deadline=deadline)",
        "call_in_time(lambda: work(1), deadline)",
    ],
)
def test_a_signal_that_another_thread_gets_ends_the_wait(wait: str) -> None:
    script = f"""
import signal, threading, time
from envkit._internal.clock import Deadline
from envkit._internal.parallel import call_in_time, map_parallel

def work(_):
    time.sleep(0.2)  # the other thread waits by then
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    threading.Event().wait()

deadline = Deadline(600)
try:
    {wait}
except KeyboardInterrupt:
    print("ended")
"""
    assert run_python(script, timeout=60).stdout == "ended\n"
