"""What is scanned before a commit is what the commit would contain."""

import os

import pytest

from envkit.scan.git_objects import Git
from envkit.scan.staged import scan_staged
from support.scanning import SCANNER, VALUE, GitRepository, silent


def scan(repo, environ=None, *, in_hook=False):
    git = Git(str(repo.root), environ or os.environ, in_hook=in_hook)
    return scan_staged(SCANNER, git, silent)


def test_new_and_changed_files_are_scanned_and_unchanged_ones_are_not(repo):
    repo.commit(old=VALUE, changed="x", removed=VALUE, moved=VALUE)
    repo.write("changed", f"x\n{VALUE}")
    repo.write("new folder/new")
    (repo.root / "removed").unlink()
    (repo.root / "moved").rename(repo.root / "there")
    repo("add", "--all")
    result = scan(repo)
    assert repo.places(result) == [("changed", 2), ("new folder/new", 1), ("there", 1)]
    assert result.contents == 2, "two files have the same content"


def test_the_staged_content_counts_and_not_that_of_the_working_tree(repo):
    repo.write("staged")
    repo.write("clean", "x")
    repo("add", "--all")
    repo.write("staged", "x")
    repo.write("clean", VALUE)
    assert repo.places(scan(repo)) == [("staged", 1)]


def test_the_first_commit_of_a_repository_is_scanned(repo):
    assert scan(repo).contents == 0
    repo.write("first")
    repo("add", "--all")
    assert repo.places(scan(repo)) == [("first", 1)]


@pytest.mark.parametrize("in_hook", [True, False])
def test_a_hook_scans_the_index_that_git_gives_to_it(repo, in_hook):
    """`git commit -a` fills an index of its own."""
    repo.commit(file="x")
    other = {**os.environ, "GIT_INDEX_FILE": str(repo.root / ".git" / "other")}
    repo.write("file")
    repo("add", "--all", env=other)
    assert repo.places(scan(repo, other, in_hook=in_hook)) == [("file", 1)] * in_hook


def test_a_file_in_conflict_does_not_stop_the_scan(repo):
    repo.commit(file="x")
    repo("checkout", "-q", "-b", "side")
    repo.commit(file="y")
    repo("checkout", "-q", "main")
    repo.commit(file="z")
    assert repo.try_("merge", "-q", "side").returncode == 1
    repo.write("new")
    repo("add", "new")
    result = scan(repo)
    assert (repo.places(result), result.unread) == ([("new", 1)], [])


def test_files_with_the_same_content_are_all_named(repo):
    repo.commit(a="x")
    repo.write("b")
    repo.write("c")
    repo("add", "--all")
    assert repo.places(scan(repo)) == [("b", 1), ("c", 1)]


def test_a_submodule_is_named_and_not_entered(repo, tmp_path):
    inner = GitRepository(tmp_path / "inner")
    inner.commit(secret=VALUE)
    repo("submodule", "--quiet", "add", str(inner.root), "vendor")
    result = scan(repo)
    assert repo.places(result) == []
    assert result.notes == [
        f"not scanned: the repositories inside this one: {repo.root / 'vendor'}"
    ]


def test_a_content_that_the_clone_does_not_have_is_named(repo):
    name = repo("hash-object", "-w", "--stdin", input="x")
    repo("update-index", "--add", "--cacheinfo", f"100644,{name},file")
    (repo.root / ".git" / "objects" / name[:2] / name[2:]).unlink()
    [unread] = scan(repo).unread
    assert (os.path.basename(unread.name), unread.reason) == ("file", "missing or damaged")
