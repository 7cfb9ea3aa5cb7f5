"""After envkit has changed a `.gitignore`, git ignores private files and no encrypted one."""

import os
import subprocess

import pytest

from envkit.errors import EnvkitError
from envkit.git.ignore_rules import PRIVATE, deciding_rule, keep_private, let_in
from support.checking import git

PRIVATE_FILES = [*PRIVATE.values(), ".env.prod.envkit-previous", ".env.keys"]
CONTENTS = [
    "",
    ".env\n.env.*\n!.env.example\n",
    ".env*",
    "*\n!*.toml\n!.gitignore\n",
    "!.env.keys\n!*.envkit-previous\n.env.*\n",
    ".env.*\n!.env*\n",
    ".env.*\r\nnode_modules/\r\n",
    "/.env.prod\n# .env.keys\n",
]


@pytest.fixture
def root(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def ignored(folder, *names):
    done = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "--no-index", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


@pytest.mark.parametrize("content", CONTENTS, ids=repr)
@pytest.mark.parametrize("file", [".env.prod", "prod [1]*.env"])
def test_git_ignores_private_files_and_not_the_encrypted_one(root, content, file):
    (root / ".gitignore").write_text(content, newline="")

    keep_private(str(root), os.environ)
    let_in(str(root / file), os.environ)

    assert ignored(root, *PRIVATE_FILES) == PRIVATE_FILES
    assert ignored(root, file) == []
    assert (root / ".gitignore").read_bytes().startswith(content.encode())


@pytest.mark.parametrize("content", CONTENTS, ids=repr)
@pytest.mark.parametrize("repository", [True, False])
def test_a_second_run_adds_nothing(tmp_path, content, repository):
    if repository:
        git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(content, newline="")
    keep_private(str(tmp_path), os.environ)
    let_in(str(tmp_path / ".env.prod"), os.environ)

    assert keep_private(str(tmp_path), os.environ) == ()
    assert let_in(str(tmp_path / ".env.prod"), os.environ) == ()


def test_without_a_repository_the_lines_are_written_for_the_one_to_come(tmp_path):
    (tmp_path / ".gitignore").write_text(".env.*\n")
    keep_private(str(tmp_path), os.environ)
    let_in(str(tmp_path / ".env.prod"), os.environ)

    git(tmp_path, "init", "-q")
    assert ignored(tmp_path, *PRIVATE_FILES, ".env.prod") == PRIVATE_FILES


def test_rules_of_other_files_count(root):
    (root / ".git" / "info" / "exclude").write_text(".env.*\n")
    assert keep_private(str(root), os.environ) == ("*.envkit-previous", "*.envkit-rotation")
    assert let_in(str(root / ".env.prod"), os.environ) == ("!.env.prod",)
    assert ignored(root, ".env.prod") == []


def test_a_file_below_an_ignored_folder_is_refused_with_the_line_to_remove(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / ".gitignore").write_text("# secrets\nconfig/\n")
    (root / "config").mkdir()

    with pytest.raises(EnvkitError, match=r"git ignores config/.env.prod: .gitignore:2") as raised:
        let_in(str(root / "config" / ".env.prod"), os.environ)
    assert ".gitignore:2" in raised.value.hint


def test_the_deciding_rule_has_its_place(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / ".gitignore").write_text("\n.env*\n")
    rule = deciding_rule(str(root / ".env.prod"), os.environ)
    assert (rule.ignores, rule.pattern, rule.place) == (True, ".env*", ".gitignore:2")
    assert deciding_rule(str(root / "README.md"), os.environ) is None


def test_a_linked_gitignore_is_refused_because_git_does_not_read_it(root):
    (root / "rules").write_text("")
    (root / ".gitignore").symlink_to("rules")
    with pytest.raises(EnvkitError, match="symbolic link"):
        keep_private(str(root), os.environ)


def test_a_read_only_gitignore_is_refused(root):
    (root / ".gitignore").write_text("")
    (root / ".gitignore").chmod(0o400)
    with pytest.raises(EnvkitError, match=r"\.gitignore: it is read-only"):
        keep_private(str(root), os.environ)
