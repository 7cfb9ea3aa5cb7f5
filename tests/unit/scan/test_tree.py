"""The files that are scanned are those that git would commit, and those that the user names."""

import os

import pytest

from envkit.errors import UsageError
from envkit.scan.errors import ScanError
from envkit.scan.found import Unread
from envkit.scan.tree import scan_tree
from support.permissions import as_nobody, folder_of_nobody
from support.scanning import SCANNER, VALUE, GitRepository, silent


def scan(repo, *paths, stores=()):
    return scan_tree(SCANNER, repo.found, repo.git, paths, stores=stores, progress=silent)


def scan_folder(*paths, stores=()):
    return scan_tree(SCANNER, None, None, paths, stores=stores, progress=silent)


def test_tracked_and_new_files_are_scanned_but_no_ignored_ones(repo):
    repo.write(".gitignore", "ignored\n.env*\n")
    for name in ("tracked", "staged", "new", "ignored", ".env.dev", "deep/er/[a] b"):
        repo.write(name, f"a\n{VALUE}\n")
    repo("add", "tracked")
    result = scan(repo)
    assert repo.places(result) == [
        (name, 2) for name in ("deep/er/[a] b", "new", "staged", "tracked")
    ]
    assert result.contents == 5


def test_a_tracked_env_file_is_scanned(repo):
    path = repo.write(".env.dev", f"KEY={VALUE}\n")
    repo.write(".gitignore", ".env*\n")
    repo("add", "--force", ".env.dev")
    assert repo.places(scan(repo, stores={str(path)})) == [(".env.dev", 1)]


def test_a_file_with_unix_or_windows_line_ends_has_the_same_lines(repo):
    repo.write("unix", f"a\nb {VALUE}\n")
    repo.write("windows", f"a\r\nb {VALUE}\r\n")
    assert repo.places(scan(repo)) == [("unix", 2), ("windows", 2)]


def test_only_the_named_paths_are_scanned(repo):
    for name in ("a/one", "a/two", "b/one"):
        repo.write(name)
    root = str(repo.root)
    assert repo.places(scan(repo, f"{root}/a", f"{root}/a/one")) == [("a/one", 1), ("a/two", 1)]


def test_a_named_path_is_not_used_as_a_pattern(repo):
    for name in ("*", "other"):
        repo.write(name)
    assert repo.places(scan(repo, f"{repo.root}/*")) == [("*", 1)]


def test_an_ignored_folder_or_file_that_is_named_is_scanned(repo):
    repo.write(".gitignore", "dist\n")
    repo.write("dist/app.js")
    assert repo.places(scan(repo, f"{repo.root}/dist")) == [("dist/app.js", 1)]
    assert repo.places(scan(repo, f"{repo.root}/dist/app.js")) == [("dist/app.js", 1)]


def test_a_path_that_does_not_exist_is_refused(repo):
    with pytest.raises(UsageError, match="no file or folder nosuch"):
        scan(repo, "nosuch")


def test_without_a_repository_all_files_are_scanned_but_the_stores(repo):
    for name in ("one", "deep/two", ".env.dev"):
        repo.write(name)
    stores = {str(repo.root / ".env.dev")}
    places = repo.places(scan_folder(str(repo.root), stores=stores))
    assert places == [("deep/two", 1), ("one", 1)]
    assert repo.places(scan_folder(str(repo.root / ".env.dev"), stores=stores)) == [(".env.dev", 1)]


def test_a_scan_of_the_working_folder_says_that_it_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    note = "not in a git repository: all files in this folder were scanned"
    assert (scan_folder().notes, scan_folder(".").notes) == ([note], [])


@pytest.mark.parametrize("in_git", [True, False])
def test_a_link_is_not_followed_but_its_target_is_scanned(repo, tmp_path, in_git):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text(VALUE)
    (repo.root / "folder").symlink_to(tmp_path / "outside")
    (repo.root / "link").symlink_to(tmp_path / "outside" / "file")
    (repo.root / "named").symlink_to(f"nowhere/{VALUE}")
    result = scan(repo) if in_git else scan_folder(str(repo.root))
    assert repo.places(result) == [("named", 1)]


def test_a_submodule_is_named_in_a_note_and_entered_only_if_the_user_names_it(repo, tmp_path):
    inner = GitRepository(tmp_path / "inner")
    inner.commit(secret=VALUE)
    repo("submodule", "--quiet", "add", str(inner.root), "vendor")
    new = GitRepository(repo.root / "nested")
    new.commit(secret=VALUE)
    result = scan(repo)
    assert repo.places(result) == []
    names = ", ".join(str(repo.root / name) for name in ("nested", "vendor"))
    assert result.notes == [f"not scanned: the repositories inside this one: {names}"]
    named = scan(repo, str(repo.root / "nested"), str(repo.root / "vendor"))
    assert repo.places(named) == [("nested/secret", 1), ("vendor/secret", 1)]
    assert (named.notes, named.contents) == ([], 2)


@pytest.fixture
def closed():
    """A folder with a readable file, an unreadable one and a folder, for an unprivileged user."""
    with folder_of_nobody() as folder, as_nobody():
        (folder / "a").write_text(VALUE)
        (folder / "b").touch(mode=0)
        (folder / "c").mkdir()
        yield folder
        (folder / "c").chmod(0o700)


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_scanned(closed):
    result = scan_folder(str(closed))
    assert [finding.file for finding in result.findings] == [str(closed / "a")]
    assert result.unread == [Unread(str(closed / "b"), "permission denied")]


def test_a_folder_that_cannot_be_listed_is_an_error(closed):
    (closed / "c").chmod(0)
    with pytest.raises(ScanError, match=f"^cannot list {closed}/c: permission denied"):
        scan_folder(str(closed))


def test_a_pipe_is_not_opened(repo):
    os.mkfifo(repo.root / "pipe")
    assert scan_folder(str(repo.root)).unread == []
    [unread] = scan_folder(str(repo.root / "pipe")).unread
    assert unread.reason == "not a regular file"


def test_a_deleted_file_is_left_out(repo):
    repo.commit(gone=VALUE)
    (repo.root / "gone").unlink()
    result = scan(repo)
    assert (result.findings, result.unread, result.contents) == ([], [], 0)


def test_pointers_of_git_lfs_are_counted(repo):
    repo.write("a", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert scan(repo).notes == ["not scanned: the content of 1 file in Git LFS"]


def test_a_value_in_a_large_binary_file_is_found(repo):
    repo.write("image", bytes(range(256)) * 9000 + VALUE.encode() + bytes(5000))
    assert [name for name, _ in repo.places(scan(repo))] == ["image"]
