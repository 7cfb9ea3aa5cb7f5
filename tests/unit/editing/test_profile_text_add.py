"""A variable added to a profile's file: it is read back exactly, and nothing else changes."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.editing.profile_text import literal, put_variables, value_text
from envkit.errors import InvalidValueError

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
TABLES = st.fixed_dictionaries(
    {"value": st.one_of(TEXTS, st.integers(-(2**62), 2**62), st.booleans())},
    optional={
        "type": st.just("string"),
        "required": st.booleans(),
        "choices": st.lists(TEXTS, max_size=3),
        "min": st.one_of(st.integers(0, 9), st.floats(0, 9)),
        "description": TEXTS,
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
@given(name=NAMES.filter(lambda name: name not in ("A", "B")), keys=TABLES)
def test_what_is_added_to_toml_is_read_back_and_nothing_else_changes(text, name, keys):
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


def test_a_new_line_stands_behind_the_others_and_before_what_follows():
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
def test_a_line_that_is_there_says_more(before, keys, after):
    text = before + "\n" if "[" in before else f"[variables]\n{before}\n"
    changed = put_variables(text, {"A": keys}, path="prod.toml")
    assert changed == text.replace(before, after)


@given(name=NAMES, value=TEXTS.filter(lambda text: not text.startswith("encrypted:")))
def test_what_is_added_to_an_env_profile_is_read_back(name, value):
    text = "# head\nexport a='1' # one\n"
    changed = put_variables(text, {name: {"value": value, "type": "string"}}, path="prod.env")
    assert changed.startswith(text)
    if "{{" not in value:
        assert literal(changed, name, path="prod.env") == value


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (8080, "8080"), ("x", "x")])
def test_the_text_of_a_value(value, text):
    assert value_text(value) == text
    changed = put_variables("", {"A": {"value": value}}, path="prod.env")
    assert changed == f"A={text}\n"


def test_a_table_that_is_written_in_two_places():
    text = "[variables.A]\nmin = 2\n[sources.vault]\nmount = 'x'\n[variables]\nB = '1'\n"
    changed = put_variables(text, {"A": {"value": "2"}}, path="prod.toml")
    assert loaded(changed)["variables"] == {"A": {"min": 2, "value": "2"}, "B": "1"}


def test_what_an_env_profile_cannot_hold_is_refused():
    with pytest.raises(InvalidValueError):
        put_variables("", {"A": {"value": "encrypted:x"}}, path="prod.env")
