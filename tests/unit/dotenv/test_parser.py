"""The pieces of a `.env` file, the fast path for plain lines, and how the parser is loaded."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.dotenv import parser as dotenv_syntax
from envkit.dotenv.file import parse, plain_entries
from envkit.dotenv.parser import Definition, decode, encode, split
from envkit.errors import DotenvError
from support.process import run_python


def values(text, *, expand=True, environ=None):
    file = parse(text, path=".env", expand=expand, environ=environ)
    return {name: entry.value for name, entry in file.entries.items()}


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_refused_as_a_whole(codec):
    mark = "" if codec == "utf-16" else "\ufeff"
    with pytest.raises(DotenvError, match=r"^\.env:1: not UTF-8 but UTF-16\n"):
        decode(f"{mark}A=1\n".encode(codec), path=".env")


@given(st.binary())
def test_decoded_bytes_are_encoded_unchanged(data):
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert encode(decode(data, path=".env")) == data


@given(
    st.lists(
        st.sampled_from(
            [*"AB=\"'` #\n\r\t\\x\ufeff\u2028\0\udcff{", "export ", "-----BEGIN K", "-----END K"]
        )
    ).map("".join)
)
def test_the_pieces_of_a_file_make_up_the_file(text):
    pieces = list(split(text, path=".env"))
    sources = [p if isinstance(p, str) else p.source for p in pieces]
    assert "".join(sources) == text.removeprefix("\ufeff")


_BLANKS = ["", "", "", " ", "\t", "\n", "\xa0", "\x0b", "\x85", "\u2028"]


_INSIDE = [*_BLANKS, "=", "#", "'", '"', "\\", "x", "é", "encrypted:", "{{ C }}", "export "]


@st.composite
def lines(draw):
    """Draw a line that is often plain, and often nearly so."""
    before = draw(st.sampled_from([*_BLANKS, "export ", "export", "# ", "\ufeff"]))
    name = draw(st.sampled_from(["A", "B_1", "export", "a-b", ""]))
    equals = draw(st.sampled_from(["=", "=", "=", " =", ""])) + draw(st.sampled_from(_BLANKS))
    quote = draw(st.sampled_from(["", "'", '"']))
    inside = "".join(draw(st.lists(st.sampled_from(_INSIDE), max_size=4)))
    after = draw(st.sampled_from([*_BLANKS, "# x", " # x"]))
    return f"{before}{name}{equals}{quote}{inside}{quote}{after}\n"


@given(st.lists(lines(), max_size=3).map("".join), st.sampled_from(["", "\n", "A=1", " ", "#"]))
def test_plain_lines_are_read_as_the_parser_reads_them(text, end):
    plain = dotenv_syntax.plain_pieces(text + end, path=".env")
    if plain is not None:
        assert plain == list(dotenv_syntax._joined(dotenv_syntax._parsed(text + end, ".env")))


@given(st.lists(lines(), max_size=3).map("".join), st.sampled_from(["", "\n", "A=1", " ", "#"]))
def test_plain_entries_match_the_entries_of_the_parser(text, end):
    plain = plain_entries(text + end)
    if plain is not None:
        pieces = dotenv_syntax._parsed(text + end, ".env")
        found = [piece for piece in pieces if isinstance(piece, Definition)]
        wanted = [(one.name, (one.clear_value(), one.line, None, None)) for one in found]
        assert list(plain.items()) == wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ""),
        ("A=1\n\n# c\nB='x y'\n", "AB"),
        ('export A=é\nB=""\nC= x \n', "ABC"),
        ("A=a=b\n   \nB={{ A }}", "AB"),
    ],
)
def test_an_ordinary_file_is_read_as_plain_entries(text, names):
    plain = plain_entries(text)
    assert plain is not None
    assert "".join(plain) == names


@pytest.mark.parametrize(
    "text",
    [
        *("A=1\nA=2\n", "A=encrypted:x\n", "DOTENV_PUBLIC_KEY=x\n", "A=`x`\n", "A=x # y\n"),
        *("A\n", "=x\n", "1A=x\n", "A='x\ny'\n", 'A="a\\nb"\n', "A=x\0\n", "A=x\ry\n", "é=x\n"),
    ],
)
def test_an_unusual_or_invalid_file_is_left_to_the_parser(text):
    assert plain_entries(text) is None


@pytest.mark.parametrize(
    "text", ["A=1", "A=\n", "\n# x\n\nexport A= 'b c' \n  B=\"#\"\n\n", "A=a b\n"]
)
def test_an_ordinary_file_is_read_without_the_parser(text):
    assert dotenv_syntax.plain_pieces(text, path=".env") is not None


def test_the_parser_is_loaded_without_its_package():
    code = """
import sys
sys.path[:] = {path!r}
from envkit.dotenv.file import parse
parse("A=1  # not a plain line", path=".env", expand=False)
print([name for name in ("dotenv", "logging", "tempfile", "importlib.util") if name in sys.modules])
"""
    ran = run_python(code.format(path=sys.path), options=["-S"])
    assert ran.stdout.strip() == "[]"


def test_the_parser_is_found_in_an_unusual_installation(monkeypatch):
    from importlib.machinery import PathFinder

    find_spec = PathFinder.find_spec
    asked = []

    def not_at_first(name, *args):
        asked.append(name)
        return find_spec(name, *args) if len(asked) > 1 else None

    monkeypatch.setattr(PathFinder, "find_spec", not_at_first)
    monkeypatch.setattr(dotenv_syntax, "_loaded", None)
    assert values("A=1  # not a plain line\n") == {"A": "1"}
    from dotenv.parser import parse_stream

    assert dotenv_syntax._loaded is parse_stream
