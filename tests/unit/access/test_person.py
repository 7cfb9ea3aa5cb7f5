"""Whether a process acts for a person."""

from __future__ import annotations

import pytest

from envkit.access.person import is_person
from support.process import run_python

ASK = "from envkit.access.person import has_terminal; print(has_terminal())"


@pytest.mark.parametrize("reason", ["INC-7", " x "])
def test_a_process_with_a_reason_on_its_command_line_acts_for_a_person(reason):
    assert is_person(reason)


def test_a_process_in_a_session_without_a_terminal_acts_for_no_person():
    assert run_python(ASK, start_new_session=True).stdout == "False\n"


def test_a_process_with_a_controlling_terminal_acts_for_a_person_whatever_its_streams_are(tmp_path):
    code = (
        "import os, pty, subprocess, sys\n"
        "pid, terminal = pty.fork()\n"
        "if pid == 0:\n"
        "    with open(sys.argv[1], 'w') as file:\n"
        f"        subprocess.run([sys.executable, '-c', {ASK!r}], stdin=subprocess.DEVNULL,\n"
        "                       stdout=file, stderr=subprocess.DEVNULL)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "print(open(sys.argv[1]).read(), end='')\n"
    )
    assert run_python(code, str(tmp_path / "said")).stdout == "True\n"
