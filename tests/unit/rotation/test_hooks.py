"""Commands around a rotation: what they get, and how they end."""

import os

import pytest

from envkit.rotation.hooks import HookError, run_hook

FACTS = {"ENVKIT_ROTATION": "db-password"}


def run(*command, seconds=30.0):
    run_hook(command, FACTS, timeout_seconds=seconds)


def test_it_gets_names_and_no_input(tmp_path):
    run("sh", "-c", f'cat > {tmp_path}/in; echo "$ENVKIT_ROTATION" > {tmp_path}/name')
    assert (tmp_path / "in").read_text() == ""
    assert (tmp_path / "name").read_text() == "db-password\n"


def test_what_it_prints_goes_to_stderr(capfd):
    run("sh", "-c", "echo out; echo err >&2")
    assert capfd.readouterr() == ("", "out\nerr\n")


def test_no_shell_is_involved(tmp_path):
    run("touch", f"{tmp_path}/$X;x")
    assert [path.name for path in tmp_path.iterdir()] == ["$X;x"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("sh", "-c", "exit 7"), "'sh' ended with status 7"),
        (("sh", "-c", "kill -TERM $$"), "'sh' was ended by signal 15"),
        (("/no/such/program",), "cannot run '/no/such/program': no such file"),
        (("/",), "cannot run '/': permission denied"),
    ],
)
def test_what_went_wrong_is_told(command, told):
    with pytest.raises(HookError) as caught:
        run(*command)
    assert told in caught.value.message


def test_what_takes_too_long_is_killed_with_all_that_it_started(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(HookError, match=r"did not end within 0\.2 s"):
        run("sh", "-c", f"exec 3>{fifo}; sleep 600 & wait", seconds=0.2)
    os.set_blocking(reading, True)
    assert os.read(reading, 1) == b"", "nobody has the pipe open any more"
    os.close(reading)
