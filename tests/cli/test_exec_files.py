"""Variables with `as = "file"`: the app gets a path, and the file goes when the app is gone."""

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from support.supervised import wait_until
from support.watched_app import Running

WAITS = "while :; do sleep 0.01; done"
PROFILE = """\
[variables]
CERT = { value = "{{ CERT | base64decode }}", as = "file" }
KEY = { value = "{{ KEY }}", as = "file", mode = "0600" }
URL = "pg://{{ KEY }}"
"""
BINARY = b"\x00\xff\x01\n"


@pytest.fixture
def dev(project):
    project.profile("dev.toml", PROFILE)
    project.dotenv("dev", "CERT=AP8BCg==\nKEY=one\n")
    project.environ["CERT"] = "of the parent"
    return project


@pytest.fixture
def base(dev):
    return dev.root / "files"


def run(dev, base, *command, options=()):
    return dev.run("exec", "-e", "dev", "--files", str(base), *options, "--", *command)


def test_the_app_gets_paths_of_files_with_the_values(dev, base):
    code = (
        "import os, stat\n"
        "for name in ('CERT', 'KEY'):\n"
        "    path = os.environ[name]\n"
        "    print(path, oct(stat.S_IMODE(os.stat(path).st_mode)), open(path, 'rb').read())\n"
        "print(os.environ['URL'])"
    )
    done = run(dev, base, sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    (folder,) = base.iterdir()
    assert done.stdout.splitlines() == [
        f"{folder}/CERT 0o400 {BINARY}",
        f"{folder}/KEY 0o600 {b'one'}",
        "pg://one",
    ]


def test_the_next_start_removes_the_files_of_an_app_that_has_ended(dev, base):
    first, second = (run(dev, base, "printenv", "KEY").stdout.strip() for _ in range(2))
    assert not os.path.exists(first)
    assert Path(second).read_text() == "one"


def test_a_command_that_cannot_be_run_leaves_no_file(dev, base):
    assert run(dev, base, "no-such-program-x").returncode == 127
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("option", ["--supervise", "--watch"])
def test_the_files_are_removed_when_a_supervised_app_ends(dev, base, option):
    done = run(dev, base, "sh", "-c", "cat $KEY; exit 3", options=[option])
    assert (done.stdout, done.returncode) == ("one", 3)
    assert list(base.iterdir()) == []


def test_get_export_and_dry_run_treat_a_file_as_a_value(dev, base):
    assert dev.run("get", "KEY", "-e", "dev").stdout == "one"
    assert "KEY=one" in dev.run("export", "-e", "dev", "--only", "KEY").stdout
    done = run(dev, base, "true", options=["--dry-run", "--only", "KEY"])
    assert done.stdout == "KEY  .env.dev#KEY, env:KEY (as a file)\n"
    assert not base.exists()
    shown = dev.run("show", "-e", "dev", "--only", "CERT")
    assert shown.stdout.splitlines()[1].split()[-1] == "file"


def test_without_files_in_memory_nothing_is_started(dev):
    done = dev.run("exec", "-e", "dev", "--files", "", "--", "touch", "ran")
    assert done.returncode == 126
    assert done.stderr.startswith("envkit: error: --files names no folder [file-variable-failed]")
    assert not (dev.root / "ran").exists()


def start(dev, base, app, *options):
    return Running(dev, app, "--files", str(base), *options)


def change(dev, value):
    dev.dotenv("dev", f"CERT=AP8BCg==\nKEY={value}\n")


ONLY_FILES = PROFILE.rpartition("URL")[0]


def test_supervise_replaces_a_file_and_says_so_without_asking_for_a_restart(dev, base):
    dev.profile("dev.toml", ONLY_FILES)
    app = f"echo $KEY; until grep -q two $KEY; do sleep 0.01; done; echo seen; {WAITS}"
    with start(dev, base, app, "--supervise") as running:
        path = running.line().strip()
        change(dev, "two")
        assert running.line() == "seen\n"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        wait_until(running.said)
        assert running.said() == "envkit: note: KEY changed: envkit replaced the file\n"
    assert list(base.iterdir()) == []


def test_supervise_names_only_the_variables_that_need_a_restart(dev, base):
    app = f"echo $KEY; until grep -q two $KEY; do sleep 0.01; done; echo seen; {WAITS}"
    with start(dev, base, app, "--supervise") as running:
        running.line()
        change(dev, "two")
        assert running.line() == "seen\n"
        wait_until(lambda: "restart" in running.said())
        assert running.said().splitlines() == [
            "envkit: note: KEY changed: envkit replaced the file",
            "envkit: warning: URL changed: restart the app to use the new values",
        ]


def test_watch_signals_the_app_after_its_file_was_replaced(dev, base):
    dev.profile("dev.toml", ONLY_FILES)
    app = f"trap 'cat $KEY; echo' HUP; echo on; {WAITS}"
    with start(dev, base, app, "--watch=signal:HUP") as running:
        assert running.line() == "on\n"
        change(dev, "two")
        assert running.line() == "two\n"


def test_watch_restarts_an_app_whose_file_changes_with_the_same_path(dev, base):
    dev.profile("dev.toml", ONLY_FILES)
    with start(dev, base, f"echo $KEY $(cat $KEY); {WAITS}", "--watch") as running:
        path, one = running.line().split()
        change(dev, "two")
        assert (running.line(), one) == (f"{path} two\n", "one")


def test_the_files_of_a_killed_supervisor_are_removed_by_the_next_start(dev, base):
    with start(dev, base, f"echo $KEY; {WAITS}", "--supervise") as running:
        path = running.line().strip()
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        assert os.path.exists(path)
        run(dev, base, "true")
        assert not os.path.exists(path)


def test_a_file_that_cannot_be_replaced_leaves_the_app_and_its_file_as_they_are(dev, base):
    dev.profile("dev.toml", ONLY_FILES)
    with start(dev, base, f"echo $KEY; {WAITS}", "--supervise") as running:
        path = running.line().strip()
        os.mkdir(os.path.join(os.path.dirname(path), ".new"))  # not even root can write it
        change(dev, "two")
        wait_until(lambda: "the app keeps its environment: cannot write KEY" in running.said())
        assert Path(path).read_text() == "one"
        os.rmdir(os.path.join(os.path.dirname(path), ".new"))
