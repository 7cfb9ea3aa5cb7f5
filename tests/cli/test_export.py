"""`envkit export`: where it writes, and what it refuses. The formats have tests of their own."""

import json
import os
import stat

import pytest

from support.transcript import transcript


@pytest.fixture
def dev(project):
    project.profile("dev.toml", 'variables = { A = "1", PASSWORD = "{{ PASSWORD }}" }\n')
    project.dotenv("dev", "PASSWORD=hunter2\n")
    return project


def test_to_stdout(dev):
    done = dev.run("export", "--env", "dev", "-fjson", "--except", "A", "--set", "B=2")
    assert json.loads(done.stdout) == {"PASSWORD": "hunter2", "B": "2"}
    usual = dev.run("export", "--env", "dev").stdout
    assert usual == dev.run("export", "--env", "dev", "--format", "dotenv").stdout != done.stdout


def test_a_file_is_for_its_owner_alone_whatever_it_was_before(dev):
    target = dev.root / "out.env"
    target.write_text("old")
    target.chmod(0o644)
    before = sorted(os.listdir(dev.root))
    assert transcript(dev.run("export", "--env", "dev", "-fdocker", "-o", "out.env")) == ""
    assert target.read_text() == "A=1\nPASSWORD=hunter2\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(os.listdir(dev.root)) == before, "nothing else is left behind"


def test_when_it_fails_the_file_is_as_it_was(dev):
    target = dev.root / "out.env"
    target.write_text("old")
    (dev.root / ".env.dev").unlink()
    assert dev.run("export", "--env", "dev", "-o", "out.env").returncode == 4
    assert target.read_text() == "old"


def test_github_masks_on_stderr_what_goes_to_a_file_on_stdout(dev):
    done = dev.run("export", "--env", "dev", "--format", "github")
    assert done.stderr == "::add-mask::hunter2\n"
    assert "PASSWORD" in done.stdout
    assert "add-mask" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--format", "jsn"),
            (
                "2> envkit: error: no export format 'jsn'\n"
                "2> envkit: hint: did you mean 'json'?\n[2]\n"
            ),
        ),
        (
            ("-o", "no/such/folder/file"),
            "2> envkit: error: cannot write no/such/folder/file: no such file or directory\n[2]\n",
        ),
        (
            ("-o", "profiles"),
            "2> envkit: error: cannot write profiles: not a regular file\n[2]\n",
        ),
        (("dev",), "2> envkit: error: envkit export takes no argument 'dev'\n[2]\n"),
    ],
)
def test_what_is_refused(dev, arguments, told):
    assert transcript(dev.run("export", "--env", "dev", *arguments)) == told
