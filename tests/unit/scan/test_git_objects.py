"""Reading objects of a real repository."""

import os
import subprocess

import pytest

from envkit.scan.git_objects import PIECE_BYTES, Git, GitError
from support.checking import git


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    return Git(str(tmp_path), os.environ)


def stored(repository, content):
    return repository.output("hash-object", "-w", "--stdin", stdin=content).strip()


def test_each_object_is_read_whole_and_in_order(repository):
    contents = [b"", b"\n", b"one", bytes(range(256)) * 5000, b"x" * PIECE_BYTES]
    names = [stored(repository, content) for content in contents]
    read = [(one, b"".join(pieces)) for one, pieces in repository.contents(names)]
    assert [content for _, content in read] == contents
    assert [(one.name, one.type, one.size_bytes) for one, _ in read] == [
        (name, b"blob", len(content)) for name, content in zip(names, contents, strict=True)
    ]


def test_the_rest_of_an_unread_object_is_skipped(repository):
    names = [stored(repository, b"x" * PIECE_BYTES * 3), stored(repository, b"second")]
    read = [(one.name, next(pieces)) for one, pieces in repository.contents(names)]
    assert read == [(names[0], b"x" * PIECE_BYTES), (names[1], b"second")]


def test_a_missing_object_has_the_type_missing(repository):
    name = b"0" * 40
    assert [one.type for one in repository.objects([name])] == [b"missing"]
    assert [one.type for one, _ in repository.contents([name])] == [b"missing"]


def test_an_abandoned_query_ends(repository):
    names = [stored(repository, b"x" * PIECE_BYTES * 3)] * 50
    contents = repository.contents(names)
    next(contents)
    contents.close()
    assert [len(b"".join(pieces)) for _, pieces in repository.contents(names[:1])]


def test_an_object_is_read_as_it_is_stored_despite_a_replacement(repository, tmp_path):
    old, new = stored(repository, b"old"), stored(repository, b"new")
    git(tmp_path, "replace", old.decode(), new.decode())
    [(_, pieces)] = [(one, b"".join(pieces)) for one, pieces in repository.contents([old])]
    assert pieces == b"old"


@pytest.mark.parametrize("arguments", [("cat-file", "-e", "nosuch"), ("no-such-command",)])
def test_a_failing_query_is_an_error(repository, arguments):
    assert not repository.succeeds(*arguments)
    with pytest.raises(GitError, match=f"^'git {arguments[0]}' failed$"):
        repository.output(*arguments)
    with pytest.raises(GitError):
        list(repository.fields(*arguments))


def test_a_damaged_object_counts_as_missing(repository, tmp_path):
    name = stored(repository, b"content").decode()
    damaged = tmp_path / ".git" / "objects" / name[:2] / name[2:]
    damaged.chmod(0o600)
    damaged.write_bytes(b"damaged")
    assert [one.type for one, _ in repository.contents([name.encode()])] == [b"missing"]


def test_a_host_without_git_is_an_error(tmp_path):
    here = Git(str(tmp_path), {"PATH": "/nowhere"})
    with pytest.raises(GitError):
        here.output("version")
    with pytest.raises(GitError):
        list(here.objects([b"0" * 40]))


def test_a_setting_of_the_repository_starts_no_program(repository, tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "gpg.program", "diff.external", "core.pager", "core.editor"):
        subprocess.run(["git", "-C", tmp_path, "config", name, program], check=True)
    repository.output("ls-files", "--others", "--exclude-standard")
    list(repository.contents([stored(repository, b"x")]))
    assert not (tmp_path / "started").exists()
