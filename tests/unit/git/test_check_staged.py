"""What must not be committed is found in the staged files, and the message quotes no value."""

import base64
import os
import re

import pytest

from envkit.encryption.keys import generate
from envkit.git.check_staged import check_content, check_staged
from support.checking import git
from support.vectors import DATA as VECTORS

PRIVATE = generate()
# the same in every process: names of tests contain it
KEY, VALUE = re.findall(
    r"(?m)^(DOTENV_PUBLIC_KEY\w*=.+)$|(encrypted:[^\"'\s]+)",
    (VECTORS / "dotenvx" / "dot-env.production").read_text(),
)[:2]
KEY, VALUE = KEY[0], VALUE[1]
DATA = base64.b64decode(VALUE.removeprefix("encrypted:"))
HEAD = f"{KEY}\nA='{VALUE}'\n"


def written(data):
    return "encrypted:" + base64.b64encode(data).decode()


def messages(text, path=".env.prod"):
    return [problem.message for problem in check_content(path, text.encode())]


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD.replace("\n", "\r\n"),
        f'# comment\n\n{HEAD}\nLOG_LEVEL_PLAIN=info\nEMPTY=\nexport B="{VALUE}" # note\n',
        "A=plain, but the file is not an encrypted one\n",
        "",
        f"export {KEY}\nexport A\n",
    ],
    ids=repr,
)
def test_a_file_in_which_every_value_is_encrypted_has_no_problem(text):
    assert messages(text) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("B=canary", "B is not encrypted"),
        ("B='two\ncanary'", "B is not encrypted"),
        ("export B=canary", "B is not encrypted"),
        (f"B={VALUE[:58]}", "the value of B is cut off: its text is too short"),
        (f"B={VALUE[:-1]}", "the value of B is cut off or altered: its text is not base64"),
        (f"B={VALUE}canary", "the value of B is cut off or altered: its text is not base64"),
        (f"B={written(b'x' + DATA[1:])}", "the value of B is altered: its ephemeral key"),
        (f"B={written(DATA[:40] + bytes(3) + DATA[43:])}", "the value of B is altered: its ephem"),
        ("B='canary", "it may be a value that is not encrypted"),
        ("canary", "it may be a value that is not encrypted"),
        ("export B:canary", "it may be a value that is not encrypted"),
        ("DOTENV_PUBLIC_KEY_X=02canary", "DOTENV_PUBLIC_KEY_X is not a public key"),
        (f"<<<<<<< HEAD\nB={VALUE}\n=======\nB=canary\n>>>>>>> x", "an unresolved merge conflict"),
    ],
    ids=repr,
)
def test_each_problem_is_found_with_its_line(line, message):
    for text in (HEAD + line + "\n", (HEAD + line + "\n").replace("\n", "\r\n")):
        [found] = messages(text)
        assert found.startswith(".env.prod:3: "), found
        assert message in found
        assert "canary" not in found


def test_every_plain_value_is_reported():
    assert messages(f"{KEY}\nA=canary\nB={VALUE}\nC=canary\n") == [
        ".env.prod:2: A is not encrypted",
        ".env.prod:4: C is not encrypted",
    ]


@pytest.mark.parametrize("path", [".env.keys.bak", "notes.txt", "ci.yml"])
@pytest.mark.parametrize(
    "form",
    [
        "DOTENV_PRIVATE_KEY={}",
        "a\nDOTENV_PRIVATE_KEY_PROD: '{}'",
        '{{"DOTENV_PRIVATE_KEY_X": "{}"}}',
    ],
)
def test_a_private_key_is_found_in_any_file(path, form):
    digits = PRIVATE.text.reveal()
    [message] = messages(form.format(digits), path)
    assert "is a private key" in message
    assert digits not in message


