"""Which fields of a secret contain the login, and which users are accepted."""

import pytest

from envkit.errors import RotationError
from envkit.rotation.rotators.login import Login, StoredLogin
from envkit.secret import Secret


def fields(**values):
    return {name: Secret(value) for name, value in values.items()}


def test_a_url_contains_the_whole_login():
    stored = StoredLogin("url", user="somebody else")
    assert stored.read(fields(url="x://u:p@h"))[:2] == Login("u", Secret("p"))[:2]
    assert stored.write(fields(url="x://u:p@h"), Login("n", Secret("w"))) == fields(url="x://n:w@h")


def test_the_user_may_be_in_a_separate_field():
    stored = StoredLogin("password", user_field="username")
    secret = fields(password="p", username="u", host="h")
    assert stored.read(secret) == Login("u", Secret("p"))
    assert stored.write(secret, Login("n", Secret("w"))) == fields(password="w", username="n")


def test_a_user_in_the_value_and_in_a_field_are_written_together():
    stored = StoredLogin("url", user_field="username")
    written = stored.write(fields(url="x://u:p@h"), Login("n", Secret("w")))
    assert written == fields(url="x://n:w@h", username="n")


@pytest.mark.parametrize(
    "secret",
    [
        fields(value="p", username="other"),
        fields(value="p", user="other"),
        fields(value="x://other:p@h"),
        fields(value='{"password": "p", "user": "other"}'),
        fields(value='{"password": "p"}', username="other"),
        fields(value="Uid=other;Pwd=p"),
    ],
)
def test_a_secret_of_another_user_than_in_the_profile_is_refused(secret):
    with pytest.raises(RotationError, match=r"names another") as caught:
        StoredLogin("value", must_be="app").read(secret)
    assert "other" not in caught.value.message.replace("another", "")


@pytest.mark.parametrize(
    "secret",
    [
        fields(value="p"),
        fields(value="p", username="app"),
        fields(value="x://app:p@h"),
        fields(value="x://:p@h"),
        fields(value='{"password": "p"}', user="app"),
    ],
)
def test_a_secret_of_the_user_in_the_profile_is_read(secret):
    stored = StoredLogin("value", must_be="app")
    assert stored.read(secret)[:2] == ("app", Secret("p"))
    before = secret["value"].reveal()
    written = stored.write(secret, Login("app", Secret("new")))["value"].reveal()
    assert written == (
        before.replace('"p"', '"new"').replace(":p@", ":new@") if len(before) > 1 else "new"
    )


def test_two_users_in_one_secret_are_refused():
    with pytest.raises(RotationError, match="two different users"):
        StoredLogin("url", user_field="username").read(fields(url="x://u:p@h", username="v"))


def test_a_password_without_a_user_is_refused():
    with pytest.raises(RotationError, match="the secret has a password but no user"):
        StoredLogin("value").read(fields(value="p"))


def test_a_user_field_does_not_say_whose_password_a_login_has():
    """A rotation reads that field only when it begins."""
    with pytest.raises(RotationError, match="has a password but no user"):
        StoredLogin("value").read(fields(value="p", username="app"))


def test_a_missing_field_is_named():
    stored = StoredLogin("password", user_field="username")
    for secret, missing in (({}, "password"), (fields(password="p"), "username")):
        with pytest.raises(RotationError, match=f"the secret has no field '{missing}'"):
            stored.read(secret)


@pytest.mark.parametrize("value", ["p", "cache:1,user=app,password=p"])
def test_a_generated_password_can_be_stored_in_the_form_of_the_old_one(value):
    stored = StoredLogin("value", user="app")
    generate = {"length": 20, "characters": "{,ABCDEFGHIJKLMNOPQR"}
    for _ in range(30):
        written = stored.renewed(fields(value=value), generate)
        assert stored.read(written).user == "app"
        assert stored.read(written).password != Secret("p")


def test_a_password_that_no_form_can_contain_is_given_up():
    stored = StoredLogin("value", user="app")
    with pytest.raises(RotationError, match="cannot represent this login"):
        stored.renewed(fields(value="cache:1,password=p"), {"length": 300, "characters": ",ab"})
