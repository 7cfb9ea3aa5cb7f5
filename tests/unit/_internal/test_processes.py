"""Processes are told apart by their start."""

import os
import subprocess
import sys

from envkit._internal.processes import namespace, process_name, started_at
from support.supervised import wait_until
from support.terminal_session import state_of


def test_a_process_has_one_name_as_long_as_it_lives():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        assert name.startswith(f"{process.pid}-")
        assert process_name(process.pid) == name != process_name(os.getpid())
        process.communicate(b"\n")
    assert process_name(process.pid) == ""


def test_a_process_that_its_parent_has_not_reaped_does_not_exist():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process_name(pid) == ""
    os.waitpid(pid, 0)


ENDS_ITS_MAIN_THREAD = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_main_thread_has_ended_exists():
    code = [sys.executable, "-c", ENDS_ITS_MAIN_THREAD]
    with subprocess.Popen(code, stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        wait_until(lambda: state_of(process.pid) == "Z")
        assert process_name(process.pid) == name
        process.communicate()


def test_processes_of_one_host_and_container_share_its_name():
    assert os.uname().nodename in namespace()


def test_a_process_that_does_not_exist_has_no_start():
    assert started_at(os.getpid()) == started_at(os.getpid()) is not None
    assert started_at(2**22 + 1) is None
