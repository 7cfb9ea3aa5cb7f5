"""A live environment in a Python program."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import envkit
from envkit.errors import (
    EnvkitError,
    NoSuchVariableError,
    ReasonMissingError,
    ResolutionError,
    UnavailableError,
)
from envkit.resident.live import Live
from support.living import look, of_files, of_store, until
from support.process import run_python

SECRET = "canary-18c2ab90"
# forks in a process with threads are what is tested here; Python 3.12 warns of them
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def password(live):
    return live["PASSWORD"].reveal()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "envkit-live"]


def run_here(project, code):
    """Run a program in the project that has the modules of the tests."""
    path = os.pathsep.join(folder for folder in sys.path if folder)
    env = {"PYTHONPATH": path, "HOME": str(project.root), "ENVKIT_TRUST": "1"}
    return run_python(code, cwd=project.root, env=env)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "envkit")
    return lambda: [record.getMessage() for record in caplog.records]


# ---------------------------------------------------------------- reading


def test_live_is_exported_as_a_class_and_under_its_short_name():
    assert envkit.live is envkit.Live is Live


def test_nothing_is_read_before_the_first_access(project):
    live, store = of_store(project)
    assert (store.begun, live.is_loaded, live.age_seconds) == (0, False, 0.0)
    assert password(live) == "old"
    assert (store.begun, live.is_loaded) == (1, True)


def test_the_first_access_raises_what_resolve_raises(project):
    live = of_files(project, "")
    with pytest.raises(ResolutionError) as of_live:
        live["URL"]
    with pytest.raises(ResolutionError) as of_resolve:
        envkit.resolve("prod")
    assert str(of_live.value) == str(of_resolve.value)


def test_an_access_after_a_failed_first_one_reads_again(project):
    live = of_files(project, "")
    with pytest.raises(ResolutionError):
        live["URL"]
    project.dotenv("prod", "URL=now\n")
    assert live["URL"].reveal() == "now"


def test_an_unknown_name_is_the_error_of_an_environment_with_a_suggestion(project):
    live = of_files(project)
    for use in (live.__getitem__, live.generation, lambda n: live.on_change(n, print)):
        with pytest.raises(NoSuchVariableError, match="did you mean 'URL'"):
            use("URLL")


def test_a_callback_is_a_function(project):
    with pytest.raises(TypeError, match="a callback is a function, not a str"):
        of_files(project).on_change("URL", "reload")


def test_a_variable_that_the_profile_no_longer_has_is_unknown(project):
    live = of_files(project)
    live.snapshot()
    got = []
    remove = live.on_change("URL", got.append)
    project.profile("prod.env", "OTHER=1\n")
    look(live)
    until(lambda: got)
    remove()
    assert got == [None]
    for use in (live.__getitem__, live.generation):
        with pytest.raises(NoSuchVariableError, match="no variable 'URL' in prod"):
            use("URL")


def test_an_optional_variable_that_is_not_set_is_known(project):
    live, store = of_store(project)
    assert (live.generation("MODE"), "MODE" in live, "PASSWORD" in live) == (0, False, True)
    store.rotate("old", mode="fast")
    look(live)
    until(lambda: "MODE" in live)
    assert live.generation("MODE") == 2


def test_the_repr_has_names_and_numbers_and_no_value(project):
    live = of_files(project, f"URL={SECRET}\n")
    assert repr(live) == "Live('prod', not read yet)"
    live.snapshot()
    assert repr(live) == "Live('prod', 1 variables, generation 1)"
    assert SECRET not in repr(live.snapshot())


def test_arguments_are_copied(project):
    live, _ = of_store(project, only=(only := ["PASSWORD"]))
    only.append("USER")
    assert list(live.snapshot().environment) == ["PASSWORD"]


@pytest.mark.parametrize("given", ["profiles", None])
def test_a_working_directory_that_changes_leads_to_no_other_profiles(project, given, tmp_path):
    live = of_files(project, profiles=given)
    if given is None:
        live.snapshot()
    os.chdir(tmp_path)
    assert live["URL"].reveal() == "old"
    project.dotenv("prod", "URL=new\n")
    look(live)
    assert live["URL"].reveal() == "new"


def test_the_default_environment_is_decided_at_the_first_access(project, monkeypatch):
    of_files(project)
    project.profile("dev.env", "URL=dev\n")
    monkeypatch.setenv("ENVKIT_ENV", "prod")
    live = Live()
    live.snapshot()
    monkeypatch.setenv("ENVKIT_ENV", "dev")
    look(live)
    assert live["URL"].reveal() == "old"


def test_the_text_of_a_variable_is_a_function_without_arguments(project):
    live = of_files(project)
    text = live.text("URL")
    assert inspect.signature(text).parameters == {}
    assert text() == "old"
    project.dotenv("prod", "URL=new\n")
    look(live)
    assert text() == "new"


def test_a_protected_profile_needs_a_reason(project, monkeypatch):
    of_files(project)
    project.profile("prod.toml", 'protected = true\n[variables]\nURL = "{{ URL }}"\n')
    (project.profiles / "prod.env").unlink()
    with pytest.raises(ReasonMissingError, match="pass reason='TEXT', or set ENVKIT_REASON"):
        Live("prod")["URL"]
    assert Live("prod", reason="deploy")["URL"].reveal() == "old"
    monkeypatch.setenv("ENVKIT_REASON", "deploy")
    assert Live("prod")["URL"].reveal() == "old"


# ---------------------------------------------------------------- changes


def test_a_changed_env_file_is_read_at_an_access_without_a_thread(project):
    live = of_files(project)
    live.snapshot()
    project.dotenv("prod", "URL=new\n")
    until(lambda: live["URL"].reveal() == "new")  # after a second, without any help
    assert threads() == []


def test_a_changed_profile_is_read_too(project):
    live = of_files(project)
    live.snapshot()
    project.profile("prod.env", "URL={{ URL }}\nMORE=1\n")
    look(live)
    assert live["MORE"].reveal() == "1"


def test_an_access_returns_the_current_value_while_the_store_is_asked_in_a_thread(project):
    live, store = of_store(project)
    password(live)
    store.open.clear()
    store.rotate("new")
    look(live)
    assert [password(live) for _ in range(5)] == ["old"] * 5
    until(lambda: store.begun > 1)
    assert (store.begun, len(threads())) == (2, 1)
    store.open.set()
    until(lambda: password(live) == "new")
    until(lambda: threads() == [])


def test_a_store_is_asked_by_itself_at_the_poll_of_its_table(project):
    live, store = of_store(project)
    table = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", table.replace("address", 'poll = "1s"\naddress'))
    password(live)
    store.rotate("new")
    until(lambda: password(live) == "new")


def test_user_and_password_of_a_snapshot_come_from_one_read(project):
    live, store = of_store(project)
    before = live.snapshot()
    store.put("db", {"user": "app_b", "password": "new"})
    look(live)
    until(lambda: password(live) == "new")
    pairs = [
        (s.generation, s.environment["USER"].reveal(), s.environment["PASSWORD"].reveal())
        for s in (before, live.snapshot())
    ]
    assert pairs == [(1, "app", "old"), (2, "app_b", "new")]


def test_the_generation_of_a_variable_grows_only_when_that_variable_changes(project):
    live, store = of_store(project)
    assert (live.generation("USER"), live.generation("PASSWORD")) == (1, 1)
    store.rotate("new")
    look(live)
    until(lambda: password(live) == "new")
    assert (live.generation("USER"), live.generation("PASSWORD")) == (1, 2)


BROKEN = {
    "a store that fails": lambda store: setattr(store, "failure", UnavailableError("no route")),
    "an environment that is not valid": lambda store: store.rotate("new", mode=SECRET),
    "an environment that lacks a variable": lambda store: store.put("db", {"user": "app"}),
    "a source that crashes": lambda store: setattr(store, "failure", ZeroDivisionError(SECRET)),
}


@pytest.mark.parametrize("break_", BROKEN.values(), ids=BROKEN)
def test_a_failure_keeps_the_old_values_and_is_logged_once_until_it_is_over(project, log, break_):
    live, store = of_store(project)
    password(live)
    break_(store)
    for _ in range(3):
        begun = store.begun
        look(live)
        assert password(live) == "old"
        until(lambda: store.begun > begun and threads() == [])  # noqa: B023
    assert live.snapshot().generation == 1
    warned = log()
    assert len(warned) == 1
    assert "'prod'" in warned[0]
    assert SECRET not in warned[0]
    store.failure = None
    store.rotate("newest")
    look(live)
    until(lambda: password(live) == "newest")
    until(lambda: len(log()) == 2)


def test_an_invalid_env_file_keeps_the_old_values(project, log):
    live = of_files(project)
    live.snapshot()
    (project.root / ".env.prod").unlink()
    look(live)
    assert live["URL"].reveal() == "old"
    assert len(log()) == 1


def test_the_age_of_values_begins_anew_when_a_look_has_found_no_change(project):
    live, store = of_store(project)
    first = live.snapshot()
    before = live._engine._looking.confirmed_at
    look(live)
    until(lambda: live.snapshot() and live._engine._looking.confirmed_at > before)
    assert live.snapshot().generation == first.generation
    store.failure = UnavailableError("no route")
    until(lambda: threads() == [])
    before = live._engine._looking.confirmed_at
    begun = store.begun
    look(live)
    until(lambda: live.snapshot() and store.begun > begun and threads() == [])
    assert live._engine._looking._confirmed["prod/vault"] <= before


INTERRUPTED = {
    "a read": lambda live: next(live.newer(live.snapshot(), ["PASSWORD"]), None),
    "a look": lambda live: live._engine._work(live._engine._looking, slow=True),
}


@pytest.mark.parametrize("interrupted", INTERRUPTED.values(), ids=INTERRUPTED)
def test_changes_are_seen_after_a_signal_handler_has_ended_what_looked_for_them(
    project, interrupted
):
    live, store = of_store(project)
    live.snapshot()
    store.failure = KeyboardInterrupt()
    look(live)
    live._engine._refreshing = True  # so that this thread is the one that looks
    with pytest.raises(KeyboardInterrupt):
        interrupted(live)
    live._engine._refreshing = False
    store.failure = None
    store.rotate("new")
    look(live)
    until(lambda: password(live) == "new")


SIGNAL = """
import os, signal, threading
import envkit
from support.living import Store

