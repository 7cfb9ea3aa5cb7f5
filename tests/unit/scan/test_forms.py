"""A value is found in whatever form a file contains it: the forms are what encoders write."""

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.dotenv.editor import quote as dotenv_quote
from envkit.scan.forms import Form, forms_of

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=40)
ENCODERS = {
    "as it is": (Form.PLAIN, lambda text: text),
    "JSON": (Form.ESCAPED, json.dumps),
    "JSON in UTF-8": (Form.ESCAPED, lambda text: json.dumps(text, ensure_ascii=False)),
    "a .env file": (Form.ESCAPED, lambda text: dotenv_quote(text, name="N")),
    "a shell": (Form.ESCAPED, lambda text: shlex.quote(text).replace("'\"'\"'", "'\\''")),
    "XML": (Form.ESCAPED, html.escape),
    "SQL": (Form.ESCAPED, lambda text: text.replace("'", "''")),
    "a query": (Form.URL, quote_plus),
    "a path": (Form.URL, quote),
    "a URL": (Form.URL, lambda text: quote(text, safe="")),
}


@pytest.mark.parametrize(("form", "encode"), ENCODERS.values(), ids=ENCODERS)
@given(text=VALUES)
def test_a_value_in_an_encoding_contains_one_of_its_forms(form, encode, text):
    encoded = encode(text).encode()
    found = [one for raw, one in forms_of(text).items() if raw in encoded]
    assert found
    assert {Form.PLAIN, form} >= {found[0]}


@given(VALUES, st.binary(max_size=8), st.binary(max_size=8), st.booleans())
def test_a_value_within_base64_is_found_at_every_alignment(text, before, after, for_urls):
    encode = base64.urlsafe_b64encode if for_urls else base64.b64encode
    encoded = encode(before + text.encode() + after)
    assert any(raw in encoded for raw, form in forms_of(text).items() if form is Form.BASE64)


@pytest.mark.parametrize("written", ["%2fp%c3%a9", "%2Fp%C3%A9"])
def test_percent_signs_may_precede_small_or_capital_digits(written):
    assert written.encode() in forms_of("/p\N{LATIN SMALL LETTER E WITH ACUTE}")


def test_a_value_of_several_lines_is_found_with_either_line_end():
    forms = forms_of("line one\nline two")
    assert {b"line one\nline two", b"line one\r\nline two"} <= {*forms}


def test_bytes_that_are_not_text_are_searched_for_as_bytes():
    assert b"\xff\xfe value" in forms_of(b"\xff\xfe value".decode("utf-8", "surrogateescape"))


def test_half_of_a_character_is_no_error():
    assert forms_of("value \ud800")[b"value \\ud800"] is Form.ESCAPED


def test_a_plain_word_has_four_forms():
    assert len(forms_of("aB3dE5fG")) == 4, "itself, and one for each alignment of base64"
