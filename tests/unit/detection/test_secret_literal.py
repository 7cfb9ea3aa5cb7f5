"""Values that look like a secret, and values that do not."""

import string
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from envkit.detection.secret_literal import PLACEHOLDER, random_looking, suspect
from envkit.detection.token_shapes import SHAPES
from support.literals import HARMLESS, RANDOM, SECRETS

# all that is ever said of a text
WHATS = {
    *SHAPES,
    "a URL with a password",
    "a text with a secret in it",
    "a secret, by its name",
    "a text that looks random",
}
_ID = "{0[0]}={0[1]:.40}".format


@pytest.mark.parametrize("case", SECRETS, ids=_ID)
def test_a_secret_is_recognised_for_what_it_is(case):
    name, text, what = case
    assert suspect(name, text) == (what, True)


@pytest.mark.parametrize("case", RANDOM, ids=_ID)
def test_a_value_that_only_looks_random_is_not_certain(case):
    found = suspect(*case)
    assert found is not None
    assert not found.certain


@pytest.mark.parametrize("case", HARMLESS, ids=_ID)
def test_a_public_or_made_up_value_is_not_suspected(case):
    assert suspect(*case) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"postgresql://app:{PLACEHOLDER}@db.acme-shop.io/app", None),
        (f"{PLACEHOLDER}://app:{PLACEHOLDER}@{PLACEHOLDER}/app", None),
        (PLACEHOLDER, None),
        (f"Bearer {PLACEHOLDER}", None),
        (f"postgresql://app:hunter2@{PLACEHOLDER}/app", ("a URL with a password", True)),
        (f"postgresql://{PLACEHOLDER}:hunter2@db.acme.io/app", ("a URL with a password", True)),
    ],
)
@pytest.mark.parametrize("name", ["API_TOKEN", "DATABASE_URL"])
def test_a_password_beside_a_placeholder_is_suspected_and_a_placeholder_is_not(name, text, found):
    assert suspect(name, text) == found


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz-_./ ", max_size=80))
def test_words_are_never_taken_for_random(text):
    assert not random_looking(text)


def test_a_random_text_is_recognized_as_random():
    # but for the few that happen to have no digit, and could be words
    draw = Random(7)
    letters = string.ascii_letters + string.digits
    draws = ["".join(draw.choice(letters) for _ in range(40)) for _ in range(3000)]
    missed = [text for text in draws if not random_looking(text)]
    assert not [text for text in missed if any(map(str.isdigit, text))]
    assert len(missed) < len(draws) / 200


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_can_be_examined_and_none_of_it_is_shown(name, text):
    found = suspect(name, text)
    assert found is None or found.what in WHATS


@pytest.mark.parametrize(
    "text",
    [
        *("null", "none", "nil", "undefined", "NULL", "None", "Undefined", "(null)", "'none'"),
        *("n/a", "NA", "nan", "unset", "not set", "not-set", "empty", "blank", "missing", "void"),
        *("disabled", "unused", "true", "false", "<none>", "[null]", "-", "***"),
    ],
)
@pytest.mark.parametrize("name", ["DB_PASSWORD", "MAIL_PASSWORD", "API_TOKEN", "JWT_SECRET"])
def test_a_value_that_means_none_is_not_a_secret(name, text):
    assert suspect(name, text) is None


@pytest.mark.parametrize(
    "text", ["nullpointer7", "none-of-y0urs", "undefined9behaviour", "empty7Set!"]
)
def test_a_password_that_begins_with_a_word_for_none_is_a_secret(text):
    assert suspect("DB_PASSWORD", text) is not None
