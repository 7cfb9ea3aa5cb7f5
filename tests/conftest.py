"""Fixtures for every test: a clean environment, a separate home, projects to run in.

Nothing that the developer has set up (a login, an AWS profile, a default environment) can
make a test pass or fail, and no test sees what another one left in `os.environ` or HOME.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from support.audit_log import read
from support.process import run_envkit
from support.terminal import run_on_terminal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

pytest_plugins = (
    "support.agents",
    "support.aws",
    "support.backups",
    "support.cache",
    "support.live_stores",
    "support.openbao",
    "support.leased",  # which imports the one above
    "support.plugins",
    "support.postgres",
    "support.scanning",
    "support.store_folders",
    "support.valkey",
)

# without a deadline: a slow example on a busy machine is not a failure
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
FOREIGN_PREFIXES = ("AWS_", "BAO_", "DOTENV_", "ENVKIT_", "VAULT_")
FOREIGN = (
    *("NO_COLOR", "FORCE_COLOR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def pytest_configure() -> None:
    """Clean the environment before the first fixture: servers inherit it too."""
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES) or name.upper() in FOREIGN:
            del os.environ[name]
    # programs with `env python3` get this Python: the developer's may be older, or a slow wrapper
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # neither the developer's keyring nor a keyring of another test
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    # spawned processes import the test's functions from here; it is last, so that tests
    # import the installed envkit
    sys.path.append(str(ROOT))


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.copy()
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def trusted(_own_home: None) -> None:
    """Let envkit trust every profile, as in a job that runs only reviewed code."""
    os.environ["ENVKIT_TRUST"] = "1"


class Project:
    """A folder with `profiles/`, like the repository of a team.

    Attributes:
        root: the folder.
        profiles: the folder in it.
        environ: the environment of every command, such as XDG_STATE_HOME.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.profiles = root / "profiles"
        self.profiles.mkdir(parents=True)
        self.environ: dict[str, str] = {}

    def profile(self, file_name: str, text: str) -> Path:
        """Write `profiles/FILE_NAME`: `dev.toml` or `dev.env`."""
        return _written(self.profiles / file_name, text, 0o644)

    def dotenv(self, environment: str, text: str) -> Path:
        """Write `.env.ENVIRONMENT` beside `profiles/`, mode 0600."""
        return _written(self.root / f".env.{environment}", text, 0o600)

    def run(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        umask: int = -1,
    ) -> subprocess.CompletedProcess[str]:
        """Run envkit in the project's folder, as `support.process.run_envkit` does."""
        env = {**self.environ, **(env or {})}
        return run_envkit(*args, env=env, input=input, cwd=self.root, umask=umask)

    def on_terminal(
        self,
        *args: str,
        answers: Sequence[tuple[str, str]] = (),
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> tuple[str, int]:
        """Run envkit in the project's folder, as `support.terminal.run_on_terminal` does."""
        env = {**self.environ, **(env or {})}
        return run_on_terminal(*args, cwd=self.root, env=env, answers=answers, **more)

    def logged(self) -> Project:
        """Let every command write the audit log that `records` reads, and return the project."""
        self.environ["XDG_STATE_HOME"] = str(self.root / "state")
        return self

    def records(self) -> list[dict[str, Any]]:
        """Return the audit log of commands whose XDG_STATE_HOME is `state` in the project."""
        log = self.root / "state" / "envkit" / "audit.jsonl"
        return read(log) if log.exists() else []


def _written(path: Path, text: str, mode: int) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, which is the working directory."""
    made = Project(tmp_path / "project")
    monkeypatch.chdir(made.root)
    return made
