"""Generated values are random and have the requested form."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import ProfileError
from envkit.rotation.rotators.generate import ALPHABETS, MAX_LENGTH, form, generated
from support.vectors import vectors

VECTORS = vectors("unit/rotation/rotators/generate")

URL_SAFE = set(string.ascii_letters + string.digits + "-_")


def test_a_generated_value_is_url_safe_by_default():
    value = generated({}).reveal()
    assert len(value) == 32
    assert set(value) <= URL_SAFE


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("url-safe", URL_SAFE),
        ("alnum", set(string.ascii_letters + string.digits)),
        ("hex", set("0123456789abcdef")),
    ],
)
def test_each_character_of_an_alphabet_is_used(name, characters):
    value = generated({"alphabet": name, "length": MAX_LENGTH}).reveal()
    assert set(value) == characters, "1,024 characters leave none of 64 out"


@given(st.integers(16, 200), st.sampled_from(sorted(ALPHABETS)))
def test_a_generated_value_has_the_requested_length(length, name):
    assert len(generated({"length": length, "alphabet": name}).reveal()) == length


def test_a_generated_value_never_begins_with_a_dash():
    settings = {"characters": "-ab", "length": 65}
    values = [generated(settings).reveal() for _ in range(200)]
    assert {value[0] for value in values} == {"a", "b"}
    assert all("-" in value for value in values)


def test_no_two_generated_values_are_the_same():
    assert len({generated({"length": 16}).reveal() for _ in range(1000)}) == 1000


def test_repeated_characters_of_an_alphabet_count_once():
    assert form({"characters": "aabbccdd", "length": 40}) == (40, "abcd")


@pytest.mark.parametrize(("settings", "message", "hint"), VECTORS["what_is_refused"])
def test_invalid_generate_settings_are_refused(settings, message, hint):
    with pytest.raises(ProfileError) as caught:
        generated(settings)
    assert message in caught.value.message
    assert hint in caught.value.hint
