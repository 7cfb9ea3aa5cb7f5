"""Lines of keys in TOML as people write it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.profile.location import KeyLines, Location

REALISTIC = '''\
# [variables]  a comment, not a table
extends = "base"   # PORT = 1
aliases = [
  "production",   # lookup = 1
  "live]",
]

[sources.vault]
type = "vault"
auth = { method = "approle", role_id = "[x] = {", secret_id = "{{ env:S }}" }

[ sources . "aws" ]
region = 'eu-west-1'

[variables]
PLAIN = "x"
"QUOTED" = "y"
'LITERAL' = "z"
"ESC\\u0041PED" = "a"
dotted.value = "1"
dotted.type = "int"
INLINE = { value = "8080", type = "port", min = 1 }
LONG = """
PLAIN2 = "not a key"
[sources.nothing]
\\""" still inside
"""
RAW = \'\'\'
HIDDEN = 1
\'\'\'\'
QUOTES = """a""\\"""" # AFTER = 1
LIST = { choices = [
  "a = b",
  { deep = "x" },
], type = "enum" }
DATE = 2026-01-01 10:00:00
FLOAT = 1.5

[variables.TABLE]
value = "v"
type = "int"

[variables.TABLE2]
# type = "int"
required = false
[[fleet]]
name = "a"
[[fleet]]
name = "b"
size = 1
'''


@pytest.mark.parametrize(
    ("key", "beginning"),
    [
        ("extends", "extends ="),
        ("aliases", "aliases ="),
        ("sources", "[sources.vault]"),
        ("sources vault", "[sources.vault]"),
        ("sources vault auth", "auth ="),
        ("sources vault auth role_id", "auth ="),
        ("sources vault nothing", "[sources.vault]"),
        ("sources aws", "[ sources"),
        ("sources aws region", "region ="),
        ("sources nothing", "[sources.vault]"),
        ("variables", "[variables]"),
        ("variables PLAIN", "PLAIN"),
        ("variables QUOTED", '"QUOTED"'),
        ("variables LITERAL", "'LITERAL'"),
        ("variables ESCAPED", '"ESC'),
        ("variables dotted", "dotted.value"),
        ("variables dotted value", "dotted.value"),
        ("variables dotted type", "dotted.type"),
        ("variables INLINE min", "INLINE"),
        ("variables LONG", "LONG"),
        ("variables PLAIN2", "[variables]"),
        ("variables RAW", "RAW"),
        ("variables HIDDEN", "[variables]"),
        ("variables QUOTES", "QUOTES"),
        ("variables AFTER", "[variables]"),
        ("variables LIST choices", "LIST"),
        ("variables LIST choices deep", "  { deep"),
        ("variables LIST type", "], type"),
        ("variables DATE", "DATE"),
        ("variables FLOAT", "FLOAT"),
        ("variables TABLE", "[variables.TABLE]"),
        ("variables TABLE type", 'type = "int"'),
        ("variables TABLE2 type", "[variables.TABLE2]"),
        ("variables TABLE2 required", "required"),
        ("fleet", "[[fleet]]"),
        ("fleet size", "size"),
        ("nothing", "# [variables]"),
        ("", "# [variables]"),
    ],
)
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
def test_lines_of_any_order_of_statements(statements):
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


def test_a_location_goes_down_from_its_file(project):
    path = str(project.profiles / "prod.toml")
    top = Location(path, lines=KeyLines("\n[variables]\nPORT = 1\n"))
    assert str(top.at("variables", "PORT")) == "profiles/prod.toml:3"
    assert str(top.at("variables").at("PORT", "type")) == "profiles/prod.toml:3"
    assert str(Location(path, 7).at("value")) == "profiles/prod.toml:7"
