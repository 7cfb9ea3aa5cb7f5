"""The differing parts of two values: URLs, JSON, connection strings, lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.detection.value_parts import (
    MAX_PARTS,
    credentials_of,
    differing_parts,
    is_given_name,
    kind_of,
)
from support.vectors import vectors

VECTORS = vectors("unit/detection/value_parts")


def differing(*values):
    return {part.name: part.texts for part in differing_parts(values)}


def test_urls_differ_by_part():
    assert differing(
        "postgresql://app:one@db.staging:5432/app?sslmode=require",
        "postgresql://app:two@db.prod:5432/app?sslmode=disable",
    ) == {
        "password": ("one", "two"),
        "host": ("db.staging", "db.prod"),
        "query sslmode": ("require", "disable"),
    }


@pytest.mark.parametrize(("value", "parts"), VECTORS["the_parts_of_a_url"])
def test_a_url_has_named_parts(value, parts):
    other = "x://?q=1" if "query" in parts else "x://"
    differs = differing_parts([value, other])
    assert {part.name: part.texts[0] for part in differs if part.texts[0]} == parts


def test_a_part_that_one_url_lacks_is_none_there():
    assert differing("redis://h", "redis://h:6379") == {"port": (None, "6379")}


def test_json_differs_by_pointer():
    one = '{"a": {"b": 1, "c/d": true}, "list": [1, 2], "same": null}'
    two = '{"a": {"b": "1", "c/d": true}, "list": [1, 2, {}], "same": null}'
    assert differing(one, two) == {"/a/b": ("1", '"1"'), "/list/2": (None, "{}")}


def test_json_too_large_to_compare_by_path_is_compared_as_text():
    large = json.dumps({f"key{number}": number for number in range(MAX_PARTS + 1)})
    assert differing_parts([large, "{}"]) == []


def test_json_too_deep_is_compared_as_text():
    deep = "[" * 100_000 + "]" * 100_000
    assert differing_parts([deep, "[]"]) == []
    assert kind_of(deep) == "text"


def test_connection_strings_differ_by_setting():
    found = differing("Server=a;User Id=app;Password=x;", "Server=b;User Id=app;Password=y")
    assert found == {"Server": ("a", "b"), "Password": ("x", "y")}


def test_a_password_with_semicolons_is_not_a_connection_string():
    assert differing_parts(["aB=3;xY=9", "aB=4;xY=9"]) == []


def test_lists_differ_by_item():
    assert differing("a, b,c", "a,c,d") == {"b": ("b", None), "d": (None, "d")}
    b, c = "https://b", "https://c"
    assert differing(f"https://a,{b}", f"https://a,{c}") == {b: (b, None), c: (None, c)}


def test_values_of_different_structure_have_no_parts():
    assert differing_parts(["redis://h", '{"a": 1}']) == []
    assert differing_parts(["redis://h", "plain"]) == []


@pytest.mark.parametrize(
    ("value", "credentials"),
    [
        ("postgresql://u:p%40ss%2Fword@h/d", {"password": "p@ss/word"}),
        ("https://h/hook?token=abc&page=2", {"query token": "abc"}),
        (
            '{"db": {"password": "x", "host": "h"}, "apiKey": "k"}',
            {"/apiKey": "k", "/db/password": "x"},
        ),
        ("Server=h;Pwd=x", {"Pwd": "x"}),
        ("postgresql://h/d", {}),
        ("plain", {}),
    ],
)
def test_credentials_inside_a_value_are_found(value, credentials):
    assert credentials_of(value) == credentials


@pytest.mark.parametrize(("value", "kind"), VECTORS["what_a_value_looks_like"])
def test_kind_of_names_the_structure_of_a_value(value, kind):
    assert kind_of(value) == kind


def test_names_given_by_people_are_distinguished_from_possible_secrets():
    given = ["/tls/ca", "/servers/12/host", "query sslmode", "oauth2", "User Id", ""]
    others = ["/users/8f3a2c1d", "query eyJhbGciOiJIUzI1NiJ9", "a" * 40, "/a\nb", "/ключ"]
    assert [name for name in given + others if is_given_name(name)] == given


TEXTS = st.one_of(st.text(), st.from_regex(r"[a-z]+://[ -~]*"), st.from_regex(r"[{\[][ -~]*"))


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_any_texts_can_be_compared_and_equal_texts_have_no_differing_part(values):
    differing_parts(values)
    kind_of(values[0])
    credentials_of(values[0])
    assert differing_parts([values[0], values[0]]) == []
