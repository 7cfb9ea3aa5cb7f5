"""Changing one field of a JSON text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.sources.aws.secret_version import (
    differ_elsewhere,
    read_object,
    remove_field,
    secret_version,
    set_field,
)
from support.vectors import vectors

VECTORS = vectors("unit/sources/aws/document")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


@given(OBJECTS, TEXT, TEXT, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_one_field_is_set_and_nothing_else(fields, field, value, indent, ascii_only):
    text = json.dumps(fields, indent=indent, ensure_ascii=ascii_only)
    after = read_object(set_field(text, field, value))
    assert after == {**fields, field: value}
    assert list(after) == list({**fields, field: value})


@given(OBJECTS.filter(bool), st.data(), TEXT)
def test_setting_a_field_back_gives_the_same_text(fields, data, value):
    field = data.draw(st.sampled_from(sorted(fields)))
    fields[field] = "before"
    text = json.dumps(fields, ensure_ascii=False, indent=1)
    assert set_field(set_field(text, field, value), field, "before") == text


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{}", '{"b": "x"}'),
        ("{ }", '{ "b": "x"}'),
        ('\n{"a":1e2}\n', '\n{"a":1e2, "b": "x"}\n'),
        ('{"b" : 1.50 ,"a": "\\u00e9}"}', '{"b" : "x" ,"a": "\\u00e9}"}'),
        ('{"b":1,"a":{"b":2},"b":3}', '{"b":1,"a":{"b":2},"b":"x"}'),
    ],
)
def test_every_other_character_stays(text, after):
    assert set_field(text, "b", "x") == after


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1]", '"a"', "1", "{}{}", "\u00a0{}", '{"a":' * 100_000, "{'a': 1}"],
    ids=lambda text: repr(text[:8]),
)
def test_what_is_no_object(text):
    assert read_object(text) is None


@given(OBJECTS, TEXT, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_one_field_is_removed_and_nothing_else(fields, field, indent, ascii_only):
    text = json.dumps(fields, indent=indent, ensure_ascii=ascii_only)
    left = {name: value for name, value in fields.items() if name != field}
    assert read_object(remove_field(text, field)) == left
    for name in fields:
        left = {other: value for other, value in fields.items() if other != name}
        assert read_object(remove_field(text, name)) == left


@pytest.mark.parametrize(("text", "after"), VECTORS["what_stays_when_a_field_is_removed"])
def test_what_stays_when_a_field_is_removed(text, after):
    assert remove_field(text, "b") == after


@pytest.mark.parametrize(
    ("field", "one", "other", "expected"), VECTORS["whether_versions_differ_elsewhere"]
)
def test_whether_versions_differ_elsewhere(field, one, other, expected):
    versions = [secret_version(number, text, None) for number, text in (("1", one), ("2", other))]
    assert differ_elsewhere(field, *versions) is expected
