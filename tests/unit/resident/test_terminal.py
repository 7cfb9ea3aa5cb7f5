"""The supervisor at a terminal: an interactive shell with job control, and a person who types."""

import json
import os
import re
import signal
import sys

import pytest

from support.supervised import lives, on_terminal, wait_until
from support.terminal_session import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_Z,
    PROMPT,
    TerminalSession,
    state_of,
    wait_for_state,
)

# counts signals; says who it is, and the counts at SIGALRM
COUNTS = """
import collections, os, signal, sys, time
seen = collections.Counter()
def note(number, _):
    seen[signal.Signals(number).name] += 1
    print(f"got {signal.Signals(number).name}", flush=True)  # one write: a prompt may interrupt
    if number == signal.SIGTERM: sys.exit(7)
for number in (2, 1, 3, 10, 12, 15, 18, 28):
    signal.signal(number, note)
signal.signal(signal.SIGALRM, lambda *_: print("counts", dict(seen), flush=True))
print("app", os.getpid(), "envkit", os.getppid(), flush=True)
while True:
    time.sleep(0.05)  # a pause would miss a signal just before it
"""


class Person:
    """A terminal session, and the pipe through which a test announces changes."""

    def __init__(self, tmp_path):
        self.pipe = str(tmp_path / "changes")
        self.script = tmp_path / "app.py"
        self.script.write_text(COUNTS)
        os.mkfifo(self.pipe)
        self._changes = os.open(self.pipe, os.O_RDWR)
        self.session = TerminalSession()
        self.types, self.sees = self.session.types, self.session.sees

    def close(self):
        self.session.__exit__()
        os.close(self._changes)

    def announce(self, **variables):
        os.write(self._changes, json.dumps({"set": variables}).encode() + b"\n")

    def line(self, *command, options=("--watch",), after=""):
        return f"{on_terminal(self.pipe, *options, '--', *command)} {after}\n"

    def starts_counting(self, *options, after=""):
        """Start the app that counts; return its process id and envkit's."""
        options = options or ("--watch",)
        command = (sys.executable, str(self.script))
        self.types(self.line(*command, options=options, after=after))
        self.sees("app ")
        return [int(word) for word in re.findall(r"\d+", self.sees("\n"))]

    def counts(self, app):
        os.kill(app, signal.SIGALRM)
        self.sees("counts ")
        return json.loads(self.sees("\n").replace("'", '"'))


@pytest.fixture
def person(tmp_path):
    one = Person(tmp_path)
    yield one
    one.close()


WAYS = {
    "Ctrl-C": (signal.SIGINT, lambda person, envkit: person.types(CTRL_C)),
    "Ctrl-backslash": (signal.SIGQUIT, lambda person, envkit: person.types(CTRL_BACKSLASH)),
    **{
        f"kill -{name} envkit": (
            getattr(signal, f"SIG{name}"),
            lambda person, envkit, name=name: os.kill(envkit, getattr(signal, f"SIG{name}")),
        )
        for name in ("INT", "HUP", "USR1", "CONT", "WINCH")
    },
    **{
        f"kill -{name} of the group": (
            getattr(signal, f"SIG{name}"),
            lambda person, envkit, name=name: os.kill(-envkit, getattr(signal, f"SIG{name}")),
        )
        for name in ("INT", "HUP", "USR2", "CONT", "WINCH")
    },
}


def test_each_signal_reaches_the_app_once_whoever_receives_it(person):
    app, envkit = person.starts_counting()
    expected = {}
    for number, do in WAYS.values():
        name = signal.Signals(number).name
        do(person, envkit)
        person.sees(f"got {name}")
        expected[name] = expected.get(name, 0) + 1
        # what envkit forwards in addition would arrive before the next signal that it forwards
        following = signal.SIGUSR1 if number != signal.SIGUSR1 else signal.SIGHUP
        os.kill(envkit, following)
        person.sees(f"got {following.name}")
        expected[following.name] = expected.get(following.name, 0) + 1
        assert person.counts(app) == expected, name


@pytest.mark.parametrize("way", ["kill %1", "kill envkit"])
def test_a_graceful_exit_is_told_once_to_stop(person, way):
    app, envkit = person.starts_counting(after="&")
    person.types("kill %1\n" if way == "kill %1" else f"kill {envkit}\n")
    person.sees("got SIGTERM")
    wait_until(lambda: not lives(envkit))
    person.types("echo; wait %1; echo status $?\n")
    assert "got" not in person.sees("status 7")
    assert not lives(app)


def test_signals_reach_the_app_once_after_the_witness_was_killed(person):
    app, envkit = person.starts_counting()
    [witness] = [pid for pid in children(envkit) if pid != app]
    os.kill(witness, signal.SIGKILL)
    wait_until(lambda: len(set(children(envkit)) - {app, witness}) == 1)
    person.types(CTRL_C)
    person.sees("got SIGINT")
    os.kill(envkit, signal.SIGUSR1)
    person.sees("got SIGUSR1")
    assert person.counts(app) == {"SIGINT": 1, "SIGUSR1": 1}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def test_ctrl_z_stops_the_app_and_then_envkit_and_fg_continues_both(person):
    app, envkit = person.starts_counting()
    for _ in range(2):
        person.types(CTRL_Z)
        person.sees("Stopped")
        assert (state_of(app), state_of(envkit)) == ("T", "T")
        person.types("fg\n")
        person.sees("got SIGCONT")
    assert person.counts(app) == {"SIGCONT": 2}
    person.types(CTRL_Z)
    person.sees("Stopped")
    person.types("bg\n")
    person.sees("got SIGCONT")
    wait_for_state(envkit, "SR")
    person.types("kill %1; wait %1; echo status $?\n")
    person.sees("status 7")


