"""JSON that preserves the text of numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit._internal.json_text import JsonNumber, dumps, loads, value_end

NUMBERS = [
    *("0", "-0", "1", "-1", "10", "1.0", "1.10", "0.10", "1.50", "-0.0", "-0.00"),
    *("1e5", "1E5", "1e+5", "1e-5", "1E400", "-1e400", "1e-400", "0e0", "2.50E-3"),
    *("12345678901234567890", "1234567890.12345678901234567890", "9" * 5000, "1e0005"),
    *("0.1", "0.30000000000000004", "100000000000000000000000.0", "3.141592653589793238"),
]


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
@pytest.mark.parametrize("form", ["{}", "[{},1]", '{{"a":{}}}', '[{{"a":[{}]}},"b"]'])
def test_a_number_keeps_its_text(text, form):
    document = form.format(text)
    assert dumps(loads(document)) == document
    assert dumps(loads(document.encode()), ascii_only=True) == document


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=8) | st.sampled_from(NUMBERS).map(JsonNumber),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=8,
    ),
    st.booleans(),
)
def test_any_document_reads_as_what_was_written(value, ascii_only):
    text = dumps(value, ascii_only=ascii_only)
    assert dumps(loads(text), ascii_only=ascii_only) == text
    assert text.isascii() or not ascii_only


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a":NaN}', "01", "1.", ".5", "+1", "0x1", ""],
)
def test_invalid_json_is_refused(text):
    with pytest.raises(ValueError, match=r"JSON|Expecting|Extra"):
        loads(text)


def test_numbers_that_python_spells_alike_are_python_numbers():
    assert loads("[1, 1.5, -2, 1e+16]") == [1, 1.5, -2, 1e16]
    assert loads("1.10") == JsonNumber("1.10") != loads("1.100")
    assert len({loads("1.10"), loads("1.10"), loads("-0")}) == 2


def test_a_value_ends_where_the_next_begins():
    assert value_end('{"a": 1.10 }', 6) == (JsonNumber("1.10"), 10)
    assert value_end("9" * 5000, 0) == (JsonNumber("9" * 5000), 5000)


def test_the_repr_of_a_number_does_not_show_it():
    assert "110" not in repr(loads("[1.100]"))
    assert json.loads(dumps({"a": loads("1.10")})) == {"a": 1.1}
