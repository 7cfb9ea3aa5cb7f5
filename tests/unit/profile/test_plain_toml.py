"""Plain TOML is read as `tomllib` reads it; it also reads all other texts."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envkit.profile import plain_toml

PLAIN = {
    "an empty file": "",
    "a comment": "# only this, with ünïcode and \ta tab\n",
    "a string": 'A = "x # y = [z] {{ vault:a#b }}"\n',
    "an empty string": 'A = ""\n',
    "no blanks": "A=\"x\"\nB='y'\n[t]\nC=1\n",
    "blanks": '  A  =\t"x" \t\n  [t]  \n\tB = 1\n',
    "no newline at the end": 'A = "x"',
    "a literal string": "A = 'x \"y\" # z'\n",
    "a comment after a value": 'A = "x"  # say "why"\nB = \'y\'# z\nC = 1# n\n',
    "numbers": "A = 0\nB = -17\nC = 123456789012345678\nD = -0\n",
    "truth values": "A = true\nB = false # no\n",
    "lists": 'A = []\nB = [ ]\nC = ["a", \'b\', 3,true]\nD = [["a"], [[1]]]\n',
    "inline tables": 'A = {}\nB = { value = "x", type = "int", min=1 }\nC = {a={b=[{}]}} # c\n',
    "headers": "[a.b]\nx = 1\n[a.c]\nx = 2\n[d-1.e_2] # here\nx = 3\n[2]\nx = 4\n",
    "a key that is a number": '1 = "x"\n',
    "keys with dashes": 'a-b = "x"\n-a = "y"\n',
    "a header that looks like a key's end": '[a]\nb = "[c]"\n',
}
LEFT_TO_TOMLLIB = {
    "a carriage return": 'A = "x"\r\n',
    "an escape": 'A = "x\\n"\n',
    "a backslash in a literal string": "A = 'x\\n'\n",
    "a multi-line string": 'A = """\nx"""\n',
    "a multi-line string on one line": 'A = """x"""\n',
    "a multi-line literal string": "A = '''x'''\n",
    "a list of several lines": 'A = [\n"x",\n]\n',
    "a comma at the end of a list": 'A = ["x",]\n',
    "a comma at the end of an inline table": "A = { a = 1, }\n",
    "a quoted key": '"A" = "x"\n',
    "a dotted key": 'A.b = "x"\n',
    "a dotted key in an inline table": 'A = { b.c = "x" }\n',
    "a quoted header": '["a b"]\n',
    "a header with blanks": "[ a ]\n",
    "a header without a key": "[]\n",
    "a header without its end": "[a\n",
    "a header that begins with a dot": "[.a]\n",
    "a header that ends with a dot": "[a.]\n",
    "a list of tables": "[[a]]\n",
    "a key twice": 'A = "x"\nA = "y"\n',
    "a key twice in an inline table": "A = { b = 1, b = 2 }\n",
    "a header twice": "[a]\n[a]\n",
    "a table after the one in it": "[a.b]\n[a]\n",
    "a table that is a value": "a = 1\n[a]\n",
    "a table in a value": "[a]\nb = 1\n[a.b.c]\n",
    "a table in an inline table": "a = {}\n[a.b]\n",
    "a table in an inline table of another": "[a]\nb = { c = 1 }\n[a.b.d]\n",
    "a key that is a table": "[a.b]\n[a.c]\n[d]\n[d.e]\n[f]\nx = 1\n[f.x]\n",
    "a float": "A = 1.5\n",
    "a number with a plus": "A = +1\n",
    "a number with zeros": "A = 01\n",
    "a number with underscores": "A = 1_000\n",
    "a hexadecimal number": "A = 0x1f\n",
    "a very long number": f"A = {'9' * 5000}\n",
    "digits of another script": "A = \u0661\n",
    "infinity": "A = inf\n",
    "a date": "A = 2026-01-01\n",
    "a time with a blank": "A = 2026-01-01 07:00:00\n",
    "text after a value": 'A = "x" "y"\n',
    "text after a literal": "A = 'x'y'\n",
    "text after a header": "[a] b\n",
    "a value without quotes": "A = x\n",
    "no value": "A =\n",
    "no key": '= "x"\n',
    "no equals sign": "A\n",
    "an open string": 'A = "x\n',
    "an open list": 'A = ["x"\n',
    "an open table": "A = { b = 1\n",
    "no comma": "A = [1 2]\n",
    "a list closed by a brace": "A = [1}\n",
    "a key with an umlaut": 'ä = "x"\n',
    "a control character": 'A = "x\x01"\n',
    "a control character in a comment": "# \x7f\n",
    "a line separator": 'A = "x\u2028"\n',
    "a form feed": '\fA = "x"\n',
    "lists too deep": f"A = {'[' * 5000}{']' * 5000}\n",
    "a byte order mark": '\ufeffA = "x"\n',
}


def exactly(document: object) -> str:
    """Compare documents by order and type too: `1` is not `true`."""
    return repr(document)


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_plain_toml_is_read_as_tomllib_reads_it(text):
    assert exactly(plain_toml.read(text)) == exactly(tomllib.loads(text))


@pytest.mark.parametrize("text", LEFT_TO_TOMLLIB.values(), ids=LEFT_TO_TOMLLIB)
def test_other_toml_and_invalid_text_are_left_to_tomllib(text):
    assert plain_toml.read(text) is None


_PIECES = st.sampled_from(
    [
        *('"', "'", "[", "]", "{", "}", "=", ",", ".", "#", "\n", " ", "\t", "\\", "-", "_", "+"),
        *("0", "1", "9", "a", "b", "c", "true", "false", "ä", "\r", "\x00", "\x85", "\ufeff"),
        *('a = "b"', "\n[a]\n", "\n[a.b]\n", "\n[[a]]\n", "b = 1\n", "c = {a = 1}", "[1, 2]"),
        *('"""', "'''", "a.b = 1\n", "\nb = []\n", "1.5", "2026-01-01", "inf", " = "),
    ]
)
_KEYS = st.sampled_from(["a", "b", "c", "A_1", "a-b", "1", '"a"', "a.b", ""])
_SCALARS = st.sampled_from(
    ['""', '"x"', '"x # \' y"', "''", "'\"'", "0", "-1", "12", "01", "true", "false", "1.0", "x"]
)


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(_KEYS, inner).map(" = ".join)
    return st.one_of(
        inner,
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(pairs, max_size=3).map(lambda items: f"{{ {', '.join(items)} }}"),
    )


_VALUES = _nested(_nested(_SCALARS))
_LINES = st.one_of(
    st.tuples(_KEYS, _VALUES).map(" = ".join),
    st.lists(_KEYS, min_size=1, max_size=3).map(lambda keys: f"[{'.'.join(keys)}]"),
    st.sampled_from(["", "  ", "# comment", "\t# = [x]"]),
)
_DOCUMENTS = st.lists(_LINES, max_size=8).map("\n".join)


@st.composite
def _changed(draw: st.DrawFn) -> str:
    """Return a document that is nearly right."""
    text = draw(_DOCUMENTS)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(_PIECES) + text[at + draw(st.integers(0, 2)) :]


@settings(max_examples=300, deadline=None)
@given(st.one_of(_DOCUMENTS, _changed(), st.lists(_PIECES, max_size=12).map("".join), st.text()))
@example("a = {}\n[a.b]\nc = 1")
@example('a = "x" # "')
def test_any_document_that_is_read_matches_tomllib(text):
    found = plain_toml.read(text)
    if found is not None:
        assert exactly(found) == exactly(tomllib.loads(text))
