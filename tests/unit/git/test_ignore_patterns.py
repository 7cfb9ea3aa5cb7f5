"""The effect of a `.gitignore` on a file, compared with git."""

import subprocess

import pytest

from envkit.git.ignore_patterns import is_ignored
from support.checking import git

NAMES = [".env", ".env.dev", ".env.example", ".env.test", ".envrc", "a.env", "#x", "!x", "ab"]


@pytest.mark.parametrize(
    "lines",
    [
        [".env"],
        [".env*"],
        [".env*", "!.env.example"],
        ["!.env.example", ".env.*"],
        ["/.env.*"],
        ["**/.env"],
        [".env/"],
        ["config/.env"],
        ["*.env"],
        [".env.?e*"],
        [".env.[de]*", "!.env.e*"],
        [".env.[!d]*"],
        [r"\#x", r"\!x"],
        ["*", "!.env.test"],
        [".env.{dev,test}"],
        ["[a-b]?", "!/.env"],
        [".ENV"],
        ["*.*", "!.*.*"],
    ],
    ids=" ".join,
)
def test_is_ignored_agrees_with_git(tmp_path, lines):
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    shown = _shown(tmp_path)
    assert [name for name in NAMES if not is_ignored(name, lines)] == shown


def _shown(root):
    """Return the files that git does not ignore."""
    for name in NAMES:
        (root / name).write_text("")
    ran = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    )
    listed = ran.stdout.split("\0")
    return [name for name in NAMES if name in listed]