store = Store()
store.rotate("old")
live = envkit.live("prod", sources={"vault": store})
FIRST
store.open.clear()


def handle(*_):
    store.open.set()
    try:
        print("handler", next(live.newer(live.snapshot(), ["PASSWORD"]), None))
    except RuntimeError as error:
        print("handler", str(error).partition(":")[0])


signal.signal(signal.SIGUSR1, handle)


def send():
    while not store.begun > BEGUN:
        pass
    os.kill(os.getpid(), signal.SIGUSR1)


threading.Thread(target=send).start()
print("program", ACCESS)
"""
USED = "a signal handler or a source used a live environment during its first read"


@pytest.mark.parametrize(
    ("first", "begun", "access", "handler", "program"),
    [
        ("", 0, "len(live.snapshot().environment)", USED, "2"),
        ("now = live.snapshot()", 1, 'next(live.newer(now, ["PASSWORD"]), None)', "None", "None"),
    ],
    ids=["the first read", "a later read"],
)
def test_a_signal_handler_that_interrupts_a_read_does_not_wait_for_it(
    project, first, begun, access, handler, program
):
    of_store(project)
    code = SIGNAL.replace("FIRST", first).replace("BEGUN", str(begun)).replace("ACCESS", access)
    done = run_here(project, code)
    assert done.stdout.splitlines() == [f"handler {handler}", f"program {program}"]


INTERRUPTED = """
import signal, threading
import envkit
from support.living import look

