"""What a stream contains does not depend on the pieces in which it arrives."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.scan import content
from envkit.scan.content import Occurrence, Scanner
from envkit.scan.forms import Form
from envkit.scan.values import Label, Owner

VALUE = b"Zq8-vT1x/93b1"
LABEL = Label(Form.PLAIN, (Owner("dev", "KEY"),))
TOKEN = b"ghp_" + b"aB3dE5fG7h" * 4
SCANNER = Scanner({VALUE: LABEL})


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Make many windows of little data."""
    monkeypatch.setattr(content, "PIECE_BYTES", 512)


@given(
    lines=st.lists(st.sampled_from([b"\n", b"x" * 700 + b"\n", VALUE, TOKEN + b" ", b"\r\n"])),
    size=st.integers(1, 3000),
    shift=st.integers(0, 40),
)
def test_values_and_tokens_are_found_across_the_borders_of_pieces(lines, size, shift):
    data = b" " * shift + b" ".join(lines)
    expected = dict.fromkeys(
        Occurrence(number, label)
        for number, line in enumerate(data.split(b"\n"), 1)
        for label, text in ((LABEL, VALUE), ("a GitHub token", TOKEN))
        if text in line
    )
    assert {*SCANNER.scan(cut(data, size)).occurrences} == {*expected}


@pytest.mark.parametrize("where", range(0, 4200, 97))
def test_a_value_is_found_at_every_distance_from_the_beginning(where):
    data = b"." * where + VALUE + b"." * 3000
    assert SCANNER.scan(cut(data, 512)).occurrences == (Occurrence(1, LABEL),)


def test_the_same_value_is_found_once_per_line():
    data = VALUE + b" " + VALUE + b"\n" + VALUE
    assert [one.line for one in SCANNER.scan([data]).occurrences] == [1, 2]


def test_a_value_that_is_also_a_token_is_reported_as_the_value():
    assert Scanner({TOKEN: LABEL}).scan([TOKEN]).occurrences == (Occurrence(1, LABEL),)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize("size", [1, 3, 4096])
def test_text_in_utf_16_is_scanned(mark, size):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    data = mark + f"a\r\nKEY={VALUE.decode()}\r\n".encode(encoding)
    assert SCANNER.scan(cut(data, size)).occurrences == (Occurrence(2, LABEL),)


def test_a_binary_content_is_scanned():
    assert SCANNER.scan([bytes(range(256)) * 9 + VALUE + b"\0"]).occurrences


def test_a_pointer_of_git_lfs_is_recognized():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert SCANNER.scan([pointer]).is_pointer
    assert not SCANNER.scan([b"see " + pointer]).is_pointer


def test_an_empty_content_contains_nothing():
    assert SCANNER.scan([]).occurrences == ()


def test_a_value_before_and_after_a_hole_is_found():
    hole = bytes(10_000)
    pieces = cut(b"\n" + VALUE + hole + b"\n" + hole + VALUE + hole, 700)
    assert SCANNER.scan(pieces).occurrences == (Occurrence(2, LABEL), Occurrence(3, LABEL))
