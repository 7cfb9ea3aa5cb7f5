"""The demo prints what it promises, fails if it cannot, and leaves no files behind."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from support.pages import ROOT
from support.process import run_program


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "temporary").mkdir()
    for name in ("profiles", "scripts", "examples"):
        shutil.copytree(ROOT / name, tmp_path / "repository" / name)
    return tmp_path / "repository"


def demo(repository):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = os.environ["HOME"]  # where the audit log goes
    env = {"PATH": path, "HOME": home, "TMPDIR": str(repository.parent / "temporary")}
    return run_program("sh", "scripts/demo.sh", cwd=repository, env=env)


def test_demo_runs_twice_and_leaves_no_files(repository):
    before = sorted(repository.parent.rglob("*"))
    for _ in range(2):
        done = demo(repository)
        assert done.returncode == 0, done.stderr
        assert "DATABASE_URL=postgresql://localhost:5432/myapp_dev" in done.stdout
        assert "REDIS_URL=redis://cache.staging.internal:6379" in done.stdout
        assert "(exit status 4)" in done.stdout
        assert "encrypted 1 value in .env.prod" in done.stdout
        assert "STRIPE_KEY='encrypted:" in done.stdout
        assert "note: HOOK_TOKEN changed: restarting the app" in done.stderr
        assert sorted(repository.parent.rglob("*")) == before


def test_demo_neither_shows_nor_changes_existing_secrets(repository):
    secrets = "STAGING_DB_URL=postgres://u:canary@db/x\nSTAGING_REDIS_URL=redis://canary\n"
    file = repository / ".env.staging"
    file.write_text(secrets)
    done = demo(repository)
    assert done.returncode == 0, done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert file.read_text() == secrets


def test_demo_fails_when_the_app_sees_another_value(repository):
    profile = repository / "profiles" / "dev.toml"
    profile.write_text(profile.read_text().replace("myapp_dev", "another"))
    done = demo(repository)
    assert done.returncode != 0
    assert "expected instead" in done.stderr


def test_demo_fails_when_the_app_does_not_survive_the_rotation(repository):
    worker = repository / "examples" / "worker.py"
    worker.write_text(worker.read_text().replace("signal.pause()", "input()"))
    before = sorted(repository.parent.rglob("*"))
    done = demo(repository)
    assert done.returncode != 0
    assert "the app has ended" in done.stderr
    assert sorted(repository.parent.rglob("*")) == before
