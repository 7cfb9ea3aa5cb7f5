"""What the name of a variable reveals about its value."""

import pytest

from envkit.detection.secret_names import (
    is_browser_name,
    is_password_name,
    is_public_name,
    is_secret_name,
    normal,
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
def test_every_spelling_of_a_name_has_one_normal_form(name, words):
    assert normal(name) == words


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DB_PASSWORD", {is_password_name}),
        ("API_TOKEN", {is_secret_name}),
        ("JWT_SECRET", {is_secret_name}),
        ("STRIPE_PUBLISHABLE_KEY", {is_public_name, is_browser_name}),
        ("DATABASE_HOST", {is_public_name}),
        ("LOG_LEVEL", set()),
        ("PASSWORD_LENGTH", set()),
    ],
)
def test_a_name_reveals_whether_its_value_is_a_secret(name, says):
    every = (is_password_name, is_secret_name, is_public_name, is_browser_name)
    assert {one for one in every if one(normal(name))} == says


def test_a_browser_variable_is_not_a_secret():
    assert is_secret_name(normal("API_TOKEN"))
    assert not is_secret_name(normal("VITE_API_TOKEN"))
    assert is_browser_name(normal("VITE_API_TOKEN"))
