"""The random rotator: a value without a server, and its previous value."""

import pytest

from envkit.errors import ProfileError, RotationError
from envkit.rotation.rotators.random_value import RandomRotator
from envkit.secret import Secret
from envkit.testing.rotator_harness import built
from support.rotators import RandomHarness


def test_a_random_rotation_publishes_the_new_and_the_previous_value():
    harness = RandomHarness()
    created = built(harness).create({"TOKEN": Secret("old")}, {})
    new = created.new["TOKEN"]
    assert created.new == {"TOKEN": new, "TOKEN_PREVIOUS": Secret("old")}
    assert created.final == {"TOKEN": new, "TOKEN_PREVIOUS": new}, "an empty key is no safe one"
    assert created.announced is None
    assert len(new.reveal()) == 40


def test_a_random_rotation_drops_the_value_before_the_previous():
    harness = RandomHarness()
    current = {"TOKEN": Secret("new"), "TOKEN_PREVIOUS": Secret("old")}
    assert built(harness).create(current, {}).new["TOKEN_PREVIOUS"] == Secret("new")


@pytest.mark.parametrize(
    ("field", "target", "fields"),
    [
        ("KEY", {}, ("KEY", "KEY_PREVIOUS")),
        ("hookToken", {}, ("hookToken", "hookToken_previous")),
        ("key", {"previous_field": "old"}, ("key", "old")),
        ("key", {"previous_field": ""}, ("key",)),
    ],
)
def test_fields_names_the_field_of_the_previous_value(field, target, fields):
    assert RandomRotator.fields(field, target) == fields


def test_an_empty_previous_field_stores_no_previous_value():
    harness = RandomHarness()
    harness.target = {"previous_field": ""}
    created = built(harness).create({"TOKEN": Secret("old")}, {})
    assert set(created.new) == {"TOKEN"}
    assert created.final is None


def test_the_previous_field_cannot_be_the_field_itself():
    with pytest.raises(ProfileError, match="is the field of the value itself"):
        RandomRotator.fields("key", {"previous_field": "key"})


def test_a_value_that_is_more_than_a_secret_is_refused():
    with pytest.raises(RotationError, match="the secret is a URL: the rotation would replace"):
        built(RandomHarness()).prepare({"TOKEN": Secret("redis://app:x@cache")})


def test_a_random_rotation_needs_a_current_value():
    for method in ("prepare", "create"):
        with pytest.raises(RotationError, match="the secret has no field 'TOKEN'"):
            getattr(built(RandomHarness()), method)(*[{}] * (1 if method == "prepare" else 2))
    assert built(RandomHarness()).probe({}, {}) is False
