"""However a process with a hidden question ends, the terminal shows again what is typed."""

import signal
import sys
import termios

import pytest

from support.supervised import lives, wait_until
from support.terminal_session import CTRL_Z, PROMPT, TerminalSession, send, wait_for_state

ASKS = """\
import os
from envkit.cli.interaction.prompt import hidden_line
print("pid", os.getpid(), flush=True)
print(hidden_line("PW: ")[::-1])
"""


def echoes(person):
    return bool(termios.tcgetattr(person._ours)[3] & termios.ECHO)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "asks"
    path.write_text(ASKS)
    return f"{sys.executable} {path}"


@pytest.fixture
def person():
    with TerminalSession() as one:
        one.types("stty echo\n")
        one.sees(PROMPT)
        yield one


def asked(person, command):
    """Run a command that asks, and return its process id."""
    person.types(f"{command}\n")
    person.sees("pid ")
    pid = int(person.sees("PW: ").split()[0])
    assert not echoes(person)
    return pid


# without a shell with job control around it, which would repair the terminal itself
WITHOUT_JOBS = """sh -c '%s; echo "status $?"; read wait'"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_a_hidden_question_ends_the_process_and_shows_what_is_typed(
    person, script, number
):
    send(asked(person, WITHOUT_JOBS % script), number)
    person.sees(f"status {128 + number}")
    assert echoes(person)


def test_an_ignored_signal_at_a_hidden_question_is_still_ignored(person, script):
    send(asked(person, f"(trap '' HUP; exec {script})"), signal.SIGHUP)
    person.types("abc\n")
    person.sees("cba")


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_a_stopped_hidden_question_is_hidden_again_in_the_foreground(person, script, stop):
    pid = asked(person, script)
    if stop == signal.SIGTSTP:
        person.types(f"half{CTRL_Z}")
    else:
        send(pid, stop)
    person.sees(PROMPT)
    wait_for_state(pid, "T")
    assert echoes(person)
    person.types("fg\n")
    person.sees("PW: ")
    wait_until(lambda: not echoes(person), "what is typed is shown")
    person.types("abc\n")
    shown = person.sees("cba")
    assert "half" not in shown
    assert "abc" not in shown
    assert echoes(person)


def test_a_stopped_hidden_question_can_be_ended_in_the_background(person, script):
    pid = asked(person, script)
    person.types(CTRL_Z)
    person.sees("Stopped")
    person.types("kill %1\n")
    wait_until(lambda: not lives(pid), "it does not end")
