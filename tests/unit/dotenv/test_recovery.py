"""An odd line of a `.env` file fails at most the variables that it may define."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.dotenv.editor import remove_value, set_value
from envkit.dotenv.file import parse
from envkit.errors import DotenvError

CANARY = "canary-5f1c"


def outcome(text, name):
    """Return the value of a variable, its error, or None if it is absent."""
    try:
        entry = parse(text, path=".env", expand=True, environ={}).get(name)
        value = None if entry is None else entry.value
    except DotenvError as error:
        return error
    return value


# an odd line, and the variable that cannot be read because of it
ODD_LINES = {
    "dotted name": ("discovery.type=single-node", None),
    "dashed name": ("FOO-BAR=1", None),
    "leading digit": ("2FA_KEY=1", None),
    "unicode name": ("CLÉ=1", None),
    "name with a slash": ("a/b=1", None),
    "name in quotes with a blank": ("'A B'=1", None),
    "export alone": ("export", None),
    "export without a value": ("export FOO", "FOO"),
    "no equals": ("FOO", "FOO"),
    "prose": ("this is a forgotten comment", None),
    "colon": ("FOO: 1", "FOO"),
    "set": ("set FOO=1", "FOO"),
    "declare": ("declare -x FOO=1", "FOO"),
    "name in double quotes": ('"FOO"=1', "FOO"),
    "appended to": ("FOO+=:/opt", "FOO"),
    "default of make": ("FOO?=1", "FOO"),
    "assignment of make": ("FOO:=1", "FOO"),
    "output of a command, of make": ("FOO!=date", "FOO"),
    "csh": ("setenv FOO 1", "FOO"),
    "fish": ("set -gx FOO 1", "FOO"),
    "typeset": ("typeset -x FOO", "FOO"),
    "cmd": ('SET "FOO=1"', "FOO"),
    "PowerShell": ('$env:FOO = "1"', "FOO"),
    "PowerShell, in braces": ("${Env:FOO}=1", "FOO"),
    "JSON in a line": ('{"FOO":"1","X":"2"}', "FOO"),
    "JSON in a line, second": ('{"X":"1","FOO":"2"}', "FOO"),
    "line of JSON": ('"FOO": "1",', "FOO"),
    "YAML list": ("- FOO=1", "FOO"),
    "Dockerfile": ("ENV FOO 1", "FOO"),
    "Dockerfile with =": ("ENV FOO=1", "FOO"),
    "shell variable": ("$FOO=1", "FOO"),
    "mark before the name": ("\ufeffFOO=1", "FOO"),
    "invisible mark": ("\u200bFOO=1", "FOO"),
    "text behind the quote": ("FOO='x' y", "FOO"),
    "two quoted texts": ('FOO="x" "y"', "FOO"),
    "NUL": ("FOO=a\0b", "FOO"),
    "not UTF-8": ("FOO=caf\udce9", "FOO"),
    "not UTF-8 in a comment": ("# caf\udce9", None),
    "very long": (f"FOO={'x' * 200_000} y'", None),
    "no name": ("=1", None),
    "JSON without quotes": ('FOO={\n  "key": 1\n}', "FOO"),
    "continued line": ("FOO=a\\\nb c", "FOO"),
    "key without quotes": (
        f"FOO=-----BEGIN KEY-----\n{CANARY}w==\nOTHER=1\n-----END KEY-----",
        "FOO",
    ),
    "encrypted": ("FOO=encrypted:x", "FOO"),
    "export with a colon": (f"export FOO:{CANARY}'", "FOO"),
    "carriage return": ("FOO\r", "FOO"),
}


@pytest.mark.parametrize(("line", "spoilt"), ODD_LINES.values(), ids=ODD_LINES)
def test_an_odd_line_fails_only_its_own_variable(line, spoilt):
    text = f"BEFORE=1\n{line}\nAFTER=2\n"
    assert (outcome(text, "BEFORE"), outcome(text, "AFTER")) == ("1", "2")
    assert outcome(text, "ABSENT") is None
    if spoilt is not None:
        error = outcome(text, spoilt)
        assert isinstance(error, DotenvError)
        assert error.message.startswith(".env:2: ")
        assert error.hint
        assert CANARY not in str(error)


@pytest.mark.parametrize(("line", "spoilt"), ODD_LINES.values(), ids=ODD_LINES)
def test_another_variable_can_be_set_and_removed_beside_an_odd_line(line, spoilt):
    text = f"BEFORE=1\n{line}\nAFTER=2\n"
    assert set_value(
        text, "AFTER", "3", path=".env"
    ) == f"BEFORE=1\n{line}\nAFTER=3\n".removeprefix("\ufeff")
    assert remove_value(text, "BEFORE", path=".env") == f"{line}\nAFTER=2\n"
    assert outcome(set_value(text, "NEW", "4", path=".env"), "NEW") == "4"
    if spoilt is not None and not line.startswith(("export FOO", "FOO=encrypted")):
        with pytest.raises(DotenvError):
            set_value(text, "FOO", "4", path=".env")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("discovery.type", "discovery.type=x"),
        ("FOO-BAR", "export FOO-BAR='x'"),
        ("2FA_KEY", '2FA_KEY="x"'),
        ("CLÉ", "CLÉ=x"),
        ("A B", "'A B'=x"),
        ("a/b", "a/b = x"),
    ],
)
def test_a_name_that_no_shell_accepts_can_be_read_and_changed_but_is_not_listed(name, line):
    text = f"{line}\nA=1\n"
    assert outcome(text, name) == "x"
    assert list(parse(text, path=".env", expand=True).entries) == ["A"]
    assert outcome(set_value(text, name, "new", path=".env"), name) == "new"
    assert outcome(remove_value(text, name, path=".env"), name) is None


UNCLEAR = {
    "open single quote": "FOO='open",
    "open double quote": 'FOO="open',
    "apostrophe": "FOO='it's'",
    "apostrophe in words": "FOO='it's here'",
    "open quote behind export": "export FOO='open",
    "open quote with blanks": "FOO = 'open",
    "closed further down, with text behind": "FOO='open\nSWALLOWED=1\nBAR='x'",
    "open backtick, closed further down": "FOO=`open\nSWALLOWED=1\n`",
    "closed further down, with a NUL in it": "FOO='open\nSWALLOWED=a\0b\nBAR='x'",
    "closed further down, with a byte in it": "FOO='open\nSWALLOWED=\udce9\nBAR='x'",
    "NUL in a name": "FO\0O=1",
    "UTF-16 without a mark": "F\0O\0O\0=\x001\0",
}


@pytest.mark.parametrize("lines", UNCLEAR.values(), ids=UNCLEAR)
def test_nothing_is_missing_and_nothing_is_written_when_a_line_may_have_swallowed_others(lines):
    text = f"BEFORE=1\nAGAIN=1\n{lines}\nAGAIN=2\nAFTER=3\n"
    assert outcome(text, "BEFORE") == "1"
    names = ["ABSENT", "SWALLOWED"]
    if lines.startswith(("FOO", "export")):
        names += ["FOO", "AGAIN", "AFTER"]
    for name in names:
        error = outcome(text, name)
        assert isinstance(error, DotenvError), name
        assert error.message.startswith(".env:3: ")
        assert error.hint
    for name in ("BEFORE", "NEW", "AFTER"):
        with pytest.raises(DotenvError):
            set_value(text, name, "x", path=".env")
        with pytest.raises(DotenvError):
            remove_value(text, name, path=".env")


def test_an_open_quote_at_the_end_swallows_nothing():
    text = 'A=1\nB="open\n# a comment\n\n'
    assert (outcome(text, "A"), outcome(text, "C")) == ("1", None)
    assert isinstance(outcome(text, "B"), DotenvError)


@pytest.mark.parametrize("text", ["A=1\nexport A\n", "export A\nA=1\n", "export A\nexport A=1\n"])
def test_export_of_a_variable_that_the_file_sets_is_accepted(text):
    file = parse(text, path=".env", expand=False)
    assert (file.get("A").value, file.problems) == ("1", ())


def test_a_readable_later_line_counts_and_an_earlier_one_does_not():
    assert outcome("A: 1\nA=2\n", "A") == "2"
    assert isinstance(outcome("A=2\nA: 1\n", "A"), DotenvError)


def test_a_value_that_uses_a_failed_one_fails():
    assert isinstance(outcome("A='x' y\nB=${A:-z}\n", "B"), DotenvError)
    assert isinstance(outcome("B=${C:-z}\nA='open\nC=1\n", "B"), DotenvError)


def test_names_on_odd_lines_are_never_listed():
    text = f"A=1\n{CANARY.replace('-', '')}\n{CANARY}=\nX: {CANARY}\n"
    file = parse(text, path=".env", expand=False)
    assert list(file.entries) == ["A"]
    assert "canary" not in repr(file.entries) + "".join(one.message for one in file.problems)


LINES = [line for line, _ in ODD_LINES.values() if len(line) < 1000]


@given(st.lists(st.sampled_from([*LINES, *UNCLEAR.values(), "", "# x", "ZED=2"]), max_size=5))
def test_odd_lines_never_make_a_variable_missing(lines):
    text = "\n".join(["ZED=1", *lines, "LAST=1"]) + "\n"
    for name in ("ZED", "LAST"):
        assert outcome(text, name) is not None


CONFLICT = "A=1\n<<<<<<< HEAD\nB=ours\n{base}=======\nB=theirs\n>>>>>>> feature/x\nC=3\n"


@pytest.mark.parametrize("base", ["", "||||||| 1a2b3c4\nB=base\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_unresolved_merge_conflict_is_one_error_and_stops_every_change(base, newline):
    text = CONFLICT.format(base=base).replace("\n", newline)
    file = parse(text, path=".env", expand=True, environ={})
    assert [error.message for error in file.problems] == [".env:2: an unresolved merge conflict"]
    for name in ("A", "B", "C", "NEW"):
        assert str(outcome(text, name)).startswith(".env:2: an unresolved merge conflict")
        for change in (
            lambda name=name: set_value(text, name, "x", path=".env"),
            lambda name=name: remove_value(text, name, path=".env"),
        ):
            with pytest.raises(DotenvError, match="an unresolved merge conflict"):
                change()


@pytest.mark.parametrize(
    "text",
    [
        "A='\n<<<<<<< HEAD\n'\n",
        "A=<<<<<<<\n",
        "# <<<<<<< HEAD\nA=1\n",
        "A=1\n=====\n",
        "A=1 # =======\n",
    ],
)
def test_text_that_only_resembles_a_merge_conflict_is_none(text):
    file = parse(text, path=".env", expand=True, environ={})
    assert not [one for one in file.problems if "merge" in one.message]
    assert file.entries["A"].value
