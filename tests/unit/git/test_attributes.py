"""git uses `envkit env textconv` for encrypted files, and for no other file."""

import os
import subprocess

import pytest

from envkit._internal.git import find_repository
from envkit.errors import EnvkitError
from envkit.git.attributes import SETTING, show_in_diffs
from support.checking import git


@pytest.fixture
def root(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def shown(root, *files):
    paths = [str(root / file) for file in files]
    return show_in_diffs(find_repository(str(root), os.environ), "envkit env textconv", paths)


def drivers(root, *names):
    """Return the files that git shows with the driver."""
    done = subprocess.run(
        ["git", "-C", root, "check-attr", "-z", "diff", "--", *names],
        capture_output=True,
        text=True,
        check=True,
    )
    fields = done.stdout.split("\0")
    return [fields[at] for at in range(0, len(fields) - 1, 3) if fields[at + 2] == "envkit"]


OTHERS = ["config/prod.env", "a b[1]*.env", 'q"uote.env']


@pytest.mark.parametrize("before", ["", "*.png binary", "# note\n.env.prod text\n"], ids=repr)
def test_git_shows_usual_and_named_files_with_the_driver(root, before):
    (root / ".gitattributes").write_text(before)
    shown(root, ".env.prod", *OTHERS)
    names = [".env", ".env.prod", "deep/.env.dev", *OTHERS]
    assert drivers(root, *names, "app.py", "other.env", "config/x.env") == names
    assert (root / ".gitattributes").read_text().startswith(before)


def test_a_second_run_changes_nothing(root):
    first = shown(root, ".env.prod", *OTHERS)
    assert (len(first.lines), first.configured) == (5, True)
    second = shown(root, ".env.prod", *OTHERS)
    assert (second.lines, second.configured) == ((), False)


def test_the_program_is_a_setting_of_the_clone(root):
    shown(root)
    done = subprocess.run(
        ["git", "-C", root, "config", "--local", SETTING],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "envkit env textconv\n"


def test_files_outside_of_the_repository_have_no_line(root):
    assert shown(root, "../outside.env").lines == (".env diff=envkit", ".env.* diff=envkit")


def test_linked_attributes_are_refused_because_git_does_not_read_them(root):
    (root / "other").write_text("")
    (root / ".gitattributes").symlink_to("other")
    with pytest.raises(EnvkitError, match="symbolic link"):
        shown(root)
