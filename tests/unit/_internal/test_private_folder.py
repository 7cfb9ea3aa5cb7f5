"""A private folder leaves no file behind, and touches no folder of another process."""

import os
import stat

import pytest

from envkit._internal.private_folder import private_folder
from support.kills import killed_at


def test_a_private_folder_is_wiped_with_its_files(tmp_path):
    with private_folder("x-", str(tmp_path)) as folder:
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in ("a", "b/c"):
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("secret")
        os.link(os.path.join(folder, "a"), tmp_path / "linked")
    assert os.listdir(tmp_path) == ["linked"]
    assert (tmp_path / "linked").read_text() == "secret", "it may be a file of the user"


def test_the_folder_of_a_killed_process_is_wiped_and_that_of_a_living_one_is_not(tmp_path):
    def use():
        with private_folder("x-", str(tmp_path)) as folder, open(f"{folder}/a", "w"):
            pass

    with private_folder("x-", str(tmp_path)) as ours:
        number = 1
        while killed_at(number, use, "x-"):
            number += 1
        assert number > 1
        assert os.listdir(tmp_path) == [os.path.basename(ours)]


@pytest.mark.parametrize("kind", ["link", "file", "open to others", "another name"])
def test_only_private_folders_with_the_prefix_are_wiped(tmp_path, kind):
    name = tmp_path / ("another" if kind == "another name" else "x-abcdefgh")
    if kind == "link":
        name.symlink_to(tmp_path.parent)
    elif kind == "file":
        name.write_text("theirs")
    else:
        name.mkdir()
        name.chmod(0o755 if kind == "open to others" else 0o700)
    with private_folder("x-", str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == [name.name]
