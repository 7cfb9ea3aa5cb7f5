"""Short-lived child processes, with real ones."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import time

import pytest

from envkit.resident.forked import SPARE_SECONDS, Job, JobState, wait_readable
from support.process import run_python


def received(job):
    parts = []
    while job.state is JobState.RUNNING:
        wait_readable([job.fileno()], job.late_at)
        parts += job.receive()
    return parts


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def waits():
    while True:  # `signal.pause` alone would miss a signal that comes before it
        time.sleep(3600)


def test_parts_arrive_as_they_were_sent_whatever_their_size():
    large = {b"NAME": b"x" * 1_000_000, b"\xff": b"", b"NONE": None}

    def work(send):
        for number in range(100):
            send(("part", number, ("a", None)))
        send(("large", large))

    job = Job(work, seconds=60)
    parts = received(job)
    assert job.state is JobState.DONE
    assert parts == [*(("part", n, ("a", None)) for n in range(100)), ("large", large)]
    assert not is_there(job.pid)


@pytest.mark.parametrize(
    "work",
    [
        lambda send: 1 / 0,
        lambda send: send((object(),)),
        lambda send: os._exit(0),
        lambda send: os.kill(os.getpid(), signal.SIGKILL),
    ],
    ids=["an exception", "what cannot be sent", "an early exit", "a signal"],
)
def test_a_child_that_crashes_has_not_done_its_work(work, capfd):
    def sends_and_crashes(send):
        send(("first",))
        work(send)

    job = Job(sends_and_crashes, seconds=60)
    assert received(job) == [("first",)]
    assert job.state is JobState.CRASHED
    assert not is_there(job.pid)
    assert capfd.readouterr() == ("", "")


def test_a_child_that_is_late_is_killed_with_what_it_has_started():
    def work(send):
        pid = os.fork()
        if pid:
            send((pid,))
        waits()

    job = Job(work, seconds=0.2 - SPARE_SECONDS)
    # the kernel may end it at its deadline before we do
    ((grandchild,),) = received(job)
    assert job.state in (JobState.LATE, JobState.CRASHED)
    assert not is_there(job.pid)
    if job.state is JobState.CRASHED:
        os.kill(grandchild, signal.SIGKILL)


def test_closing_a_job_ends_its_child_at_once_and_may_be_repeated():
    job = Job(lambda send: waits(), seconds=60)
    job.close()
    job.close()
    assert job.state is JobState.LATE
    assert job.receive() == []
    assert not is_there(job.pid)


def test_a_child_that_another_part_of_the_program_has_reaped_is_no_problem():
    job = Job(lambda send: send(("part",)), seconds=60)
    os.waitpid(job.pid, 0)
    assert received(job) == [("part",)]
    assert job.state is JobState.DONE


def test_a_child_has_its_own_session_and_none_of_the_standard_streams():
    def work(send):
        streams = [os.readlink(f"/proc/self/fd/{stream}") for stream in (0, 1, 2)]
        send((os.getsid(0), os.getpid(), streams))

    job = Job(work, seconds=60)
    ((session, pid, streams),) = received(job)
    assert (session, pid) == (job.pid, job.pid)
    assert streams == [os.devnull] * 3


def test_a_child_that_is_attached_stays_in_the_session_with_its_streams():
    job = Job(lambda send: send((os.getsid(0), os.getpgid(0))), seconds=60, attached=True)
    assert received(job) == [(os.getsid(0), os.getpgid(0))]


def test_signals_of_a_child_do_not_reach_the_handlers_of_its_parent():
    taken = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    before = signal.signal(signal.SIGUSR1, lambda number, _: taken.append(number))
    wakeup = signal.set_wakeup_fd(writing)
    try:
        job = Job(lambda send: os.kill(os.getpid(), signal.SIGUSR1), seconds=60)
        assert received(job) == []
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGUSR1, before)
    assert job.state is JobState.CRASHED
    assert taken == []
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    os.close(reading)
    os.close(writing)


def test_a_file_descriptor_above_those_of_select_can_be_waited_for():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    reading, writing = os.pipe()
    try:
        high = fcntl.fcntl(reading, fcntl.F_DUPFD_CLOEXEC, 1500)
        os.write(writing, b"x")
        wait_readable([high], time.monotonic() + 60)
        assert os.read(high, 1) == b"x"
        os.close(high)
    finally:
        os.close(reading)
        os.close(writing)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end it with its parent")
def test_a_child_ends_when_its_parent_is_killed():
    code = """
import os, signal, sys, time
from envkit.resident.forked import Job
def work(send):
    send((1,))
    time.sleep(3600)
job = Job(work, seconds=600)
while not job.receive():
    pass
print(job.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run_python(code, check=False)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 30
    while is_there(int(done.stdout)) and not is_zombie(int(done.stdout)):
        assert time.monotonic() < end, "it is still there"


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True
