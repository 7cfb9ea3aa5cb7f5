"""The supervisor without a terminal: real processes, and a watcher that a test drives."""

import os
import resource
import select
import signal
import subprocess
import sys

import pytest

from support.supervised import Supervised, lives, wait_until

WAITS = "while :; do sleep 0.01; done"
IGNORES = f"trap '' TERM; echo $$; {WAITS}"


def python(text):
    return [sys.executable, "-c", text]


def shell(text):
    return ["sh", "-c", text]


# --- change


def test_an_app_restarts_with_the_new_environment_after_a_change():
    with Supervised("--watch", "--", *shell(f"echo A is $A; {WAITS}"), A="1") as run:
        run.expect("A is 1\n")
        run.announce(A="2")
        run.expect("A is 2\n")
        assert run.said() == "envkit: note: A changed: restarting the app\n"


def test_an_app_is_started_once_without_a_change_and_after_a_failure_of_a_store():
    with Supervised("--watch", "--", *shell(f"echo started; {WAITS}")) as run:
        run.expect("started\n")
        run.report("warned", "vault:kv is not available")
        run.report("recovered", "vault:kv is available again")
        wait_until(lambda: "again" in run.said())
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)
        assert run.said().splitlines() == [
            "envkit: warning: vault:kv is not available",
            "envkit: note: vault:kv is available again",
        ]


def test_a_hundred_changes_in_a_moment_are_one_restart_with_the_last_value():
    app = shell(f"trap 'sleep 0.1; exit 0' TERM; echo A is $A; {WAITS}")
    with Supervised("--watch", "--", *app, A="0") as run:
        run.expect("A is 0\n")
        for number in range(1, 101):
            run.announce(A=str(number))
        run.expect("A is 100\n")
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", 0)


def test_a_change_during_a_stop_is_part_of_the_restart(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    app = shell(f"trap 'echo stopping; read x < {gate}; exit' TERM; echo A is $A; {WAITS}")
    with Supervised("--watch", "--", *app, A="1") as run:
        run.expect("A is 1\n")
        run.announce(A="2")
        run.expect("stopping\n")
        run.announce(A="3")
        run.report("warned", "seen")
        wait_until(lambda: "seen" in run.said())
        gate.write_text("go\n")
        run.expect("A is 3\n")


def test_a_change_that_cannot_be_recorded_does_not_reach_the_app():
    with Supervised("--watch", "--", *shell(f"echo A is $A; {WAITS}"), A="1") as run:
        run.expect("A is 1\n")
        run.announce(A="2", AUDIT="fails")
        wait_until(lambda: "the log cannot be written" in run.said())
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)


def test_supervise_reports_changes_once_and_restarts_nothing():
    with Supervised("--supervise", "--", *shell(f"echo started; {WAITS}")) as run:
        run.expect("started\n")
        run.announce(A="2")
        run.announce(A="3")
        run.report("warned", "seen")
        wait_until(lambda: "seen" in run.said())
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)
        assert sorted(run.said().splitlines()) == [
            "envkit: warning: A changed: restart the app to use the new values",
            "envkit: warning: seen",
        ]


def test_watch_signal_sends_the_signal_to_the_main_process_alone():
    # the default effect of HUP on a child of the app would be its end
    app = f"trap 'echo reloading' HUP; (echo child; {WAITS}) & {WAITS}"
    with Supervised("--watch=signal:HUP", "--", *shell(app)) as run:
        run.expect("child\n")
        run.announce(A="2")
        run.expect("reloading\n")
        run.signal(signal.SIGTERM)
        assert run.wait() == -signal.SIGTERM
        assert run.said() == "envkit: note: A changed: sending SIGHUP to the app\n"


def test_watch_run_runs_a_command_with_the_new_environment_and_reports_its_failure(tmp_path):
    seen = tmp_path / "seen"
    command = f"echo A is $A >> {seen}; cat >> {seen}; exit $A"
    with Supervised(f"--watch=run:{command}", "--", *shell(f"echo on; {WAITS}"), A="0") as run:
        run.expect("on\n")
        run.announce(A="0")
        wait_until(lambda: seen.exists() and seen.read_text() == "A is 0\n")
        run.announce(A="3")
        wait_until(lambda: "failed: exit status 3" in run.said())
        assert seen.read_text() == "A is 0\nA is 3\n"
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)


