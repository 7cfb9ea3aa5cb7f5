"""Lines that are appended to a file of git: nothing else changes, and no process loses a line."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from envkit.errors import WriteRefusedError
from envkit.git.append import append_lines, check_appendable


def missing(*lines):
    return lambda content: [line for line in lines if line not in content.splitlines()]


@pytest.mark.parametrize(
    ("before", "head", "after"),
    [
        (None, "", b"a\nb\n"),
        (None, "# why", b"# why\na\nb\n"),
        (b"", "# why", b"# why\na\nb\n"),
        (b"x\n", "", b"x\na\nb\n"),
        (b"x", "", b"x\na\nb\n"),
        (b"x\n", "# why", b"x\n\n# why\na\nb\n"),
        (b"x", "# why", b"x\n\n# why\na\nb\n"),
        (b"x\r\n", "# why", b"x\r\n\r\n# why\r\na\r\nb\r\n"),
        (b"\xff\na\n", "", b"\xff\na\nb\n"),
        (b"a\r\nb", "# why", b"a\r\nb"),
    ],
)
def test_missing_lines_are_appended_in_the_style_of_the_file(tmp_path, before, head, after):
    path = tmp_path / ".gitignore"
    if before is not None:
        path.write_bytes(before)
    append_lines(str(path), missing("a", "b"), head=head)
    assert path.read_bytes() == after
    assert append_lines(str(path), missing("a", "b"), head=head) == ()
    assert [one.name for one in tmp_path.iterdir()] == [".gitignore"]


def test_processes_that_append_at_once_lose_no_line(tmp_path):
    path = str(tmp_path / ".gitignore")
    names = [f"line-{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: append_lines(path, missing(name)), names))
    assert sorted((tmp_path / ".gitignore").read_text().split()) == sorted(names)


@pytest.mark.parametrize("refusing", [append_lines, check_appendable])
def test_a_link_is_refused_and_its_target_stays(tmp_path, refusing):
    target = tmp_path / "target"
    target.write_text("x\n")
    (tmp_path / ".gitignore").symlink_to(target)
    with pytest.raises(WriteRefusedError, match="which git does not read"):
        refusing(str(tmp_path / ".gitignore"), missing("a"))
    assert target.read_text() == "x\n"


@pytest.mark.parametrize("refusing", [append_lines, check_appendable])
def test_a_file_with_a_second_name_is_refused_only_if_a_line_is_missing(tmp_path, refusing):
    path = tmp_path / ".gitignore"
    path.write_text("x\n")
    (tmp_path / "other").hardlink_to(path)
    refusing(str(path), missing("x"))
    with pytest.raises(WriteRefusedError, match="hard links"):
        refusing(str(path), missing("a"))
