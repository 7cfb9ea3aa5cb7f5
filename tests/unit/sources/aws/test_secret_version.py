"""Changing one field of a JSON text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.aws.secret_version import (
    change,
    change_all,
    differ_elsewhere,
    pick,
    read_object,
    remove_field,
    secret_version,
    set_field,
)
from support.vectors import vectors

VECTORS = vectors("unit/sources/aws/document")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


@given(OBJECTS, TEXT, TEXT, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_set_field_changes_one_field_and_nothing_else(fields, field, value, indent, ascii_only):
    text = json.dumps(fields, indent=indent, ensure_ascii=ascii_only)
    after = read_object(set_field(text, field, value))
    assert after == {**read_object(text), field: value}
    assert list(after) == list({**fields, field: value})


@given(OBJECTS.filter(bool), st.data(), TEXT)
def test_setting_a_field_back_restores_the_text(fields, data, value):
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
def test_set_field_preserves_every_other_character(text, after):
    assert set_field(text, "b", "x") == after


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1]",
        '"a"',
        "1",
        "{}{}",
        "\u00a0{}",
        '{"a":' * 100_000,
        "{'a': 1}",
        '{"a":NaN}',
    ],
    ids=lambda text: repr(text[:8]),
)
def test_text_that_is_not_a_json_object_reads_as_none(text):
    assert read_object(text) is None


@given(OBJECTS, TEXT, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_remove_field_removes_one_field_and_nothing_else(fields, field, indent, ascii_only):
    text = json.dumps(fields, indent=indent, ensure_ascii=ascii_only)
    fields = read_object(text)
    left = {name: value for name, value in fields.items() if name != field}
    assert read_object(remove_field(text, field)) == left
    for name in fields:
        left = {other: value for other, value in fields.items() if other != name}
        assert read_object(remove_field(text, name)) == left


@pytest.mark.parametrize(("text", "after"), VECTORS["what_stays_when_a_field_is_removed"])
def test_remove_field_preserves_every_other_character(text, after):
    assert remove_field(text, "b") == after


@pytest.mark.parametrize(
    ("field", "one", "other", "expected"), VECTORS["whether_versions_differ_elsewhere"]
)
def test_differ_elsewhere_compares_all_other_fields(field, one, other, expected):
    versions = [secret_version(number, text, None) for number, text in (("1", one), ("2", other))]
    assert differ_elsewhere(field, *versions) is expected


def field_of(document, field, *, binary):
    """Pick a field of a secret that is text or bytes, and return the value's bytes."""
    secret = secret_version(
        "1", None if binary else document, document.encode() if binary else None
    )
    return pick(Reference("aws", "db", field), secret, "aws:db").to_bytes().decode()


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.10", "1.10"),
        ("1e5", "1e5"),
        ("1E400", "1E400"),
        ("-0", "-0"),
        ("0.0", "0.0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.0000000000000000001", "1.0000000000000000001"),
        ("[1.10, 2.0,3e1]", "[1.10,2.0,3e1]"),
        ('{"b": [-0, "é"]}', '{"b":[-0,"é"]}'),
        ("true", "true"),
        ('"1.10"', "1.10"),
    ],
)
def test_a_field_keeps_the_text_of_its_numbers(written, read, binary):
    document = f'{{"x": 7.70, "a": {written}}}'
    assert field_of(document, "a", binary=binary) == read
    assert field_of(document, "*", binary=binary) == document


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("binary", [False, True])
def test_a_document_with_an_invalid_number_is_refused(number, binary):
    with pytest.raises(InvalidReferenceError, match=r"not a JSON object\n"):
        field_of(f'{{"a": {number}}}', "a", binary=binary)


@pytest.mark.parametrize(
    "raw", [b"\xff", b"plain", b"[1]", b'{"a": "\xff"}', b"\xff\xfe{\0}\0", b"{"]
)
@pytest.mark.parametrize("field", ["a", "*"])
def test_a_field_of_bytes_that_are_not_a_json_object_is_refused(raw, field):
    secret = secret_version("1", None, raw)
    with pytest.raises(InvalidReferenceError, match="is binary, and not a JSON object"):
        pick(Reference("aws", "db", field), secret, "aws:db")
    assert pick(Reference("aws", "db", None), secret, "aws:db").to_bytes() == raw


def test_a_write_to_json_in_bytes_stays_in_bytes():
    secret = secret_version("1", None, b'{ "a": 1.10, "b": "x" }')
    after = change(Reference("aws", "db", "b"), secret, Secret("ü"), "aws:db")
    assert after == {"SecretBinary": '{ "a": 1.10, "b": "ü" }'.encode()}
    values = {Reference("aws", "db", "a"): None, Reference("aws", "db", "c"): Secret("3")}
    assert change_all(values, secret, "aws:db") == {"SecretBinary": b'{ "b": "x", "c": "3" }'}
    whole = change(Reference("aws", "db", None), secret, Secret("new"), "aws:db")
    assert whole == {"SecretBinary": b"new"}


def test_a_field_beside_a_number_of_any_length_can_be_set():
    digits = "9" * 5000
    assert set_field(f'{{"n": {digits}, "b": 1}}', "b", "x") == f'{{"n": {digits}, "b": "x"}}'
