"""A literal of a profile's file set or removed: it is read back exactly, nothing else changes."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.editing.profile_text import literal, remove_variable, set_literal
from envkit.errors import InvalidValueError

TOML = """\
# head
extends = "base" # e

[variables]   # the variables
NODE_ENV = "production"   # why
PORT = 8080 # port
DEBUG = false
TABLE = { value = "x", type = "string" } # tail
"QUOTED" = 'lit'
PARTS = "a {{ B }}"
ESCAPED = 'a {{ "{{" }} b'
NONE = { description = "d" }
[variables.LONG]
value = "a" # c
description = "d"

[sources.x]
type = "vault"
"""
ENV = "# head\nexport A='1' # one\nB={{B}}\n\nC=3\n"
NAMES = ("NODE_ENV", "PORT", "DEBUG", "TABLE", "QUOTED", "ESCAPED", "LONG")
# what no TOML and no profile can hold is NUL, and half a surrogate pair
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def lines(before, after):
    """Return the lines that are only in one of two texts."""
    return set(before.splitlines()) ^ set(after.splitlines())


@given(st.sampled_from(NAMES), VALUES)
def test_what_is_set_in_toml_is_read_back_and_nothing_else_changes(name, value):
    text = set_literal(TOML, name, value, path="prod.toml")
    assert literal(text, name, path="prod.toml") == value
    before, after = (tomllib.loads(each)["variables"] for each in (TOML, text))
    del before[name], after[name]
    assert before == after
    assert text.count("\n") == TOML.count("\n")


@given(st.sampled_from(("A", "C")), VALUES.filter(lambda v: not v.startswith("encrypted:")))
def test_what_is_set_in_an_env_profile_is_read_back(name, value):
    text = set_literal(ENV, name, value, path="prod.env")
    assert literal(text, name, path="prod.env") == value
    other = "C" if name == "A" else "A"
    assert literal(text, other, path="prod.env") == literal(ENV, other, path="prod.env")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("NODE_ENV", "dev", 'NODE_ENV = "dev"   # why'),
        ("PORT", "9090", "PORT = 9090 # port"),
        ("PORT", "09", 'PORT = "09" # port'),
        ("PORT", "9" * 30, f'PORT = "{"9" * 30}" # port'),
        ("DEBUG", "true", "DEBUG = true"),
        ("DEBUG", "yes", 'DEBUG = "yes"'),
        ("TABLE", "y", 'TABLE = { value = "y", type = "string" } # tail'),
        ("LONG", "b", 'value = "b" # c'),
        ("NODE_ENV", "{{ X }}", 'NODE_ENV = "{{ \\"{{\\" }} X }}"   # why'),
    ],
)
def test_the_form_of_what_is_written(name, value, line):
    changed = lines(TOML, set_literal(TOML, name, value, path="prod.toml"))
    assert len(changed) == 2
    assert line in changed


def test_what_is_a_literal():
    found = {name: literal(TOML, name, path="p.toml") for name in (*NAMES, "PARTS", "NONE", "X")}
    assert found == {
        "NODE_ENV": "production",
        "PORT": "8080",
        "DEBUG": "false",
        "TABLE": "x",
        "QUOTED": "lit",
        "ESCAPED": "a {{ b",
        "LONG": "a",
        "PARTS": None,
        "NONE": None,
        "X": None,
    }
    assert literal(ENV, "B", path="p.env") is None


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("NODE_ENV", 'NODE_ENV = "production"   # why\n'),
        ("TABLE", 'TABLE = { value = "x", type = "string" } # tail\n'),
        ("QUOTED", "\"QUOTED\" = 'lit'\n"),
    ],
)
def test_a_variable_is_removed(name, gone):
    assert remove_variable(TOML, name, path="prod.toml") == TOML.replace(gone, "")


def test_a_variable_that_is_a_table_is_removed():
    after = tomllib.loads(remove_variable(TOML, "LONG", path="prod.toml"))
    before = tomllib.loads(TOML)
    del before["variables"]["LONG"]
    assert after == before


def test_a_variable_of_an_env_profile_is_removed():
    assert remove_variable(ENV, "A", path="prod.env") == "# head\nB={{B}}\n\nC=3\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('variables = { A = "1", B = 2 }\n', 'variables = { A = "z", B = 2 }\n'),
        ('variables.A = "1"\nvariables.B = 2\n', 'variables.A = "z"\nvariables.B = 2\n'),
        ('[variables]\r\nA="1"\r\nB=2\r\n', '[variables]\r\nA="z"\r\nB=2\r\n'),
        ('\ufeff[variables]\nA="1"\n', '\ufeff[variables]\nA="z"\n'),
        ("[variables]\nA='''1\n'''  # m", '[variables]\nA="z"  # m'),
    ],
)
def test_other_layouts(text, after):
    assert set_literal(text, "A", "z", path="prod.toml") == after


@pytest.mark.parametrize("path", ["prod.toml", "prod.env"])
def test_what_no_profile_can_hold(path):
    text = '[variables]\nA = "1"\n' if path.endswith("toml") else "A=1\n"
    with pytest.raises(InvalidValueError, match="A is not UTF-8") as caught:
        set_literal(text, "A", "canary\udcff", path=path)
    assert "canary" not in str(caught.value)
