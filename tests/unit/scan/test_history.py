"""A value in history is found once, at the commit that added it."""

import pytest

from envkit.errors import UsageError
from envkit.scan.git_objects import Git
from envkit.scan.history import scan_history
from support.scanning import SCANNER, VALUE, GitRepository, silent


def scan(repo, *revisions):
    return scan_history(SCANNER, repo.git, revisions, silent)


def added(repo, result):
    """Return the path, line and commit of each finding."""
    names = {
        line.split()[0]: line.split(" ", 1)[1]
        for line in repo("log", "--all", "--format=%H %s").splitlines()
    }
    return [
        (finding.file.removeprefix(f"{repo.root}/"), finding.line, names.get(finding.commit))
        for finding in result.findings
    ]


def test_a_removed_value_is_found_at_the_commit_that_added_it(repo):
    repo.commit("one", file="x")
    repo.commit("two", file=f"x\n{VALUE}\n")
    repo.commit("three", file=f"x\n{VALUE}\ny\n")
    repo.commit("four", file="x")
    assert added(repo, scan(repo)) == [("file", 2, "two")]


def test_a_value_that_returns_is_found_at_each_commit_that_added_it(repo):
    repo.commit("one", file=VALUE)
    repo.commit("two", file="x")
    repo.commit("three", file=VALUE, other=VALUE)
    places = added(repo, scan(repo))
    assert places == [("file", 1, "one"), ("file", 1, "three"), ("other", 1, "three")]


def test_the_messages_of_commits_and_tags_are_scanned(repo):
    commit = repo.commit(f"subject\n\n{VALUE}", file="x")
    repo("tag", "--annotate", "v1", "--message", f"tag {VALUE}")
    tag = repo("rev-parse", "v1")
    found = {(one.commit, one.file, one.line) for one in scan(repo).findings}
    assert found == {(commit, "", 3), (tag, "", 1)}


@pytest.mark.parametrize("kind", ["branch", "tag", "remote", "stash", "detached HEAD"])
def test_the_history_of_everything_with_a_name_is_scanned(repo, kind):
    repo.commit("base", base="x")
    repo("checkout", "-q", "-b", "side")
    if kind == "stash":
        repo.write("base")
        repo("stash")
    else:
        repo.commit("secret", file=VALUE)
    if kind == "tag":
        repo("tag", "v1")
    elif kind == "remote":
        repo("update-ref", "refs/remotes/origin/side", "side")
    if kind == "detached HEAD":
        repo("checkout", "-q", "--detach")
    else:
        repo("checkout", "-q", "main")
    if kind != "branch":
        repo("branch", "-q", "-D", "side")
    assert len(scan(repo).findings) == 1


def test_a_deleted_branch_is_scanned_only_if_its_commit_is_named(repo):
    repo.commit("base", base="x")
    repo("checkout", "-q", "-b", "side")
    commit = repo.commit("secret", file=VALUE)
    repo("checkout", "-q", "main")
    repo("branch", "-q", "-D", "side")
    assert scan(repo).findings == []
    assert [one.commit for one in scan(repo, commit).findings] == [commit]


def test_only_the_named_range_is_scanned(repo):
    repo.commit("one", first=VALUE)
    repo.commit("two", second=f"x {VALUE}")
    assert added(repo, scan(repo, "HEAD~1..HEAD")) == [("second", 1, "two")]
    assert added(repo, scan(repo, "HEAD~1")) == [("first", 1, "one")]


def test_a_value_that_a_range_only_moves_is_found_at_its_first_commit(repo):
    repo.commit("one", file=VALUE)
    repo.commit("two", file=f"x\n{VALUE}")
    repo.commit("three", file=f"x\n\n{VALUE}")
    assert added(repo, scan(repo, "HEAD~2..")) == [("file", 2, "two")]


def test_a_value_that_a_merge_adds_is_found_and_one_that_it_takes_over_is_not(repo):
    repo.commit("base", file="x\n", other="x")
    repo("checkout", "-q", "-b", "side")
    repo.commit("side", other=VALUE)
    repo("checkout", "-q", "main")
    repo.commit("main", third="x")
    repo("merge", "-q", "--no-commit", "side")
    repo.commit("merge", file=VALUE)
    assert sorted(added(repo, scan(repo))) == [("file", 1, "merge"), ("other", 1, "side")]


def test_a_content_that_only_a_tag_names_is_found_without_a_commit(repo):
    repo.commit("base", base="x")
    repo("tag", "key", repo("hash-object", "-w", "--stdin", input=VALUE))
    [finding] = scan(repo).findings
    assert (finding.commit, finding.line) == ("", 1)


def test_a_file_with_an_odd_name_is_named(repo):
    repo.commit("one")
    for name in ("a\nb", ":c", "d\N{LATIN SMALL LETTER E WITH ACUTE} f"):
        repo.write(name, f"{VALUE} {name}")
    repo.commit("two")
    paths = {path for path, *_ in added(repo, scan(repo))}
    assert paths == {"a\nb", ":c", "d\N{LATIN SMALL LETTER E WITH ACUTE} f"}


def test_each_content_is_scanned_once(repo):
    for number in range(5):
        repo.commit(f"{number}", **{f"file{number}": "the same"})
    assert scan(repo).contents == 5 + 1, "five messages and one content"


@pytest.mark.parametrize("revision", ["nosuch", "main..nosuch", "--all", "--output=x", ""])
def test_an_unknown_revision_is_refused(repo, revision):
    repo.commit(file=VALUE)
    with pytest.raises(UsageError, match="git does not know the commit or range"):
        scan(repo, revision)


def test_a_repository_without_commits_has_no_history(repo):
    result = scan(repo)
    assert (result.findings, result.notes) == ([], ["there are no commits to scan"])


def test_a_shallow_clone_is_reported(repo, tmp_path):
    repo.commit("one", file=VALUE)
    repo.commit("two", file=f"{VALUE} ")
    repo.commit("three", file="x")
    clone = GitRepository(tmp_path / "clone")
    clone("fetch", "-q", "--depth=2", f"file://{repo.root}", "main:there")
    result = scan(clone)
    assert added(clone, result) == [("file", 1, "two")]
    assert result.notes == ["not scanned: the older commits, which a shallow clone does not have"]


def test_missing_contents_of_a_partial_clone_are_reported(repo, tmp_path):
    repo("config", "uploadpack.allowFilter", "true")
    repo.commit("one", file=VALUE)
    clone = tmp_path / "clone"
    repo("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.root}", str(clone))
    result = scan_history(SCANNER, Git(str(clone), {"PATH": "/usr/bin:/bin"}), (), silent)
    assert result.unread[0] == ("1 object of the history", "missing or damaged")


def test_a_replaced_commit_is_scanned_as_it_was(repo):
    old = repo.commit("old", file=VALUE)
    new = repo.commit("new", file="x")
    repo("replace", old, new)
    assert added(repo, scan(repo))[0][:2] == ("file", 1)
