"""The names of processes, which outlive the reuse of their ids."""

import os
import subprocess
import sys

from envkit._internal.process_name import host_name, process_name


def test_a_process_has_one_name_as_long_as_it_lives():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        assert name.startswith(f"{process.pid}-")
        assert process_name(process.pid) == name != process_name(os.getpid())
        process.communicate(b"\n")
    assert process_name(process.pid) == ""


def test_processes_of_one_host_and_container_have_its_name():
    assert os.uname().nodename in host_name()