def test_an_app_that_ignores_ctrl_z_keeps_envkit_in_the_foreground(person):
    app = "import signal\nsignal.signal(signal.SIGTSTP, lambda *_: print('no', flush=True))\n"
    person.script.write_text(app + COUNTS)
    app, envkit = person.starts_counting()
    person.types(CTRL_Z)
    person.sees("no\r\n")
    assert person.counts(app) == {}
    assert state_of(envkit) in "SR"


def test_an_app_that_is_started_in_the_background_waits_for_the_terminal(person):
    person.types(person.line("sh", "-c", "read x; echo it is $x", after="&"))
    person.sees(PROMPT)
    person.types("wait %1; jobs\n")
    person.sees("Stopped")
    person.types("fg\nhello\n")
    person.sees("it is hello")
    person.sees(PROMPT)


def test_a_closed_terminal_ends_the_app_and_envkit(person):
    person.script.write_text(COUNTS.replace("(2, 1,", "(2,"))
    _, envkit = person.starts_counting()
    family = [envkit, *children(envkit)]
    person.session.hang_up()
    wait_until(lambda: not any(lives(pid) for pid in family))


def test_the_output_can_be_read_in_less_and_its_end_ends_envkit(person):
    person.types(person.line("sh", "-c", "seq 1 1000000", after="| less"))
    person.sees("\r\n5")
    person.types("q")
    person.sees(PROMPT)
    person.types("echo status ${PIPESTATUS[*]}\n")
    assert "status 141 0" in person.sees(PROMPT)


def test_ctrl_c_ends_a_loop_of_the_shell(person):
    line = person.line("sh", "-c", "echo again; exec sleep 60").strip()
    person.types(f"while :; do {line}; done\n")
    person.sees("again")
    person.types(CTRL_C)
    person.sees(PROMPT)
    person.types("echo status $?\n")
    assert "status 130" in person.sees(PROMPT)


def test_an_interactive_shell_has_its_job_control_and_survives_a_restart(person):
    inner = ("bash", "--norc", "--noprofile", "--noediting", "-i")
    options = ("--watch", "--stop-timeout", "0.1")
    person.types(person.line("env", "PS1=inner>", *inner, options=options))
    for value in ("1", "2"):
        person.sees("inner>")
        person.types("sleep 60\n")
        wait_until(lambda: foreground(person).startswith("sleep"))
        person.types(CTRL_C)
        person.sees("inner>")
        person.types("sleep 61\n")
        wait_until(lambda: foreground(person).startswith("sleep"))
        person.types(CTRL_Z)
        person.sees("Stopped")
        person.types("kill -9 %1; wait; echo A is $A\n")
        person.sees(f"A is {value}" if value == "2" else "A is")
        person.sees("inner>")
        person.announce(A="2")
    person.sees("inner>")
    inner_shell = os.tcgetpgrp(person.session._ours)
    person.types("suspend\n")
    person.sees("Stopped")
    person.types("fg\n")
    wait_until(lambda: os.tcgetpgrp(person.session._ours) == inner_shell)
    person.types("exit 5\n")
    person.sees(PROMPT)
    person.types("echo status $?\n")
    person.sees("status 5")


def foreground(person):
    """Return the name of the program that has the terminal."""
    group = os.tcgetpgrp(person.session._ours)
    try:
        with open(f"/proc/{group}/comm") as file:
            return file.read()
    except OSError:  # it has just ended
        return ""


def test_a_full_screen_program_starts_again_with_a_sane_terminal(person, tmp_path):
    page = tmp_path / "page"
    page.write_text("".join(f"line {number}\n" for number in range(500)))
    person.types(person.line("sh", "-c", f"echo A is $A; exec less {page}"))
    person.sees("line 20")
    person.announce(A="2")
    person.sees("A is 2\r\n")
    person.sees("line 20")
    person.types(" ")
    person.sees("line 40")
    person.types("q")
    person.sees(PROMPT)
    person.types("stty -a\n")
    assert " icanon" in person.sees(PROMPT)


def test_a_killed_program_leaves_no_raw_terminal_to_the_next_one(person):
    app = (
        "import sys, termios, time, tty\n"
        "print('canonical', bool(termios.tcgetattr(0)[3] & termios.ICANON), flush=True)\n"
        "tty.setraw(0)\nprint('raw', flush=True)\ntime.sleep(60)"
    )
    person.script.write_text(app)
    person.types(person.line(sys.executable, str(person.script)))
    person.sees("canonical True")
    person.sees("raw")
    person.announce(A="2")
    person.sees("canonical True")


def test_a_restart_at_a_terminal_stops_the_children_of_the_app_too(person):
    person.types(person.line("sh", "-c", "sh -c 'echo child $$; sleep 60; :' & wait; :"))
    person.sees("child ")
    first = int(person.sees("\n"))
    person.announce(A="2")
    person.sees("child ")
    second = int(person.sees("\n"))
    assert first != second
    assert not lives(first)


def test_ctrl_c_during_a_stop_ends_envkit(person):
    person.types(
        person.line(
            "sh",
            "-c",
            "trap 'echo told' TERM INT; echo on; while :; do sleep 0.01; done",
            options=("--watch", "--stop-timeout", "1"),
        )
    )
    person.sees("on")
    person.announce(A="2")
    person.sees("told")
    person.types(CTRL_C)
    person.sees(PROMPT)
    person.types("echo status $?\n")
    assert "status 130" in person.sees(PROMPT)