def test_commands_of_watch_run_never_overlap(tmp_path):
    gate, seen = tmp_path / "gate", tmp_path / "seen"
    os.mkfifo(gate)
    command = f"echo begin $A >> {seen}; read x < {gate}; echo end $A >> {seen}"
    with Supervised(f"--watch=run:{command}", "--", *shell(f"echo on; {WAITS}")) as run:
        run.expect("on\n")
        run.announce(A="1")
        wait_until(seen.exists)
        run.announce(A="2")
        run.announce(A="3")
        gate.write_text("go\n")
        wait_until(lambda: "begin 3" in seen.read_text())
        gate.write_text("go\n")
        wait_until(lambda: seen.read_text().endswith("end 3\n"))
        assert seen.read_text() == "begin 1\nend 1\nbegin 3\nend 3\n"


def test_an_app_goes_on_where_the_command_of_watch_run_cannot_be_started():
    with Supervised("--watch=run:true", "--", *shell(f"echo on; {WAITS}")) as run:
        run.expect("on\n")
        _, hard = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (5, hard))
        run.announce(A="2")
        wait_until(lambda: "cannot start /bin/sh: too many open files" in run.said())
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)


def test_a_bug_of_the_watcher_does_not_end_the_app():
    with Supervised("--watch", "--", *shell(f"echo on; {WAITS}")) as run:
        run.expect("on\n")
        run.report("raise", "made-up")
        wait_until(lambda: "internal error: ImportError: no change is noticed now" in run.said())
        assert "made-up" not in run.said()
        run.signal(signal.SIGTERM)
        assert (run.rest(), run.wait()) == ("", -signal.SIGTERM)


def test_a_message_that_a_pipe_may_not_take_at_once_is_shortened():
    with Supervised("--watch", "--", *shell(f"echo $A; {WAITS}"), A="1") as run:
        run.expect("1\n")
        run.report("warned", "x" * 100_000)
        wait_until(lambda: run.said().endswith("x...\n"))
        assert len(run.said()) <= select.PIPE_BUF


# --- signals


