"""Processes are told apart by their start."""

import os
import subprocess
import sys

from envkit._internal.processes import namespace, process_name, started_at


def test_a_process_has_one_name_as_long_as_it_lives():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        assert name.startswith(f"{process.pid}-")
        assert process_name(process.pid) == name != process_name(os.getpid())
        process.communicate(b"\n")
    assert process_name(process.pid) == ""


def test_processes_of_one_host_and_container_share_its_name():
    assert os.uname().nodename in namespace()


def test_a_process_that_does_not_exist_has_no_start():
    assert started_at(os.getpid()) == started_at(os.getpid()) is not None
    assert started_at(2**22 + 1) is None