live = envkit.live("prod")
live.snapshot()


class Interrupted(BaseException):
    pass


def handle(*_):
    raise Interrupted


signal.signal(signal.SIGALRM, handle)
for _ in range(1000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            look(live)
            live.snapshot()
    except Interrupted:
        pass
other = threading.Thread(target=lambda: print(next(live.newer(live.snapshot(), ["URL"]), None)))
other.daemon = True
other.start()
other.join(timeout=20)
"""


def test_a_signal_handler_that_raises_anywhere_blocks_no_other_thread(project):
    of_files(project)
    assert run_here(project, INTERRUPTED).stdout == "None\n"


# ---------------------------------------------------------------- a refused login


def newer(live, refused, *names):
    found = next(live.newer(refused, names), None)
    return [] if found is None else [found.environment[names[0]].reveal()]


def test_a_refused_login_asks_the_store_until_it_has_a_newer_value(project):
    live, store = of_store(project)
    refused = live.snapshot()
    rotated = threading.Thread(target=lambda: (until(lambda: store.begun > 3), store.rotate("new")))
    rotated.start()
    assert newer(live, refused, "PASSWORD") == ["new"]
    rotated.join()


def test_a_refused_login_gets_nothing_if_the_store_still_has_its_values_after_a_second(project):
    live, store = of_store(project)
    assert newer(live, live.snapshot(), "PASSWORD", "USER") == []
    assert 2 <= store.begun <= 10


def test_a_change_of_another_variable_does_not_end_the_wait_for_a_newer_login(project):
    live, store = of_store(project)
    refused = live.snapshot()
    store.rotate("old", mode="fast")
    assert newer(live, refused, "PASSWORD") == []


def test_a_login_that_was_refused_with_an_older_value_asks_no_store(project):
    live, store = of_store(project)
    refused = live.snapshot()
    store.rotate("new")
    assert newer(live, refused, "PASSWORD") == ["new"]
    begun = store.begun
    assert newer(live, refused, "PASSWORD") == ["new"]
    assert store.begun == begun


def test_refused_threads_share_the_pace_at_which_the_store_is_asked(project):
    live, store = of_store(project)
    refused = live.snapshot()
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: newer(live, refused, "PASSWORD"), range(10)))
    assert found == [[]] * 10
    assert store.begun <= 10  # of one thread alone: 1 and 6


def test_a_refused_login_with_a_store_that_fails_gets_nothing(project):
    live, store = of_store(project)
    refused = live.snapshot()
    store.failure = UnavailableError("no route")
    assert newer(live, refused, "PASSWORD") == []


# ---------------------------------------------------------------- threads


def test_ten_threads_read_an_environment_once(project):
    live, store = of_store(project)
    store.open.clear()
    with ThreadPoolExecutor(10) as pool:
        found = [pool.submit(password, live) for _ in range(10)]
        until(lambda: store.begun)
        store.open.set()
        assert [one.result() for one in found] == ["old"] * 10
    assert store.begun == 1


def test_ten_threads_never_see_values_of_two_reads_while_a_store_changes(project):
    live, store = of_store(project)
    live.snapshot()
    ended = threading.Event()

    def use(number):
        pairs = set()
        while not ended.wait(0.001):
            snapshot = live.snapshot()
            if number % 2:
                snapshot = next(live.newer(snapshot, ["PASSWORD"]), snapshot)
            found = snapshot.environment
            pairs.add((found["USER"].reveal(), found["PASSWORD"].reveal()))
            live.generation("PASSWORD")
        return pairs

    with ThreadPoolExecutor(10) as pool:
        found = [pool.submit(use, number) for number in range(10)]
        try:
            for name in map(str, range(10)):
                store.put("db", {"user": name, "password": name})
                look(live)
                until(lambda: live.snapshot().environment["USER"].reveal() == name)  # noqa: B023
        finally:
            ended.set()
        pairs = set().union(*(one.result() for one in found))
    assert {pair for pair in pairs if pair[0] != pair[1]} <= {("app", "old")}
    assert live.snapshot().generation == 11


def test_a_failed_first_read_is_that_of_all_threads_that_waited_for_it(project):
    live, store = of_store(project)
    store.open.clear()
    store.failure = UnavailableError("no route")
    barrier = threading.Barrier(10)

    def use(_):
        barrier.wait()
        with pytest.raises(EnvkitError, match="no route"):
            live.snapshot()

    with ThreadPoolExecutor(10) as pool:
        found = [pool.submit(use, index) for index in range(10)]
        until(lambda: store.begun)
        store.open.set()
        for one in found:
            one.result()
    assert store.begun <= 10


def test_a_live_environment_without_callbacks_is_collected(project):
    live = of_files(project)
    live.snapshot()
    seen = weakref.ref(live)
    del live
    gc.collect()
    assert seen() is None


# ---------------------------------------------------------------- callbacks


def test_a_callback_gets_each_new_value_of_its_variable_and_no_other(project):
    live, store = of_store(project)
    passwords, users = [], []
    with live:
        live.on_change("PASSWORD", lambda value: passwords.append(value.reveal()))
        live.on_change("USER", users.append)
        store.rotate("new")
        look(live)
        until(lambda: passwords == ["new"])
    assert users == []


def test_a_callback_gets_none_if_its_variable_is_not_set_any_more(project):
    live, store = of_store(project)
    store.rotate("old", mode="fast")
    seen = []
    with live:
        live.on_change("MODE", seen.append)
        store.rotate("old")
        look(live)
        until(lambda: seen == [None])


def test_a_callback_is_called_for_a_change_that_a_refused_login_has_found(project):
    live, store = of_store(project)
    seen = threading.Event()
    with live:
        live.on_change("PASSWORD", lambda _: seen.set())
        store.rotate("new")
        assert newer(live, live.snapshot(), "PASSWORD") in ([], ["new"])
        until(seen.is_set)


@pytest.mark.parametrize("kind", [ValueError, SystemExit, asyncio.CancelledError])
def test_a_callback_that_fails_ends_no_other_one_and_is_logged_without_values(project, log, kind):
    live, store = of_store(project)
    seen = []

    def fails(value):
        raise kind(value.reveal())

    with live:
        live.on_change("PASSWORD", fails)
        live.on_change("PASSWORD", lambda value: seen.append(value.reveal()))
        for number in range(2):
            store.rotate(f"{SECRET}-{number}")
            look(live)
            until(lambda: len(seen) > number)  # noqa: B023
    failed = log()
    assert len(failed) == 2
    assert f"callback for a change of PASSWORD failed: {kind.__name__} at" in failed[0]
    assert SECRET not in "".join(failed)


def test_a_callback_can_be_removed_and_the_last_one_ends_the_thread(project):
    live, _ = of_store(project)
    remove = live.on_change("PASSWORD", print)
    assert len(threads()) == 1
    remove()
    look(live)
    until(lambda: threads() == [])
    live.on_change("PASSWORD", print)
    assert threads()
    live.close()
    until(lambda: threads() == [])


def test_a_closed_environment_has_its_last_values_and_asks_no_store(project):
    live, store = of_store(project)
    refused = live.snapshot()
    live.close()
    store.rotate("new")
    look(live)
    assert (password(live), newer(live, refused, "PASSWORD")) == ("old", [])
    assert store.begun == 1


# ---------------------------------------------------------------- audit


def audited(project, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", project.logged().environ["XDG_STATE_HOME"])


def test_the_audit_log_has_a_line_for_the_beginning_and_one_for_each_change(
    project, monkeypatch, log
):
    audited(project, monkeypatch)
    live, store = of_store(project, reason="serve")
    live.snapshot()
    for password_ in ("old", "new"):  # a look that finds no change leaves no line
        store.rotate(password_)
        look(live)
        until(lambda: password(live) == password_ and threads() == [])  # noqa: B023
    store.failure = UnavailableError("no route")
    look(live)
    until(lambda: live.snapshot() and log())
    keys = ("command", "names", "reason", "outcome")
    assert [[line[key] for key in keys] for line in project.records()] == [
        ["live", ["USER", "PASSWORD"], "serve", "ok"],
        ["live", ["PASSWORD"], "serve", "ok"],
    ]
    assert project.records()[1]["versions"] == {"PASSWORD": ["3"]}


def test_a_change_of_a_protected_profile_is_not_used_if_it_cannot_be_recorded(
    project, monkeypatch, log
):
    audited(project, monkeypatch)
    live, store = of_store(project, reason="serve")
    project.profile(
        "prod.toml", f"protected = true\n{(project.profiles / 'prod.toml').read_text()}"
    )
    refused = live.snapshot()
    log_file = project.root / "state" / "envkit" / "audit.jsonl"
    log_file.unlink()
    log_file.mkdir()
    store.rotate("new")
    assert newer(live, refused, "PASSWORD") == []
    look(live)
    until(lambda: live.snapshot() and log())
    assert (password(live), len(log())) == ("old", 1)


# ---------------------------------------------------------------- forks and the end


def in_child(function):
    """Return what a function returns in the child of a fork, as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text


def test_a_child_reads_though_a_thread_of_its_parent_was_reading_at_the_fork(project):
    live, store = of_store(project)
    store.open.clear()
    reading = threading.Thread(target=live.snapshot)
    reading.start()
    until(lambda: store.begun)

    def read():
        store.open = threading.Event()
        store.open.set()
        return password(live)

    assert in_child(read) == "old"
    store.open.set()
    reading.join()


def test_a_child_looks_for_changes_though_its_parent_was_asking_the_store(project):
    live, store = of_store(project)
    refused = live.snapshot()
    store.open.clear()
    look(live)
    live.snapshot()
    until(lambda: store.begun > 1)

    def read():
        store.open = threading.Event()
        store.open.set()
        store.rotate("new")
        return newer(live, refused, "PASSWORD")

    assert in_child(read) == "['new']"
    store.open.set()
    until(lambda: threads() == [])


def test_callbacks_are_called_in_a_child_too(project):
    live, store = of_store(project)
    seen = []
    live.on_change("PASSWORD", lambda value: seen.append(value.reveal()))

    def change():
        store.rotate("new")
        look(live)
        until(lambda: seen)
        return seen

    assert in_child(change) == "['new']"
    live.close()


IMPORTS = """
import sys
from pathlib import Path
import envkit
from support.living import look

live = envkit.live("prod")
live.snapshot()
before = set(sys.modules)
for text in ("URL=new", "", "URL=newer"):
    Path(".env.prod").write_text(text)
    look(live)
    next(live.newer(live.snapshot(), ["URL"]), None)
print(live["URL"].reveal(), set(sys.modules) - before)
"""


def test_nothing_is_imported_after_the_first_read_so_that_no_fork_can_block_an_import(project):
    of_files(project)
    assert run_here(project, IMPORTS).stdout == "newer set()\n"


IN_CHILD = """
import os, threading
import envkit
from support.living import Store

store = Store()
store.rotate("old")
live = envkit.live("prod", sources={"vault": store})
live.on_change("PASSWORD", print)
pid = os.fork()
names = [thread.name for thread in threading.enumerate()]
if pid:
    os.waitpid(pid, 0)
else:
    thread = threading.enumerate()[1]
    live.close()
    thread.join()
    print(names, flush=True)
    os._exit(0)
"""


def test_the_thread_of_a_child_is_one_that_python_knows(project):
    of_store(project)
    done = run_here(project, IN_CHILD)
    assert (done.stdout, done.stderr) == ("['MainThread', 'envkit-live']\n", "")


AT_EXIT = """
import atexit, logging, sys, threading
logging.basicConfig()
from support.living import Store, look
from envkit.resident.live import Live

store = Store()
store.rotate("old")
live = Live("prod", sources={"vault": store})
atexit.register(lambda: (look(live), print(live["PASSWORD"].reveal())))
live.on_change("PASSWORD", print)
store.open.clear()
look(live)
while store.begun < 2:
    pass
"""


def test_the_interpreter_ends_without_noise_while_a_store_does_not_answer(project):
    of_store(project)
    done = run_here(project, AT_EXIT)
    assert (done.stdout, done.stderr) == ("old\n", "")