@pytest.mark.parametrize("name", ["TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH", "INT", "CONT"])
def test_each_forwarded_signal_reaches_the_app_once(name):
    app = f"""
import signal, time
signal.signal(signal.SIG{name}, lambda *_: print("got", flush=True))
signal.signal(signal.SIGALRM, lambda *_: print("alarm", flush=True) or exit(0))
print("ready", flush=True)
while True: time.sleep(0.05)
"""
    with Supervised("--watch", "--stop-timeout", "30", "--", *python(app)) as run:
        run.expect("ready\n")
        run.signal(getattr(signal, f"SIG{name}"))
        run.expect("got\n")
        [child] = run.children()
        os.kill(child, signal.SIGALRM)
        assert (run.rest(), run.wait()) == ("alarm\n", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_app_that_ignores_a_signal_is_killed_after_the_stop_timeout(number):
    app = f"trap '' TERM INT; echo $$; {WAITS}"
    with Supervised("--watch", "--stop-timeout", "0.2", "--", *shell(app)) as run:
        pid = int(run.expect("\n"))
        run.signal(number)
        assert run.wait() == -number, "envkit's own KILL is not how the app ended"
        assert not lives(pid)


def test_a_second_signal_kills_at_once():
    with Supervised("--watch", "--stop-timeout", "3600", "--", *shell(IGNORES)) as run:
        run.expect("\n")

        def ended():
            run.signal(signal.SIGTERM)
            return run.process.poll() is not None

        wait_until(ended)
        assert run.wait() == -signal.SIGTERM


def test_an_app_that_ignores_its_stop_signal_is_killed_and_starts_again():
    with Supervised("--watch", "--stop-timeout", "0.1", "--", *shell(IGNORES)) as run:
        first = int(run.expect("\n"))
        run.announce(A="2")
        second = int(run.expect("\n"))
        assert first != second
        assert not lives(first)


def test_the_stop_signal_can_be_chosen():
    app = f"trap 'echo quitting; exit' QUIT; trap 'echo no' TERM; echo ready; {WAITS}"
    with Supervised("--watch", "--stop-signal", "quit", "--", *shell(app)) as run:
        run.expect("ready\n")
        run.announce(A="2")
        assert run.expect("ready\n") == "quitting\nready\n"


def test_the_app_gets_the_signal_mask_and_dispositions_that_envkit_was_started_with():
    def ignore_usr1():
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    blocked = {"preexec_fn": ignore_usr1}
    number = str(int(signal.SIGUSR2))
    kinds = ("Blk:", "Ign:", "Cgt:")
    show = ["cat", "/proc/self/status"]
    with Supervised("--watch", "--", *show, more=blocked, BLOCKED=number) as run:
        seen = dict(line.split()[:2] for line in run.rest().splitlines() if line[3:7] in kinds)
        assert run.wait() == 0
    masks = {name: int(value, 16) for name, value in seen.items()}
    assert masks["SigBlk:"] == 1 << (signal.SIGUSR2 - 1)
    real_time = -1 << (signal.SIGRTMIN - 3)  # the caller of the tests may ignore some of these
    assert masks["SigIgn:"] & ~real_time == 1 << (signal.SIGUSR1 - 1)
    assert masks["SigCgt:"] == 0


def test_a_signal_that_the_caller_ignored_does_not_end_envkit():
    def ignore_int():  # as a shell without job control does for `envkit ... &`
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    app = shell(f"trap 'echo usr1; exit 0' USR1; echo ready; {WAITS}")
    options = ("--watch", "--stop-timeout", "0")
    with Supervised(*options, "--", *app, more={"preexec_fn": ignore_int}) as run:
        run.expect("ready\n")
        run.signal(signal.SIGINT)
        run.signal(signal.SIGUSR1)
        assert (run.rest(), run.wait()) == ("usr1\n", 0)


# --- groups and orphans


def test_a_stop_reaches_the_whole_group_of_the_app():
    # `npm` starts `node`, and does not always pass a signal on
    app = f"(trap 'echo child' TERM; echo ready; {WAITS}) & wait"
    with Supervised("--watch", "--stop-timeout", "0.1", "--", *shell(app)) as run:
        run.expect("ready\n")
        run.announce(A="2")
        assert run.expect("ready\n") == "child\nready\n"


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(3600)
    os._exit(0)
os.wait()
"""


def test_a_process_that_left_the_group_ends_with_a_restart():
    app = python(f"{DAEMON}time.sleep(3600)")
    with Supervised("--watch", "--", *app) as run:
        first = int(run.expect("\n"))
        run.announce(A="2")
        second = int(run.expect("\n"))
        assert not lives(first)
        assert lives(second)
        run.signal(signal.SIGTERM)
        assert run.wait() == -signal.SIGTERM
        assert not lives(second)


def test_a_daemon_survives_the_app_that_ends_by_itself():
    with Supervised("--watch", "--", *python(DAEMON)) as run:
        daemon = int(run.expect("\n"))
        try:
            assert run.wait() == 0
            assert lives(daemon)
        finally:
            os.kill(daemon, signal.SIGKILL)


def test_what_is_left_in_the_group_of_an_app_that_ends_is_stopped():
    app = f"({IGNORES}) & read x < /dev/null; exit 5"
    with Supervised("--watch", "--stop-timeout", "0.1", "--", *shell(app)) as run:
        assert run.wait() == 5
        left = wait_until(lambda: True) and run.rest().split()
        assert not any(lives(int(pid)) for pid in left)


def test_orphans_are_reaped():
    app = f"(sh -c 'echo $$; exit' &) ; read x < /dev/null; echo on; {WAITS}"
    with Supervised("--watch", "--", *shell(app)) as run:
        shown = run.expect("on\n")
        orphan = shown.split()[0] if shown.split()[0] != "on" else run.expect("\n").strip()
        wait_until(lambda: not os.path.exists(f"/proc/{orphan}"), "a zombie remains")


# --- end


@pytest.mark.parametrize(
    ("app", "status"),
    [
        ("exit 0", 0),
        ("exit 42", 42),
        ("kill -TERM $$", -signal.SIGTERM),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -QUIT $$", -signal.SIGQUIT),
    ],
)
def test_envkit_ends_as_the_app_does(app, status, tmp_path):
    with Supervised("--watch", "--", *shell(app), more={"cwd": tmp_path}) as run:
        assert run.wait() == status
        assert run.said() == ""


def test_a_stderr_that_is_closed_changes_neither_the_app_nor_its_exit_status():
    app = f"trap 'exit 3' USR1; echo A is $A; {WAITS}"
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    for under in (tuple(command), ()):
        with Supervised("--watch", "--", *shell(app), under=under, A="1") as run:
            run.expect("A is 1\n")
            run.announce(A="2")
            run.expect("A is 2\n")
            run.signal(signal.SIGUSR1)
            assert run.wait() == 3


def test_messages_that_cannot_be_written_are_dropped():
    reading, writing = os.pipe()
    app = f"trap 'exit 3' USR1; echo A is $A; {WAITS}"
    more = {"pass_fds": [writing]}
    under = ("sh", "-c", f'exec "$@" 2>/dev/fd/{writing}', "sh")
    with Supervised("--watch", "--", *shell(app), under=under, more=more, A="1") as run:
        run.expect("A is 1\n")
        os.close(writing)
        os.close(reading)
        run.announce(A="2")
        run.expect("A is 2\n")
        run.announce(A="3")
        run.expect("A is 3\n")
        run.signal(signal.SIGUSR1)
        assert run.wait() == 3


def test_a_signal_before_the_end_does_not_spare_what_the_app_leaves_behind():
    app = f"trap 'exit 5' USR1; (trap 'echo child' TERM; echo $$; {WAITS}) & {WAITS}"
    with Supervised("--watch", "--stop-timeout", "0.1", "--", *shell(app)) as run:
        run.expect("\n")
        run.signal(signal.SIGCONT)
        run.signal(signal.SIGUSR1)
        assert (run.rest(), run.wait()) == ("child\n", 5)


def test_an_app_that_handles_the_signal_chooses_the_exit_status():
    app = f"trap 'exit 7' TERM; echo ready; {WAITS}"
    with Supervised("--watch", "--", *shell(app)) as run:
        run.expect("ready\n")
        run.signal(signal.SIGTERM)
        assert run.wait() == 7


def test_an_app_that_exits_during_its_stop_starts_again():
    app = f"trap 'exit 9' TERM; echo A is $A; {WAITS}"
    with Supervised("--watch", "--", *shell(app), A="1") as run:
        run.expect("A is 1\n")
        run.announce(A="2")
        run.expect("A is 2\n")


def test_the_app_ends_if_envkit_is_killed():
    with Supervised("--watch", "--", *shell(IGNORES)) as run:
        app = int(run.expect("\n"))
        run.signal(signal.SIGKILL)
        run.wait()
        wait_until(lambda: not lives(app), "the app goes on alone")


def test_a_program_that_is_gone_at_the_restart_ends_envkit_as_plain_exec_would(tmp_path):
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\necho ready\n{WAITS}\n")
    program.chmod(0o755)
    with Supervised("--watch", "--", str(program)) as run:
        run.expect("ready\n")
        program.unlink()
        run.announce(A="2")
        assert run.wait() == 127
        assert "[command-not-found]" in run.said()


def test_files_and_input_pass_through_and_a_closed_input_changes_nothing():
    reading, writing = os.pipe()
    app = f"""
import os, time
print("got", os.read(0, 9), flush=True)
os.close(0)
os.write({writing}, b"more")
time.sleep(3600)
"""
    more = {"pass_fds": [writing], "stdin": subprocess.PIPE}
    with Supervised("--watch", "--", *python(app), more=more) as run:
        run.process.stdin.write(b"hello\n")
        run.process.stdin.close()
        run.expect("got b'hello\\n'\n")
        assert os.read(reading, 10) == b"more"
        run.announce(A="2")
        run.expect("got b''\n")
        assert os.read(reading, 10) == b"more"
    os.close(reading)
    os.close(writing)
