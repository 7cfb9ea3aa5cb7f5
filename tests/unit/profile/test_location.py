"""Lines of keys in TOML as people write it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.profile import location
from envkit.profile.location import KeyLines, Location
from support.vectors import DATA, vectors

VECTORS = vectors("unit/profile/location")

REALISTIC = (DATA / "unit/profile/realistic.toml").read_text("utf-8")


@pytest.mark.parametrize(("key", "beginning"), VECTORS["line_of_a_key_or_of_the_closest_table"])
def test_line_of_a_key_or_of_the_closest_table(key, beginning):
    tomllib.loads(REALISTIC)
    line = KeyLines(REALISTIC).line(tuple(key.split()))
    assert REALISTIC.splitlines()[line - 1].startswith(beginning)


# values that look like more keys than there are
VALUES = st.sampled_from(
    [
        '"x = 1"',
        "'[t]'",
        "1_000",
        "-1.5e3",
        "true",
        "07:32:00",
        "[]",
        "{}",
        '[ "a", # ] x = 1\n  "b",\n]',
        "[[1, 2],\n[3]]",
        '"""\nk = 1\n[t]\n"""',
        "'''k = \"\"\"\n'''",
        '"""\\"""\\\n  x = 1"""',
        '""""a""""',
        "{ a = 1, b = [ { c = 2 },\n{ c = 3 } ], d = '}' }",
        '"\\" # x"',
        '"" # k9 = "',
    ]
)
STATEMENTS = st.lists(
    st.tuples(st.sampled_from(["key", "key", "table", "comment", "blank"]), VALUES), max_size=12
)


@given(STATEMENTS)
def test_lines_are_found_for_any_order_of_statements(statements):
    text, wanted, table = "", {}, ()
    for number, (kind, value) in enumerate(statements):
        line = text.count("\n") + 1
        name = f"k{number}"
        if kind == "key":
            text += f"  {name} = {value}\n"
            wanted[(*table, name)] = line
        elif kind == "table":
            text += f"[ {name}.'in.ner' ] # {name} = 1\n"
            table = (name, "in.ner")
            wanted[table] = line
        else:
            text += f"# {name} = {value.splitlines()[0]}\n" if kind == "comment" else "\n"
    tomllib.loads(text)
    lines = KeyLines(text)
    assert {keys: lines.line(keys) for keys in wanted} == wanted


def test_a_nested_location_shares_the_file_of_its_parent(project):
    path = str(project.profiles / "prod.toml")
    top = Location(path, lines=KeyLines("\n[variables]\nPORT = 1\n"))
    assert str(top.at("variables", "PORT")) == "profiles/prod.toml:3"
    assert str(top.at("variables").at("PORT", "type")) == "profiles/prod.toml:3"
    assert str(Location(path, 7).at("value")) == "profiles/prod.toml:7"


def test_concurrent_requests_for_lines_get_the_right_ones(monkeypatch):
    lines = KeyLines("a = 1\nb = 2\n")
    keys, asked = location._keys, []

    def interrupted(text):
        for number, found in enumerate(keys(text)):
            if number == 1 and not asked:
                asked.append(None)
                asked.append(lines.line(("b",)))  # as another thread would
            yield found

    monkeypatch.setattr(location, "_keys", interrupted)
    assert lines.line(("b",)) == 2
    assert asked == [None, 2]
