"""Values and filters in a template preserve any bytes, and errors show no value."""

from __future__ import annotations

import base64
import difflib  # noqa: F401 - imported by a mistyped filter; here so that it opens no file later
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import AbsentError, InvalidValueError, UnavailableError
from envkit.profile.placeholder import Filter, Name, Reference, parse
from envkit.profile.substitution import apply_filter, substitute
from support.refusals import raising
from support.vectors import vectors

VECTORS = vectors("unit/profile/substitution")


def test_a_placeholder_asks_for_its_value() -> None:
    values = {Name("A"): "1", Reference("vault", "db", "p"): "2"}
    template = parse("{{ A }}-{{ vault:db#p }}-{{ A }}")
    assert substitute(template, lambda p: values[p.operand]) == "1-2-1"


def test_a_fallback_applies_only_to_a_missing_value() -> None:
    template = parse('[{{ A ?? "fallback" | base64encode }}]')
    assert substitute(template, lambda _: None) == "[ZmFsbGJhY2s=]"
    assert substitute(template, lambda _: "") == "[]"
    with pytest.raises(UnavailableError):
        substitute(template, raising(UnavailableError("down")))


def test_a_missing_value_is_named() -> None:
    with pytest.raises(AbsentError, match=r"^vault:db#password is missing$"):
        substitute(parse("x{{ vault:db#password | trim }}"), lambda _: None)


def test_quoted_text_asks_for_no_value() -> None:
    never = raising(AssertionError("a quoted text has no other value"))
    assert substitute(parse('{{ "a b" | urlencode }}'), never) == "a%20b"


def test_filters_are_applied_in_order() -> None:
    template = parse("{{ A | base64decode | json:/k | trim | urlencode }}")
    value = base64.b64encode(b'{"k": " a/b "}').decode()
    assert substitute(template, lambda _: value) == "a%2Fb"


@given(st.binary())
def test_urlencode_and_base64_accept_any_bytes(raw: bytes) -> None:
    value = raw.decode("utf-8", "surrogateescape")
    encoded = apply_filter(Filter("urlencode"), value)
    assert encoded.isascii()
    assert not set(encoded) & set(":/?#[]@!$&'()*+,;= ")
    assert urllib.parse.unquote_to_bytes(encoded) == raw
    coded = apply_filter(Filter("base64encode"), value)
    assert base64.b64decode(coded, validate=True) == raw
    assert apply_filter(Filter("base64decode"), coded) == value


def test_trim_removes_white_space_from_both_ends() -> None:
    assert apply_filter(Filter("trim"), "\t\r\n a b \n") == "a b"


DOCUMENT = json.dumps(
    {
        "text": "t",
        "empty": "",
        "number": 5432,
        "true": True,
        "null": None,
        "list": ["zero", {"deep": "d"}],
        "a/b": "slash",
        "m~n": "tilde",
        "": "nameless",
        "é": "accent",
        "01": "key",
    }
)


@pytest.mark.parametrize(("pointer", "value"), VECTORS["a_json_pointer"])
def test_a_json_pointer_selects_a_value(pointer: str, value: str) -> None:
    assert apply_filter(Filter("json", pointer), DOCUMENT) == value


@pytest.mark.parametrize(
    "pointer",
    ["/none", "/null", "/list/2", "/list/-1", "/list/-", "/list/00", "/list/²", "/text/x",
     "/list/" + "9" * 5000],
    ids=lambda pointer: pointer[:10],
)  # fmt: skip
def test_a_json_pointer_that_selects_nothing_is_an_error(pointer: str) -> None:
    with pytest.raises(AbsentError, match=r"in the JSON$"):
        apply_filter(Filter("json", pointer), DOCUMENT)


@pytest.mark.parametrize(
    ("step", "value"),
    [
        (Filter("json", "/a"), "c4nary"),
        (Filter("json", "/a"), '{"a": c4nary}'),
        (Filter("json", "/a"), "[" * 100_000),
        (Filter("base64decode"), "c4nary!"),
        (Filter("base64decode"), "c4naryé"),
        (Filter("base64decode"), "c4nar"),
        (Filter("urlencode"), "c4nary\ud800"),
        (Filter("base64encode"), "c4nary\ud800"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_a_value_that_a_filter_cannot_process_is_an_error(step: Filter, value: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        apply_filter(step, value)
    assert step.name in caught.value.message
    assert "c4nar" not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__}"


@pytest.mark.parametrize(
    "number", ["1.10", "1e5", "-0", "1E400", "0.0", "9" * 5000, "2.50e-3", "[1.10,-0]"]
)
def test_a_number_in_json_keeps_its_text(number: str) -> None:
    assert apply_filter(Filter("json", "/a/0"), f'{{"a": [{number}]}}') == number


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_allow_is_refused(number: str) -> None:
    with pytest.raises(InvalidValueError, match="not JSON"):
        apply_filter(Filter("json", "/a"), f'{{"a": {number}}}')
