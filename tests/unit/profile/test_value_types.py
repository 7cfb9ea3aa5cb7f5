"""Types of values: which texts fit, which do not; no message shows the value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.profile.declaration import TYPES, Declaration
from envkit.profile.location import Location
from envkit.profile.value_types import duration_seconds, mismatch, parse
from support.vectors import vectors

VECTORS = vectors("unit/profile/value_types")


def declared(**raw):
    place = Location("prod.toml")
    return Declaration("X", raw, dict.fromkeys(raw, place), place)


# and values too long to write here
LONG_FITS = {"int": ["9" * 100], "float": ["9" * 100]}
LONG_MISFITS = {"int": ["9" * 5000], "port": ["9" * 5000], "json": ["[" * 100_000]}


def cases(*tables):
    return [(kind, value) for table in tables for kind, found in table.items() for value in found]


def short(value):
    return repr(value)[:20] if isinstance(value, str) else None


def test_every_type_has_test_vectors():
    assert set(VECTORS["fits"]) == set(TYPES)
    assert set(VECTORS["misfits"]) == set(TYPES) - {"string"}


@pytest.mark.parametrize(("kind", "value"), cases(VECTORS["fits"], LONG_FITS), ids=short)
def test_a_value_that_fits_its_type_is_accepted(kind, value):
    choices = {"choices": ["a", "b"]} if kind == "enum" else {}
    assert mismatch(declared(type=kind, **choices), value) is None


@pytest.mark.parametrize(("kind", "value"), cases(VECTORS["misfits"], LONG_MISFITS), ids=short)
def test_a_value_that_does_not_fit_its_type_is_refused(kind, value):
    choices = {"choices": ["a", "b"]} if kind == "enum" else {}
    said = mismatch(declared(type=kind, **choices), value)
    assert said is not None
    assert said.startswith("is not ")


@pytest.mark.parametrize(
    ("raw", "value", "said"),
    [
        *VECTORS["bounds_choices_and_patterns"],
        ({"type": "int", "max": 5}, "9" * 400, "is above the maximum of 5"),
    ],
)
def test_bounds_choices_and_patterns_are_checked(raw, value, said):
    assert mismatch(declared(**raw), value) == said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("250ms", 0.25), ("1.5h", 5400), ("1h30m", 5400), ("2w3d", 1_468_800)],
)
def test_a_duration_is_parsed_to_seconds(text, seconds):
    assert duration_seconds(text) == seconds


@given(st.sampled_from([kind for kind in TYPES if kind != "enum"]), st.text(max_size=30))
def test_any_text_gets_an_answer_that_does_not_show_it(kind, value):
    shown = value + "canary-2f"
    said = mismatch(declared(type=kind, pattern="^canary$", min=10**6), shown)
    assert said is not None
    assert "canary-2f" not in said


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " x ", " x "),
        ("enum", "a", "a"),
        ("int", "-08", -8),
        ("float", "1e3", 1000.0),
        ("bool", "oN", True),
        ("bool", "0", False),
        ("url", "https://a/b", "https://a/b"),
        ("port", "8080", 8080),
        ("email", "a@b.example", "a@b.example"),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("duration", "1m30s", 90.0),
        ("base64", "_-8=", b"\xff\xef"),
        ("path", "/a", "/a"),
    ],
)
def test_a_text_is_parsed_to_a_value_of_its_type(kind, text, value):
    found = parse(kind, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("kind", "value"), cases(VECTORS["misfits"], LONG_MISFITS), ids=short)
def test_an_invalid_text_is_refused_without_a_cause_that_quotes_it(kind, value):
    if kind == "enum":
        return
    with pytest.raises(ValueError, match=r"^is not an? |^is not (JSON|base64)") as caught:
        parse(kind, value)
    assert caught.value.__context__ is None
