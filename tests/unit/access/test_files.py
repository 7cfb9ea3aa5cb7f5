"""Who can read a file, according to its mode and the folders above it."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from envkit.access.files import file_readers

ME = f"user {pwd.getpwuid(os.getuid()).pw_name}"
GROUP = f"group {grp.getgrgid(os.getgid()).gr_name}"
EVERYONE = "every user of this machine"


@pytest.fixture
def told(tmp_path):
    """Return the readers of a file with a mode, in a folder with a mode."""

    def read(mode, folder=0o755):
        path = tmp_path / "project" / ".env.prod"
        path.parent.mkdir()
        path.write_text("A=1\n")
        path.chmod(mode)
        path.parent.chmod(folder)
        found = file_readers(str(path))
        return [(one.who.partition(" (")[0], one.rights, one.by) for one in found.readers], found

    return read


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o600, [(ME, ("read", "write"), "owner")]),
        (0o400, [(ME, ("read",), "owner")]),
        (0o640, [(ME, ("read", "write"), "owner"), (GROUP, ("read",), "group")]),
        (
            0o664,
            [
                (ME, ("read", "write"), "owner"),
                (GROUP, ("read", "write"), "group"),
                (EVERYONE, ("read",), "mode"),
            ],
        ),
    ],
)
def test_the_mode_of_a_file_says_who_can_read_it(told, mode, expected):
    readers, found = told(mode)
    by_mode = [(who, rights, by.partition(",")[0]) for who, rights, by in readers]
    assert by_mode == expected
    assert any("root" in text for text in found.not_visible)


def test_a_folder_that_others_cannot_enter_keeps_them_out_of_its_files(told):
    readers, _ = told(0o644, folder=0o700)
    assert [by for _, _, by in readers[1:]] == [
        "group, but a folder above keeps some of them out",
        "mode, but a folder above keeps some of them out",
    ]


def test_a_file_that_does_not_exist_has_no_readers_and_says_so(tmp_path):
    found = file_readers(str(tmp_path / ".env.prod"))
    assert found.readers == ()
    assert found.not_visible == ("the file: no such file or directory",)
