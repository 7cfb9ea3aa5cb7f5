"""A secret that is promoted is in the two stores, and no part of it is left anywhere else."""

import os
import re
import stat
from pathlib import Path

import pytest

from support.terminal import run_on_terminal

SOURCE, TARGET = "canary-source-2c81a0", "canary-target-77f3e9"
STAGING = """\
[variables]
KEY = "{{ KEY }}"
OTHER = "{{ OTHER }}"
URL = "postgres://app:{{ KEY | urlencode }}@db/"
WRITTEN = { value = "canary-source-2c81a0", secret = true }
TYPED = "{{ dotenv:KEY }}"
"""
PROD = """\
protected = true
[variables]
KEY = "{{ KEY }}"
TYPED = { value = "{{ dotenv:TYPED }}", type = "port", required = false }
"""
STORES = {".env.staging", ".env.prod", ".env.prod.envkit-previous"}


@pytest.fixture
def shop(project, tmp_path):
    project.profile("staging.toml", STAGING).chmod(0o600)
    project.profile("prod.toml", PROD)
    project.dotenv("staging", f"KEY={SOURCE}\nOTHER={SOURCE}\n")
    project.dotenv("prod", f"KEY={TARGET}\n")
    folders = {name: tmp_path / name for name in ("home", "temporary", "state")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    project.folders = [project.root, *folders.values()]
    project.environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folders["home"]),
        "TMPDIR": str(folders["temporary"]),
        "XDG_STATE_HOME": str(folders["state"]),
        "ENVKIT_REASON": "REL-7",
        "ENVKIT_DEBUG": "1",
    }
    return project


def assert_nowhere_else(project, *texts):
    for text in texts:
        assert SOURCE not in text
        assert TARGET not in text
    for path in (path for folder in project.folders for path in folder.rglob("*")):
        if not path.is_file() or path.name == "staging.toml":
            continue
        if re.search(f"{SOURCE}|{TARGET}", path.read_text(errors="replace")):
            assert path.name in STORES, f"a canary is in {path}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"others can read {path}"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--plan",), 1),
        (("--plan", "--secrets", "--except", "TYPED"), 1),
        (("--plan", "KEY", "--format", "json"), 1),
        (("KEY", "--yes"), 0),
        (("KEY", "OTHER", "URL", "--yes", "--format", "json"), 0),
        (("--secrets", "--except", "TYPED", "--yes"), 0),
        (("KEY",), 2),  # nobody to be asked
        (("--yes",), 0),
        # what cannot be done
        (("WRITTEN", "--yes"), 3),
        (("TYPED", "--yes"), 3),
        (("--secrets", "--yes", "--format", "json"), 3),
    ],
)
def test_what_is_promoted(shop, arguments, status):
    done = shop.run("promote", "staging", "prod", *arguments, env=shop.environ, umask=0)
    assert done.returncode == status, done.stderr
    assert_nowhere_else(shop, done.stdout, done.stderr)
    if status == 0:
        assert '"reason":"REL-7"' in Path(shop.folders[3], "envkit", "audit.jsonl").read_text()


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 0), ("\x03", 130)])
def test_what_a_person_sees(shop, answer, status):
    shown, ended = run_on_terminal(
        *("promote", "staging", "prod", "KEY"),
        cwd=shop.root,
        env=shop.environ,
        answers=[("[y/N]", answer)],
    )
    assert ended == status, shown
    assert_nowhere_else(shop, shown)
    assert (SOURCE in (shop.root / ".env.prod").read_text()) == (answer == "y\n")


def test_a_file_that_cannot_be_read(shop):
    (shop.root / ".env.prod").write_text(f"{TARGET} is no definition\n")
    done = shop.run("promote", "staging", "prod", "KEY", "--yes", env=shop.environ)
    assert done.returncode == 3
    assert_nowhere_else(shop, done.stdout, done.stderr)
