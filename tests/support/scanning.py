"""A real repository to be scanned, and a scanner that searches for one value."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envkit._internal.git import find_repository
from envkit.scan.content import Scanner
from envkit.scan.forms import Form
from envkit.scan.git_objects import Git
from envkit.scan.values import Label, Owner

if TYPE_CHECKING:
    from pathlib import Path

    from envkit.scan.found import Result

VALUE = "Zq8-vT1x/93b1"
SCANNER = Scanner({VALUE.encode(): Label(Form.PLAIN, (Owner("dev", "KEY"),))})


class GitRepository:
    """A repository in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self("init", "-q", "-b", "main")
        self("config", "user.email", "dev@shop.example")
        self("config", "user.name", "dev")
        self("config", "commit.gpgsign", "false")

    def __call__(self, *arguments: str, **more: object) -> str:
        """Run git, and return its output."""
        done = self.try_(*arguments, **more)
        done.check_returncode()
        return done.stdout.strip()

    def try_(self, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Run git, which may fail."""
        command = ["git", "-C", str(self.root), "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, **more)

    def write(self, name: str, content: str | bytes = VALUE) -> Path:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, message: str = "change", **files: str | bytes) -> str:
        """Write files, whose names have no dots, commit everything, and return the commit."""
        for name, content in files.items():
            self.write(name, content)
        self("add", "--all")
        self("commit", "-q", "--allow-empty", "-m", message)
        return self("rev-parse", "HEAD")

    @property
    def found(self) -> object:
        """The repository as envkit finds it."""
        return find_repository(str(self.root), os.environ)

    @property
    def git(self) -> Git:
        """Queries of it."""
        return Git(str(self.root), os.environ)

    def places(self, result: Result) -> list[tuple[str, int]]:
        """Return the path and the line of each finding."""
        return sorted((os.path.relpath(one.file, self.root), one.line) for one in result.findings)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepository:
    """An empty repository, which is not the working directory."""
    return GitRepository(tmp_path.resolve() / "repo")


def silent(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""
