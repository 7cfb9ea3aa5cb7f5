"""Where a login is in a secret, and that nothing else of it changes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envkit.errors import RotationError
from envkit.rotation.rotators.login import Login, StoredLogin, is_url, login_of, with_login
from envkit.secret import Secret

URLS = [
    "postgresql://{}@db:5432/app?sslmode=require&options=-c%20x%3Dy",
    "postgresql+asyncpg://{}@db/app",
    "postgres://{}@h1:5432,h2:5433/app?target_session_attrs=read-write",
    "redis://{}@cache:6379/0#fragment@x",
    "rediss://{}@[::1]:6379",
    "mongodb+srv://{}@cluster.example/?retryWrites=true",
    "amqp://{}@broker//vhost",
    "x://{}@",
]


@pytest.mark.parametrize("url", URLS)
@given(
    user=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    password=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_what_goes_in_comes_out_and_the_rest_stays(url, user, password):
    new = with_login(url.format("old:pass"), Login(user, Secret(password)))
    assert login_of(new) == Login(user, Secret(password))
    before, after = url.split("{}")
    assert new.reveal().startswith(before)
    assert new.reveal().endswith(after)
    assert with_login(new, Login("old", Secret("pass"))).reveal() == url.format("old:pass")


@pytest.mark.parametrize(
    ("url", "user", "password"),
    [
        ("redis://:p%40ss@cache", "", "p@ss"),
        ("postgresql://app:p:a:ss@db/x", "app", "p:a:ss"),
        ("postgresql://app:p@ss@db/x", "app", "p@ss"),  # as urllib and libpq's users hope
        ("postgresql://a%2Fb:%2B+@db/x", "a/b", "++"),
        ("x://u:p@h/path?to=me@example.com", "u", "p"),
    ],
)
def test_what_a_url_has(url, user, password):
    assert login_of(url) == Login(user, Secret(password))


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache:6379",
        "redis://user@cache",
        "postgresql:///app?user=a&password=b",
        "https://example.com/?u=a:b@c",
        "jdbc:postgresql://u:p@db/x",
    ],
)
def test_a_url_without_a_login(url):
    for call in (lambda: login_of(url), lambda: with_login(url, Login("a", Secret("b")))):
        with pytest.raises(RotationError) as caught:
            call()
        assert url not in f"{caught.value.message} {caught.value.hint}"


@given(st.text())
def test_a_password_is_no_url_unless_it_looks_like_one(text):
    assume("://" not in text)
    assert not is_url(Secret(text))


class TestStored:
    def test_a_url_says_it_all(self):
        stored = StoredLogin("url", user="somebody else")
        assert stored.read({"url": Secret("x://u:p@h")}) == Login("u", Secret("p"))
        written = stored.write({"url": Secret("x://u:p@h")}, Login("n", Secret("w")))
        assert written == {"url": Secret("x://n:w@h")}

    def test_a_field_of_its_own(self):
        stored = StoredLogin("password", user_field="username")
        fields = {"password": Secret("p"), "username": Secret("u"), "host": Secret("h")}
        assert stored.read(fields) == Login("u", Secret("p"))
        written = stored.write(fields, Login("n", Secret("w")))
        assert written == {"password": Secret("w"), "username": Secret("n")}

    def test_a_url_and_a_field(self):
        stored = StoredLogin("url", user_field="username")
        written = stored.write({"url": Secret("x://u:p@h")}, Login("n", Secret("w")))
        assert written == {"url": Secret("x://n:w@h"), "username": Secret("n")}

    def test_what_is_missing_is_named(self):
        stored = StoredLogin("password", user_field="username")
        for fields, missing in (({}, "password"), ({"password": Secret("p")}, "username")):
            with pytest.raises(RotationError, match=f"the secret has no field '{missing}'"):
                stored.read(fields)
