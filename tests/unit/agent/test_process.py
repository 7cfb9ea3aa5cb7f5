"""The socket of an agent: a stale one is replaced, any other is left alone."""

import os
import socket

import pytest

from envkit.agent import process
from envkit.agent.process import listening
from support.process import run_python


def test_a_socket_without_a_process_is_replaced(runtime):
    path = f"{runtime}/agent"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with listening(path) as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert listener.getsockname() == path
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_socket_that_somebody_listens_at_is_left_alone(runtime):
    path = f"{runtime}/agent"
    with listening(path):
        before = os.lstat(path)
        assert listening(path) is None
        assert os.path.samestat(before, os.lstat(path))


def test_what_is_no_socket_is_left_alone(runtime):
    path = f"{runtime}/agent"
    with open(path, "w") as file:
        file.write("precious")
    assert listening(path) is None
    with open(path) as file:
        assert file.read() == "precious"


def test_a_socket_is_not_replaced_while_another_agent_starts(runtime, monkeypatch):
    monkeypatch.setattr(process, "LOCK_SECONDS", 0.05)
    path = f"{runtime}/agent"
    import fcntl

    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert listening(path) is None
    with listening(path) as listener:
        assert listener is not None


def test_a_pipe_in_the_place_of_the_log_or_the_lock_does_not_block(runtime):
    for name in ("agent.log", "agent.lock"):
        os.mkfifo(f"{runtime}/{name}")
    process._logger(f"{runtime}/agent.log")("text")
    with pytest.raises(OSError, match="No such device"):
        listening(f"{runtime}/agent")


def test_a_log_that_cannot_be_written_is_no_failure(runtime):
    process._logger(f"{runtime}/none/log")("text")
    process._logger("/dev/full")("text")
    log = process._logger(f"{runtime}/log")
    log("text")
    with open(f"{runtime}/log") as file:
        assert [line.split(" ", 2)[2] for line in file] == ["started\n", "text\n"]


@pytest.mark.parametrize(("before", "after"), [((16, 20), (20, 20)), ((16, 9000), (1024, 9000))])
def test_a_low_limit_of_open_files_is_raised(before, after):
    code = (
        "import resource; from envkit.agent.process import _allow_files\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, {before})\n"
        "_allow_files(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert run_python(code).stdout == f"{after}\n"


def test_a_log_stays_small(runtime, monkeypatch):
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 100)
    log = process._logger(f"{runtime}/log")
    for _ in range(20):
        log("x" * 50)
    assert os.path.getsize(f"{runtime}/log") < 300
