"""What git reports about files, and the answers without a repository."""

import os

import pytest

from envkit._internal.git import find_repository
from support.checking import git


@pytest.fixture
def root(tmp_path):
    """A repository with a tracked, an ignored and a new file."""
    git(tmp_path, "init", "-q")
    for name in ("tracked", "ignored", "new", "[a]*"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("ignored\nlater\n")
    git(tmp_path, "add", "tracked", ".gitignore")
    return tmp_path


@pytest.fixture
def repository(root):
    return find_repository(str(root), os.environ)


def paths(root, *names):
    return [str(root / name) for name in names]


def test_a_repository_is_found_from_a_folder_below_its_root(root, repository):
    (root / "deep" / "er").mkdir(parents=True)
    assert find_repository(str(root / "deep" / "er"), os.environ).root == repository.root
    assert repository.root == os.path.realpath(root)


def test_no_repository_is_found_without_a_repository_or_without_git(tmp_path, root):
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    (tmp_path / ".git").rename(tmp_path / "git")
    assert find_repository(str(tmp_path), outside) is None
    (tmp_path / "git").rename(tmp_path / ".git")
    assert find_repository(str(tmp_path), {"PATH": "/nowhere"}) is None
    assert find_repository(str(tmp_path / "gone"), os.environ) is None


def test_git_reports_tracked_and_ignored_ones_of_the_requested_files(root, repository):
    asked = paths(root, "tracked", "ignored", "new", "later", "[a]*")
    assert repository.tracked(asked) == set(paths(root, "tracked"))
    assert repository.ignored(asked) == set(paths(root, "ignored", "later"))
    assert repository.tracked([]) == repository.ignored([]) == set()


def test_a_path_is_not_used_as_a_pattern(root, repository):
    git(root, "--literal-pathspecs", "add", "[a]*")
    (root / "a").write_text("x")
    assert repository.tracked(paths(root, "[a]*", "a")) == set(paths(root, "[a]*"))


def test_a_path_outside_the_repository_is_neither_tracked_nor_ignored(root, repository):
    assert repository.contains(str(root / "any"))
    assert not repository.contains(str(root.parent / "any"))
    assert repository.tracked([str(root.parent / "any")]) == set()


def test_paths_through_a_link_are_returned_as_given(root, repository):
    (root / "link").symlink_to(root, target_is_directory=True)
    path = str(root / "link" / "tracked")
    assert repository.tracked([path]) == {path}


def test_the_files_of_a_folder_do_not_include_ignored_ones(root, repository):
    assert sorted(map(os.path.basename, repository.files(str(root)))) == [
        *(".gitignore", "[a]*", "new", "tracked")
    ]


def test_the_variables_of_a_git_hook_are_ignored(root):
    hook = {**os.environ, "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    asked = paths(root, "tracked")
    assert find_repository(str(root), hook).tracked(asked) == set(asked)


def test_a_program_in_the_settings_of_a_repository_is_not_run(root, repository):
    made = root / "made"
    git(root, "config", "core.fsmonitor", f"touch {made}")
    repository.files(str(root))
    repository.tracked(paths(root, "tracked"))
    assert not made.exists()


def test_a_repository_that_lacks_objects_does_not_fetch_them(root):
    made, program = root / "made", root / "program"
    program.write_text(f"#!/bin/sh\ntouch {made}\n")
    program.chmod(0o755)
    for name in ("profiles", "away"):
        (root / name).mkdir()
        (root / name / "file").write_text(name)
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    git(root, "sparse-checkout", "set", "--cone", "--sparse-index", "profiles")
    settings = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "there",
        "remote.there.promisor": "true",
        "remote.there.url": f"ext::{program}",
        "protocol.ext.allow": "always",
    }
    for name, setting in settings.items():
        git(root, "config", name, setting)
    for folder in (root / ".git" / "objects").iterdir():
        if len(folder.name) == 2:
            folder.rename(root / f"gone-{folder.name}")
    repository = find_repository(str(root), os.environ)
    repository.files(str(root))
    repository.tracked(paths(root, "tracked"))
    assert not made.exists()


def test_a_folder_that_resembles_a_repository_is_not_one(root):
    made = root / "made"
    folder = root / "app"
    git(root, "init", "-q", "--bare", str(folder))
    for name, setting in {
        "core.bare": "false",
        "core.worktree": str(folder),
        "core.fsmonitor": f"touch {made}",
    }.items():
        git(folder, "config", "--file", str(folder / "config"), name, setting)
    assert find_repository(str(folder), os.environ) is None
    assert not made.exists()
