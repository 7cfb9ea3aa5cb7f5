"""What is more than a secret, and must not be replaced by a random value."""

import pytest

from envkit.errors import RotationError
from envkit.rotation.rotators.generate import generated
from envkit.rotation.rotators.opaque import form_of, require_opaque
from envkit.secret import Secret


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("postgresql://app:hunter2@db/app", "a URL"),
        ("jdbc:postgresql://db/app?user=app&password=hunter2", "a URL"),
        (" https://hooks.example/T0/hunter2\n", "a URL"),
        ("host=db user=app password=hunter2", "a connection string"),
        ("Server=db;User Id=app;Password=hunter2;", "a connection string"),
        ("Server=tcp:db,1433;Initial Catalog=app;Pwd = hunter2", "a connection string"),
        ("cache.internal:6380,password=hunter2,ssl=True", "a connection string"),
        ("AccountName=app;AccountKey=hunter2", "a connection string"),
        ("host=db user=app sslcert=hunter2", "a connection string"),
        ('{"username": "app", "password": "hunter2"}', "a JSON object"),
        ('["hunter2", "hunter1"]', "a JSON list"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2", "a private key or a certificate"),
    ],
)
def test_a_value_with_a_form_is_refused_without_being_shown(value, form):
    with pytest.raises(RotationError) as caught:
        require_opaque(Secret(value))
    assert caught.value.message == f"the secret is {form}, and would be replaced as a whole"
    assert "'postgres', 'redis' or 'command'" in caught.value.hint
    assert "hunter" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "hunter2",
        "a,b",
        "a=b",
        "YWJj==",
        "{",
        "[1",
        "12345",
        "user:hunter2",
        "passwords",
        "a;b=c",
    ],
)
def test_a_value_without_a_form_is_not_refused(value):
    require_opaque(Secret(value))


@pytest.mark.parametrize("settings", [{}, {"characters": '{}[]":,=;abc012', "length": 99}])
def test_what_envkit_makes_has_no_form(settings):
    assert {form_of(generated(settings).reveal()) for _ in range(200)} == {""}
