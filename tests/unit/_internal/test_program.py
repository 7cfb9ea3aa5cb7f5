"""Real programs: exit status, input, environment and timeouts."""

import json
import os
import sys
import time

import pytest

from envkit._internal.program import ProgramError, run_command, run_program
from support.process import run_python

AN_HOUR = 3600.0
PYTHON = sys.executable


def refusal(call):
    """Return the message and the hint of a program that failed, and whether it was late."""
    with pytest.raises(ProgramError) as caught:
        call()
    assert str(caught.value) == caught.value.message
    return caught.value.message, caught.value.hint, caught.value.late


def python(code, *, timeout_seconds=AN_HOUR, **options):
    options = {"environ": {}, **options}
    return run_program([PYTHON, "-c", code], timeout_seconds=timeout_seconds, **options)


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("code", "status"), [("", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(0, 9)", -9)]
)
def test_run_program_returns_the_exit_status(code, status):
    assert python(code).status == status


def test_run_program_does_not_wait_for_a_process_in_another_session(tmp_path):
    begun = tmp_path / "begun"
    code = (
        "import os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        f"    open({str(begun)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(1000)"
    )
    with pytest.raises(ProgramError, match="timed out"):
        python(code, capture=True, timeout_seconds=1)
    os.kill(int(begun.read_text()), 9)


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("echo out; echo err >&2", "out\nerr\n"),
        ("printf 0123456789", "0123456789"),
        ("printf 0123456789a", "0123456789\n(more output of 'sh' is not shown)\n"),
        ("yes | head -c 1000000", "y\n" * 5 + "\n(more output of 'sh' is not shown)\n"),
        ("echo begin; exec > /dev/null 2>&1; true", "begin\n"),
        ("sleep 1000 & echo $! > pid; echo begin", "begin\n"),  # it has the pipe
    ],
)
def test_the_output_of_a_command_is_shown_up_to_a_limit(
    tmp_path, monkeypatch, capfd, script, shown
):
    monkeypatch.chdir(tmp_path)
    run_command(["sh", "-c", script], {}, timeout_seconds=AN_HOUR, most_output_bytes=10)
    assert capfd.readouterr() == ("", shown)
    if (tmp_path / "pid").exists():
        os.kill(int((tmp_path / "pid").read_text()), 9)


def test_a_command_that_never_stops_writing_is_late(capfd):
    message, _, late = refusal(
        lambda: run_command(["yes"], {}, timeout_seconds=0.2, most_output_bytes=4)
    )
    assert (message, late) == ("'yes' timed out after 0.2 s", True)
    assert capfd.readouterr().err == "y\ny\n\n(more output of 'yes' is not shown)\n"


def test_run_program_passes_input_and_captures_output():
    echo = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert python(echo, stdin=b"\x00\xff\n", capture=True).output == b"\n\xff\x00"
    assert python(echo, capture=True).output == b"", "without input, stdin is empty"


def test_run_program_passes_exactly_the_given_environment(monkeypatch):
    monkeypatch.setenv("FOREIGN", "x")
    code = "import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'))"
    assert python(code, environ={"OWN": "1"}, capture=True).output == b"['OWN']\n"


def test_stderr_is_dropped_when_stdout_is_captured(capfd):
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    assert python(code, capture=True).output == b"out\n"
    assert capfd.readouterr() == ("", "")
    assert python(code).output == b""
    assert sorted(capfd.readouterr().err.split()) == ["err", "out"], "both go to stderr"


def test_arguments_are_not_interpreted_by_a_shell():
    shown = run_program(
        [PYTHON, "-c", "import sys; print(sys.argv[1:])", "$HOME; id", "*"],
        environ={},
        timeout_seconds=AN_HOUR,
        capture=True,
    )
    assert shown.output == b"['$HOME; id', '*']\n"


@pytest.mark.parametrize(
    ("mode", "reason"), [(None, "no such file or directory"), (0o644, "permission denied")]
)
def test_a_program_that_cannot_be_started_is_an_error(tmp_path, mode, reason):
    path = tmp_path / "program"
    if mode is not None:
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    found = refusal(lambda: run_program([str(path)], environ={}, timeout_seconds=AN_HOUR))
    assert found == (f"cannot run '{path}': {reason}", f"run: command -v {path}", False)


def test_an_impossible_argument_is_an_error():
    found = refusal(lambda: run_program([PYTHON, "a\0b"], environ={}, timeout_seconds=AN_HOUR))
    assert found[0] == f"cannot run '{PYTHON}': it is not a command"


def test_a_command_that_does_not_end_is_killed_with_all_its_processes(tmp_path):
    inner = f"/bin/sh -c 'echo $$ > {tmp_path}/$0; sleep 1000'"
    script = (
        f"trap '' TERM; echo $$ > {tmp_path}/own; {inner} child & setsid {inner} session & "
        f"(setsid {inner} orphan &); setsid env -i {inner} bare & wait; sleep 1000"
    )
    command = ["sh", "-c", script]
    message, hint, late = refusal(lambda: run_command(command, {}, timeout_seconds=1))
    assert message == "'sh' timed out after 1 s"
    assert (hint, late) == ("let it start long work in the background, and exit", True)
    pids = {one.name: int(one.read_text()) for one in tmp_path.iterdir()}
    assert pids.keys() == {"own", "child", "session", "orphan", "bare"}
    end = time.monotonic() + 30
    while left := [name for name, pid in pids.items() if is_alive(pid)]:
        assert time.monotonic() < end, left


def test_an_interrupt_also_ends_the_program(tmp_path):
    started = tmp_path / "pid"
    code = (
        f"import os, signal, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGINT)\ntime.sleep(1000)\n"
    )
    # in a separate process, because the test process has other threads
    caller = (
        "import signal, sys\nfrom envkit._internal.program import run_program\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        f"    run_program([sys.executable, '-c', {code!r}], environ={{}}, timeout_seconds=60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    assert run_python(caller).stdout == "interrupted\n"
    assert not is_alive(int(started.read_text()))


def test_a_command_gets_facts_and_the_named_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("NAMED", "here")
    monkeypatch.setenv("VAULT_TOKEN", "not here")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    seen = tmp_path / "seen"
    code = f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))"
    run_command(
        [PYTHON, "-c", code], {"FACT": "!"}, environment=["NAMED", "UNSET"], timeout_seconds=AN_HOUR
    )
    environ = json.loads(seen.read_text())
    assert (environ["FACT"], environ["NAMED"], environ["LC_ALL"]) == ("!", "here", "C.UTF-8")
    assert {"PATH", "HOME"} <= environ.keys()
    assert "VAULT_TOKEN" not in environ


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("raise SystemExit(3)", "exited with status 3", f"run it by hand: {PYTHON}"),
        ("import os; os.kill(os.getpid(), 15)", "was killed by signal 15", None),
    ],
)
def test_a_command_that_fails_is_an_error(code, message, hint):
    found = refusal(lambda: run_command([PYTHON, "-c", code], {}, timeout_seconds=AN_HOUR))
    assert found == (f"'{PYTHON}' {message}", hint, False)
