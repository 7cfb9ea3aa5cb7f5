"""The meaning of a `.env` file, according to the shared cases, and the limits of the parser."""

import json
from pathlib import Path

import pytest

from envkit.dotenv.file import parse
from envkit.dotenv.parser import split
from envkit.errors import DotenvError, ProfileError, SourceError

CASES = json.loads((Path(__file__).parents[2] / "data/dotenv-cases.json").read_text("utf-8"))

# "unsupported, literal: lint it", says the case
LINTED = {"exp_alt": ["A: ${X:+...} is not expanded"]}


def values(text, *, expand=True, environ=None):
    file = parse(text, path=".env", expand=expand, environ=environ)
    for problem in file.problems:
        raise problem
    return {name: entry.value for name, entry in file.entries.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_each_shared_case_parses_as_specified(case):
    if "error" in case:
        with pytest.raises(DotenvError) as caught:
            values(case["input"], environ=case["process_env"])
        line, _, text = case["error"].removeprefix("line ").partition(": ")
        wanted = f".env:{line}: {text}" if case["error"].startswith("line ") else case["error"]
        assert caught.value.message.endswith(wanted)
        assert caught.value.message.startswith(".env:")
    else:
        file = parse(case["input"], path=".env", expand=True, environ=case["process_env"])
        assert {name: entry.value for name, entry in file.entries.items()} == case["values"]
        unlisted = {name: entry.value for name, entry in file.unlisted.items()}
        assert unlisted == case.get("unlisted", {})
        warnings = case.get("warnings", LINTED.get(case["id"], []))
        assert list(file.warnings) == warnings


def test_the_number_of_shared_cases_is_80():
    assert len(CASES) == 80


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\n\nA=1\n\n# c\nB='x\ny'\nC=3", {"A": 3, "B": 6, "C": 8}),
        ("\r\n\r\nA=1\r\nB='x\r\ny'\r\nC=3\r\n", {"A": 3, "B": 4, "C": 6}),
        ("A=1\nA=2\n", {"A": 2}),
    ],
)
def test_lines_are_numbered_as_in_an_editor(text, lines):
    file = parse(text, path=".env", expand=False)
    assert {name: entry.line for name, entry in file.entries.items()} == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nB=x\0y\n", ".env:2: a NUL character"),
        ("\n\n  A\n", ".env:3: the line has no '='"),
        ("A=1\n\nB='open\n", ".env:3: cannot parse"),
        ('A=1\n"B"=x\n', ".env:2: the text before '=' is not a variable name"),
    ],
)
def test_a_parse_error_has_its_line(text, message):
    with pytest.raises(DotenvError) as caught:
        values(text)
    assert caught.value.message == message
    assert caught.value.exit_status == 3
    assert caught.value.hint
    assert not caught.value.retryable


def test_dotenv_error_is_a_profile_error_and_a_source_error():
    assert issubclass(DotenvError, ProfileError)
    assert issubclass(DotenvError, SourceError)


def test_a_parse_error_does_not_show_a_line_with_a_key():
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8+Kj"
    for text in (f"A=-----BEGIN KEY-----\n{line}\n", f"A=-----BEGIN KEY-----\n{line}==\n"):
        with pytest.raises(DotenvError) as caught:
            values(text)
        assert caught.value.message == ".env:1: a multi-line value without quotes"
        assert line[:8] not in str(caught.value)
        file = parse(text, path=".env", expand=False)
        assert list(file.entries) == ["A"]
        assert not any(line in name for name in file.entries)


def test_an_encrypted_value_is_an_error_of_its_variable_alone():
    text = "DOTENV_PUBLIC_KEY_PROD=03a8\nA=encrypted:BDqD\nB='encrypted:x'\nC=clear\nD=${A}\n"
    for expand in (True, False):
        file = parse(text, path=".env.prod", expand=expand)
        assert list(file.entries) == ["A", "B", "C", "D"]
        assert file.entries["C"].value == "clear"
        for name, line in (("A", 2), ("B", 3)):
            with pytest.raises(DotenvError, match=f"{name} is encrypted") as caught:
                _ = file.entries[name].value
            assert caught.value.message.startswith(f".env.prod:{line}: ")
            assert "BDqD" not in str(caught.value)
    with pytest.raises(DotenvError, match="A is encrypted"):
        _ = parse(text, path=".env.prod", expand=True).entries["D"].value


def test_a_dollar_in_a_profile_has_no_meaning():
    text = 'A=${NOPE}\nB=$X \\${Y}\nC="\\${Z:-1}"\n'
    assert values(text, expand=False) == {"A": "${NOPE}", "B": "$X \\${Y}", "C": "\\${Z:-1}"}


def test_the_repr_of_a_parsed_file_shows_no_value():
    file = parse("A=canary\n", path=".env", expand=False)
    assert "canary" not in repr(file)
    assert "canary" not in repr(list(split("A=canary\n", path=".env")))
