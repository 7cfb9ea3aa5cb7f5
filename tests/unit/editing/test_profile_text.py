"""Literals set, added or removed in a profile read back exactly; nothing else changes."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.editing.profile_text import (
    literal,
    put_variables,
    remove_variable,
    set_literal,
    value_text,
)
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
# neither TOML nor a profile can contain NUL or half a surrogate pair
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def lines(before, after):
    """Return the lines that are only in one of two texts."""
    return set(before.splitlines()) ^ set(after.splitlines())


@given(st.sampled_from(NAMES), VALUES)
def test_set_literal_in_toml_reads_back_and_changes_nothing_else(name, value):
    text = set_literal(TOML, name, value, path="prod.toml")
    assert literal(text, name, path="prod.toml") == value
    before, after = (tomllib.loads(each)["variables"] for each in (TOML, text))
    del before[name], after[name]
    assert before == after
    assert text.count("\n") == TOML.count("\n")


@given(st.sampled_from(("A", "C")), VALUES.filter(lambda v: not v.startswith("encrypted:")))
def test_set_literal_in_an_env_profile_reads_back(name, value):
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
def test_set_literal_writes_the_expected_form(name, value, line):
    changed = lines(TOML, set_literal(TOML, name, value, path="prod.toml"))
    assert len(changed) == 2
    assert line in changed


def test_literal_returns_only_values_without_placeholders():
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
    ("path", "name", "gone"),
    [
        ("prod.toml", "NODE_ENV", 'NODE_ENV = "production"   # why\n'),
        ("prod.toml", "TABLE", 'TABLE = { value = "x", type = "string" } # tail\n'),
        ("prod.toml", "QUOTED", "\"QUOTED\" = 'lit'\n"),
        ("prod.env", "A", "export A='1' # one\n"),
    ],
)
def test_remove_variable_removes_its_line(path, name, gone):
    text = TOML if path == "prod.toml" else ENV
    assert remove_variable(text, name, path=path) == text.replace(gone, "")


def test_remove_variable_removes_a_table():
    after = tomllib.loads(remove_variable(TOML, "LONG", path="prod.toml"))
    before = tomllib.loads(TOML)
    del before["variables"]["LONG"]
    assert after == before


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
def test_set_literal_understands_other_toml_layouts(text, after):
    assert set_literal(text, "A", "z", path="prod.toml") == after


@pytest.mark.parametrize("path", ["prod.toml", "prod.env"])
def test_a_value_that_no_profile_can_contain_is_refused(path):
    text = '[variables]\nA = "1"\n' if path.endswith("toml") else "A=1\n"
    with pytest.raises(InvalidValueError, match="A is not UTF-8") as caught:
        set_literal(text, "A", "canary\udcff", path=path)
    assert "canary" not in str(caught.value)


NEW_NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)


TABLES = st.fixed_dictionaries(
    {"value": st.one_of(VALUES, st.integers(-(2**62), 2**62), st.booleans())},
    optional={
        "type": st.just("string"),
        "required": st.booleans(),
        "choices": st.lists(VALUES, max_size=3),
        "min": st.one_of(st.integers(0, 9), st.floats(0, 9)),
        "description": VALUES,
    },
)


FILES = {
    "an empty file": "",
    "comments alone": "# nothing yet\n",
    "no table": 'extends = "base"\n',
    "an empty table": "[variables]\n",
    "a table of comments": "[variables]\n# none\n\n[sources.vault]\nmount = 'x'\n",
    "a table in the middle": (
        "# head\n[variables]  # here\nA = '1' # one\n"
        "\n\n# the stores\n[sources.vault]\nmount = 'x'\n"
    ),
    "a table at the end": "[sources.vault]\nmount = 'x'\n\n[variables]\nA = '1'",
    "tables of variables": "[variables.A]\nvalue = '1'\n\n# stores\n[sources.vault]\nmount = 'x'\n",
    "both forms": "[variables]\nB = '2'\n\n[variables.A]\nvalue = '1'\n# tail\n",
    "dotted keys": "variables.A = '1'\n\nvariables.B = '2'\n",
    "one line": "variables = { A = '1' }\n",
    "carriage returns": "[variables]\r\nA = '1'\r\n\r\n[sources.vault]\r\nmount = 'x'\r\n",
    "a byte order mark": "\ufeff[variables]\nA = '1'\n",
    "no newline at the end": "[variables]\nA = '1'\n# tail",
}


def loaded(text):
    return tomllib.loads(text.removeprefix("\ufeff"))


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
@given(name=NEW_NAMES.filter(lambda name: name not in ("A", "B")), keys=TABLES)
def test_put_variables_in_toml_reads_back_and_changes_nothing_else(text, name, keys):
    changed = put_variables(text, {name: keys}, path="prod.toml")
    after = loaded(changed)
    added = after["variables"].pop(name)
    assert added == (keys if len(keys) > 1 else keys["value"])
    before = loaded(text)
    assert {"variables": {}, **after} == {"variables": {}, **before}
    # every line is there still; one that had no newline has one now
    assert set(text.splitlines()) <= set(changed.splitlines()) or "{ A" in text
    assert changed.startswith("\ufeff") == text.startswith("\ufeff")
    assert ("\r\n" in changed) == ("\r\n" in text)
    assert changed.count("\r\n") in (0, changed.count("\n"))


def test_put_variables_adds_a_line_after_the_others_and_before_the_next_table():
    lines = {"B": {"value": 2}, "C": {"value": "{{ C }}", "required": False}}
    text = put_variables(FILES["a table in the middle"], lines, path="prod.toml")
    assert text == (
        "# head\n[variables]  # here\nA = '1' # one\nB = 2\n"
        'C = { value = "{{ C }}", required = false }\n'
        "\n\n# the stores\n[sources.vault]\nmount = 'x'\n"
    )


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("A = '1' # one", {"value": "2"}, 'A = "2" # one'),
        ("A = '1' # one", {"value": 2}, "A = 2 # one"),
        (
            "A = { value = '1', min = 2 } # one",
            {"value": "2"},
            'A = { value = "2", min = 2 } # one',
        ),
        ("A = { min = 2 }", {"value": "2"}, 'A = { min = 2, value = "2" }'),
        ("A = '1'", {"min": 2}, "A = { value = '1', min = 2 }"),
        (
            "[variables.A]\nmin = 2\n\n# tail",
            {"value": "2"},
            '[variables.A]\nmin = 2\nvalue = "2"\n\n# tail',
        ),
    ],
)
def test_put_variables_extends_an_existing_line(before, keys, after):
    text = before + "\n" if "[" in before else f"[variables]\n{before}\n"
    changed = put_variables(text, {"A": keys}, path="prod.toml")
    assert changed == text.replace(before, after)


@given(name=NEW_NAMES, value=VALUES.filter(lambda text: not text.startswith("encrypted:")))
def test_put_variables_in_an_env_profile_reads_back(name, value):
    text = "# head\nexport a='1' # one\n"
    changed = put_variables(text, {name: {"value": value, "type": "string"}}, path="prod.env")
    assert changed.startswith(text)
    if "{{" not in value:
        assert literal(changed, name, path="prod.env") == value


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (8080, "8080"), ("x", "x")])
def test_value_text_is_the_text_of_a_toml_value(value, text):
    assert value_text(value) == text
    changed = put_variables("", {"A": {"value": value}}, path="prod.env")
    assert changed == f"A={text}\n"


def test_a_table_written_in_two_places_is_refused():
    text = "[variables.A]\nmin = 2\n[sources.vault]\nmount = 'x'\n[variables]\nB = '1'\n"
    changed = put_variables(text, {"A": {"value": "2"}}, path="prod.toml")
    assert loaded(changed)["variables"] == {"A": {"min": 2, "value": "2"}, "B": "1"}


def test_a_value_that_an_env_profile_cannot_contain_is_refused():
    with pytest.raises(InvalidValueError):
        put_variables("", {"A": {"value": "encrypted:x"}}, path="prod.env")
