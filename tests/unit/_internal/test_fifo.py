"""A named pipe is read once for each deadline, within limits of size and time."""

import os
from threading import Thread

import pytest

from envkit._internal.clock import Deadline
from envkit._internal.files import FileRefusedError, read_capped, read_in_project


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / ".env"
    os.mkfifo(path)
    return path


@pytest.fixture
def writing(pipe):
    """Write to the pipe once, as soon as it is opened, and wait for the end of the write."""
    threads = []

    def write(data):
        threads.append(Thread(target=pipe.write_bytes, args=(data,)))
        threads[-1].start()

    yield write
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("data", [b"", b"A=1\n", b"A=" + b"x" * 300_000 + b"\n", b"\0\xff"])
def test_a_pipe_is_read_until_its_writer_closes_it(pipe, writing, data):
    writing(data)
    until = Deadline(30)
    assert read_capped(str(pipe), 1 << 20, pipe_until=until) == data
    again, _ = read_in_project(str(pipe), str(pipe.parent), 1 << 20, pipe_until=until)
    assert again == data


def test_a_pipe_is_read_again_under_another_deadline(pipe, writing):
    for data in (b"A=1\n", b"A=2\n"):
        writing(data)
        assert read_capped(str(pipe), 100, pipe_until=Deadline(30)) == data


def test_a_pipe_without_a_writer_ends_at_the_deadline(pipe):
    with pytest.raises(TimeoutError, match="nothing was written to the pipe"):
        read_capped(str(pipe), 100, pipe_until=Deadline(0))


def test_a_pipe_that_stays_open_ends_at_the_deadline(pipe):
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        os.write(descriptor, b"A=canary\n")
        with pytest.raises(TimeoutError, match="the pipe was not closed") as caught:
            read_capped(str(pipe), 100, pipe_until=Deadline(0.01))
        assert "canary" not in str(caught.value)
    finally:
        os.close(descriptor)


def test_a_pipe_with_too_much_data_is_refused(pipe):
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        os.write(descriptor, b"A" * 200)
        with pytest.raises(FileRefusedError, match="larger than 100 bytes"):
            read_capped(str(pipe), 100, pipe_until=Deadline(30))
    finally:
        os.close(descriptor)


def test_a_pipe_is_refused_without_a_deadline(pipe):
    with pytest.raises(FileRefusedError, match="not a regular file"):
        read_capped(str(pipe), 100)
