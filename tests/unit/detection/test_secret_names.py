"""What the name of a variable says of its value."""

import pytest

from envkit.detection.secret_names import (
    normal,
    says_browser,
    says_password,
    says_public,
    says_secret,
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clientSecret", "CLIENT_SECRET"),
        ("CLIENT_SECRET_2_PROD", "CLIENT_SECRET"),
        ("CLIENT_SECRET", "CLIENT_SECRET"),
        ("client-secret", "CLIENT_SECRET"),
        ("_client.secret_", "CLIENT_SECRET"),
        ("", ""),
    ],
)
def test_one_name_in_any_spelling_is_normal_in_one(name, words):
    assert normal(name) == words


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DB_PASSWORD", {says_password}),
        ("API_TOKEN", {says_secret}),
        ("JWT_SECRET", {says_secret}),
        ("STRIPE_PUBLISHABLE_KEY", {says_public, says_browser}),
        ("DATABASE_HOST", {says_public}),
        ("LOG_LEVEL", set()),
        ("PASSWORD_LENGTH", set()),
    ],
)
def test_a_name_says_what_the_value_is(name, says):
    every = (says_password, says_secret, says_public, says_browser)
    assert {one for one in every if one(normal(name))} == says


def test_what_is_built_into_a_page_is_no_secret():
    assert says_secret(normal("API_TOKEN"))
    assert not says_secret(normal("VITE_API_TOKEN"))
    assert says_browser(normal("VITE_API_TOKEN"))
