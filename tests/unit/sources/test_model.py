"""The field that a reference names, and the text of each value."""

import pytest

from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.sources.model import WHOLE, Absent, pick_field

ONE = {"password": "x"}
TWO = {"user": "app", "password": "x"}


def pick(fields, field=None):
    return pick_field(Reference("vault", "db", field), fields)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("5432", "5432"),
        (5432, "5432"),
        (1.5, "1.5"),
        (True, "true"),
        (["a", {"b": None}], '["a",{"b":null}]'),
        ({"\u00e9": 1}, '{"\u00e9":1}'),
    ],
)
def test_text_is_returned_unchanged_and_everything_else_as_json(value, text):
    assert pick({"a": value, "b": "x"}, "a") == text


def test_a_secret_with_one_field_needs_no_field_name():
    assert pick(ONE) == "x"


@pytest.mark.parametrize(("fields", "known"), [(TWO, "2: password, user"), ({}, "0: none")])
def test_a_secret_with_several_fields_needs_a_field_name(fields, known):
    with pytest.raises(InvalidReferenceError) as caught:
        pick(fields)
    assert caught.value.message == f"vault:db names no field, but the secret has {known}"
    assert caught.value.hint == "add '#FIELD', or '#*' for the whole secret as JSON"


def test_a_field_that_is_not_there_is_absent():
    assert pick(TWO, "pasword") == Absent(
        "no field 'pasword' (fields: password, user)", known=("user", "password")
    )


@pytest.mark.parametrize("field", ["token", None])
def test_a_field_that_is_null_is_absent_and_no_other_name_is_suggested(field):
    fields = {"token": None} if field is None else {"token": None, "tokens": "x"}
    assert pick(fields, field) == Absent("the field 'token' is null")


def test_the_whole_secret_is_compact_json():
    assert pick(TWO, WHOLE) == '{"user":"app","password":"x"}'
    assert pick({}, WHOLE) == "{}"
