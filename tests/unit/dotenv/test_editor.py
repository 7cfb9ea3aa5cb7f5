"""Writing one value into a `.env` file: it is read back exactly, and nothing else changes."""

import io
import subprocess

import pytest
from dotenv.parser import parse_stream
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envkit.dotenv.editor import quote, remove_value, repeated_note, set_value
from envkit.dotenv.file import parse
from envkit.errors import DotenvError, InvalidValueError
from support.vectors import vectors

VECTORS = vectors("unit/dotenv/editor")

# mostly characters that have a meaning for one of the readers
SPECIAL = st.sampled_from([*"'\"\\$`#{}=! \t\n\r~;&|<>()*?", "${X}", "\\\\", "$(id)", "\r\n"])
VALUES = (
    st.lists(SPECIAL | st.text(max_size=3), max_size=12)
    .map("".join)
    .filter(lambda value: "\0" not in value and not value.startswith("encrypted:"))
)

FILE = """\
# the database
export A = old   # keep this
B='two words'

C="multi
line"#note
D=
E= # nothing yet
F=`x` y
"""


def read(text):
    file = parse(text, path=".env", expand=True)
    return {name: entry.value for name, entry in file.entries.items()}


@given(VALUES, st.sampled_from("ABCDEFG"), st.sampled_from(["\n", "\r\n"]))
@example("", "C", "\n")
@example("# not a comment", "E", "\n")
@example("a\r\nb\\", "A", "\r\n")
def test_set_value_reads_back_and_preserves_the_others(value, name, newline):
    text = FILE.replace("\n", newline)
    before = read(text)
    after = set_value(text, name, value, path=".env")
    assert read(after) == before | {name: value}
    assert after.replace("\r\n", "").count("\n") == (after.count("\n") if newline == "\n" else 0)


@given(st.lists(st.tuples(st.sampled_from("ABCXYZ"), VALUES), max_size=12))
def test_values_set_one_after_another_all_read_back(changes):
    text, wanted = FILE, read(FILE)
    for name, value in changes:
        text = set_value(text, name, value, path=".env")
        wanted[name] = value
        assert read(text) == wanted


@given(VALUES)
def test_setting_a_value_twice_equals_setting_it_once(value):
    once = set_value(FILE, "A", value, path=".env")
    assert set_value(once, "A", value, path=".env") == once


@given(VALUES)
@example("\r${X}")
def test_the_python_parser_reads_a_set_value_alike(value):
    (binding,) = parse_stream(io.StringIO(f"A={quote(value, name='A')}\n"))
    if "\r" in value and "${" in value:  # said in the docstring
        assert binding.value == value.replace("${", "\\${")
    else:
        assert binding.value == value


def shell_reads(value):
    double = "'" in value or "\\\\" in value or value.endswith("\\")
    return "\r" not in value and not (double and ("$" in value or "`" in value))


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES.filter(shell_reads), min_size=1, max_size=30))
def test_a_shell_reads_a_set_value_alike(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("shell") / ".env"
    path.write_text(
        "".join(f"V{i}={quote(value, name='V')}\n" for i, value in enumerate(values)),
        encoding="utf-8",
        newline="",
    )
    names = " ".join(f'"$V{i}"' for i in range(len(values)))
    ran = subprocess.run(
        ["bash", "--norc", "-c", f". '{path}' && printf '%s\\0' {names}"],
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode().split("\0")[:-1] == values
    assert ran.stderr == b""


@pytest.mark.parametrize(("text", "name", "value", "wanted"), VECTORS["only_the_value_changes"])
def test_set_value_changes_only_the_value(text, name, value, wanted):
    assert set_value(text, name, value, path=".env") == wanted


@pytest.mark.parametrize(
    ("text", "removed", "note"),
    [
        ("A=1\nA=2\nA=3\n", False, ".env: of 3 lines that set A, the last was changed"),
        ("A=1\nexport A=2\n", True, ".env: all 2 lines that set A were removed"),
        ("A=1\n", False, None),
        ("", False, None),
        ("B=1\nB=2\nA=1\n#A=2\n", True, None),
    ],
)
def test_a_second_definition_is_reported(text, removed, note):
    assert repeated_note(text, "A", path=".env", removed=removed) == note


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("postgresql://app:s3cret@db:5432/app", "postgresql://app:s3cret@db:5432/app"),
        ("", ""),
        ("two words", "'two words'"),
        ("pa$$w0rd ${X}", "'pa$$w0rd ${X}'"),
        (r"C:\new", r"'C:\new'"),
        ("it's", '"it\'s"'),
        ("it's $5", r"'it\'s $5'"),
        ("a\r\nb", '"a\\r\nb"'),
        ("~", "'~'"),
    ],
)
def test_a_value_is_quoted_only_as_needed(value, written):
    assert quote(value, name="A") == written


@pytest.mark.parametrize("value", ["canary\0", "encrypted:canary", "canary\udcff"])
def test_a_value_that_no_file_can_contain_is_refused(value):
    with pytest.raises(InvalidValueError, match="TOKEN") as caught:
        set_value("", "TOKEN", value, path=".env")
    assert "canary" not in str(caught.value)


def test_an_unparsable_file_is_not_written():
    with pytest.raises(DotenvError, match=r"\.env:1: the line has no '='"):
        set_value("A\n", "A", "1", path=".env")


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("A", "export A = old   # keep this\n"),
        ("B", "B='two words'\n"),
        ("C", 'C="multi\nline"#note\n'),
        ("D", "D=\n"),
        ("F", "F=`x` y\n"),
        ("G", ""),
    ],
)
def test_remove_value_removes_the_variable_and_no_other_byte(name, gone):
    assert remove_value(FILE, name, path=".env") == FILE.replace(gone, "")


def test_remove_value_removes_every_definition():
    text = "\ufeffA=1\r\n\r\n  A='x\r\ny'\r\nB=2\r\nA=3"
    assert remove_value(text, "A", path=".env") == "\ufeff\r\nB=2\r\n"


@given(VALUES)
def test_remove_value_undoes_an_addition(value):
    text = set_value(FILE, "NEW", value, path=".env")
    assert remove_value(text, "NEW", path=".env") == FILE


def test_remove_value_refuses_an_unparsable_file():
    with pytest.raises(DotenvError, match=r"\.env:2: cannot parse"):
        remove_value("A=1\nB='open\n", "A", path=".env")
