"""What a running watcher says that it holds, in a file without values."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from envkit.resident.decide import watching
from envkit.resident.holding import HoldingFile, running
from envkit.resident.state import Settings
from envkit.resident.watcher import Watcher, WatchRequest
from support.watching import turns

CANARY = "canary-53aa"
# a watcher that writes its file and waits for its end
SLEEPER = """
import signal
from envkit.resident.decide import watching
from envkit.resident.holding import HoldingFile
from envkit.resident.state import Settings
file = HoldingFile()
file.write(watching(Settings({}), {}, 0.0), {}, 0.0)
print("written", flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the files."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "envkit" / "watchers"


@pytest.fixture
def watcher(project, folder):
    """A watcher of a `.env` file, which has read its environment."""
    project.profile("prod.toml", '[variables]\nKEY = "{{ dotenv:KEY }}"\nMODE = "literal"\n')
    project.dotenv("prod", f"KEY={CANARY}\n")
    quick = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05}
    watcher = Watcher(WatchRequest(["prod"], str(project.profiles), **quick))
    watcher.prepare()
    watcher.first()
    yield watcher
    watcher.close()


def step(watcher):
    watcher.step(time.monotonic())


def one_file():
    """Write the file of this process."""
    file = HoldingFile()
    file.write(watching(Settings({}), {}, 0.0), {}, 0.0)
    return file


def test_a_watcher_says_what_it_holds_without_a_value_and_removes_the_file(watcher, folder):
    step(watcher)
    [file] = folder.iterdir()
    assert CANARY not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    [one] = running()
    assert (one.pid, one.profiles, one.failure) == (os.getpid(), ["prod"], "")
    assert set(one.variables) == {"KEY", "MODE"}
    assert one.sources["prod/dotenv"] == {
        "poll_seconds": 1.0,
        "next_look": None,
        "failure": "",
        "renew_at": None,
        "replace_at": None,
    }
    watcher.close()
    assert running() == []
    assert list(folder.iterdir()) == []


def test_a_failure_is_its_code(watcher, project):
    step(watcher)
    os.unlink(project.root / ".env.prod")
    (project.root / ".env.prod").mkdir()
    turns(watcher, lambda _: any(one.failure for one in running()))
    [one] = running()
    assert one.failure
    assert CANARY not in repr(one)


def test_a_file_that_says_the_same_is_not_written_again(watcher, folder):
    step(watcher)
    [file] = folder.iterdir()
    before = file.stat().st_ino
    for _ in range(5):
        watcher.poke()
        step(watcher)
    assert file.stat().st_ino == before


def test_the_file_of_a_killed_watcher_is_swept(folder):
    killed = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    with killed:
        assert killed.stdout.readline() == b"written\n"
        assert [one.pid for one in running()] == [killed.pid]
        killed.send_signal(signal.SIGKILL)
    assert running() == []
    assert list(folder.iterdir()) == []


def written(folder):
    one_file()
    [file] = folder.iterdir()
    return file


def test_a_pid_that_another_process_has_now_is_not_a_watcher(folder):
    file = written(folder)
    file.rename(folder / f"{os.getpid()}-1.json")
    assert running() == []
    assert list(folder.iterdir()) == []


def test_the_file_of_another_host_is_neither_shown_nor_swept(folder):
    file = written(folder)
    file.write_text(json.dumps({**json.loads(file.read_text()), "host": "another"}))
    assert running() == []
    assert file.exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"host": 1, "pid": "x"}', "[" * 99999])
def test_a_file_that_cannot_be_understood_is_ignored(folder, text):
    written(folder).write_text(text)
    assert running() == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    one_file().remove()
    assert running() == []


def test_a_child_does_not_remove_the_file_of_its_parent(watcher, folder):
    step(watcher)
    child = os.fork()
    if child == 0:
        watcher._file.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(running()) == 1