@pytest.mark.parametrize("text", ["\n", " ", "DOTENV_PRIVATE_KEY", "DOTENV_PUBLIC_KEY"])
def test_a_large_file_of_repeated_text_is_searched_in_linear_time(text):
    """Quadratic time would take hours here."""
    assert messages(text * (1_000_000 // len(text)), "large") == []


def test_a_page_that_shows_an_encrypted_file_is_not_one():
    page = f"# Guide\n\n```dotenv\n{HEAD}B=an example that is not encrypted\n```\n"
    assert messages(page, "guide.md") == []
    assert messages(f"{HEAD}B=canary\n", "config/secrets") == [
        "config/secrets:3: B is not encrypted"
    ]


# ---------------------------------------------------------------- in a repository


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    for name, value in (("email", "a@example.com"), ("name", "a")):
        git(tmp_path, "config", f"user.{name}", value)
    return tmp_path


def staged(root):
    return said(check_staged(str(root), os.environ))


def said(found):
    return [problem.message for problems in found.values() for problem in problems]


def stage(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", ".")
        path.write_text(text)
        git(root, "add", "-f", str(path))


def test_what_is_staged_counts_and_not_what_is_in_the_working_tree(root):
    stage(root, __env__prod=f"{HEAD}B=canary\n")
    (root / ".env.prod").write_text(HEAD)
    assert staged(root) == [".env.prod:3: B is not encrypted"]
    git(root, "add", ".env.prod")
    (root / ".env.prod").write_text(f"{HEAD}B=canary\n")
    assert staged(root) == []


def test_a_key_file_is_refused_wherever_it_is_and_even_as_a_link(root):
    (root / "deep").mkdir()
    (root / "deep" / ".env.keys").write_text("")
    (root / ".env.keys").symlink_to("elsewhere")
    git(root, "add", "-f", ".")
    assert [one.partition(" has ")[0] for one in staged(root)] == [".env.keys", "deep/.env.keys"]


def test_a_file_that_is_removed_or_unchanged_is_not_checked(root):
    stage(root, __env__prod=f"{HEAD}B=canary\n", __env__old=f"{HEAD}B=canary\n")
    git(root, "commit", "-qm", "x")
    assert staged(root) == []
    git(root, "rm", "-q", ".env.old")
    assert staged(root) == []


def test_a_file_that_was_encrypted_may_not_become_plain(root):
    stage(root, __env__prod=HEAD)
    git(root, "commit", "-qm", "x")
    stage(root, __env__prod="A=canary\n")
    [message] = staged(root)
    assert message.startswith(".env.prod was encrypted in the last commit")


def test_two_files_with_the_same_content_are_both_reported(root):
    stage(root, __env__a=f"{HEAD}B=canary\n", __env__b=f"{HEAD}B=canary\n")
    assert staged(root) == [".env.a:3: B is not encrypted", ".env.b:3: B is not encrypted"]


def test_large_and_binary_files_links_and_submodules_are_passed_over(root, tmp_path_factory):
    (root / "large").write_bytes(b"DOTENV_PRIVATE_KEY=" + b"a" * 2_000_000)
    (root / "binary").write_bytes(bytes(range(256)) * 40)
    (root / "link").symlink_to("large")
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    git(other, "-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "x", "--allow-empty")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "sub")
    git(root, "add", ".")
    assert staged(root) == []


def test_the_index_of_the_commit_in_progress_is_checked(root):
    stage(root, __env__prod=HEAD)
    git(root, "commit", "-qm", "x")
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.write_text('#!/bin/sh\nprintf "%s" "$GIT_INDEX_FILE" > index\ncp "$GIT_INDEX_FILE" kept\n')
    hook.chmod(0o755)
    (root / ".env.prod").write_text(f"{HEAD}B=canary\n")
    git(root, "commit", "-qm", "x", ".env.prod")
    git(root, "reset", "-q", "--soft", "HEAD~1")
    git(root, "reset", "-q")
    assert staged(root) == []
    index = {**os.environ, "GIT_INDEX_FILE": str(root / "kept")}
    assert said(check_staged(str(root), index)) == [".env.prod:3: B is not encrypted"]


def test_there_is_no_answer_without_a_repository(tmp_path):
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    assert check_staged(str(tmp_path), environ) is None
