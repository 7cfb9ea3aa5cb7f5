"""Values with a structure must not be replaced by a random value."""

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
        ("app:hunter2@tcp(db:3306)/app", "a connection string"),
        ("db:5432:app:app:hunter2", "a connection string"),
        ("app/hunter2@db:1521/app", "a connection string"),
        ("//app:hunter2@db/app", "a connection string"),
        ("(DESCRIPTION=(ADDRESS=(HOST=hunter2)))", "a connection string"),
        ("Bearer hunter2", "a header"),
        ("?sv=2020-01-01&sig=hunter2", "a query"),
        ("eyJhbGciOiJub25lIn0.eyJodW50ZXIyIjoxfQ.hunter2", "a signed token (JWT)"),
        ("app:$2b$12$hunter2", "a hash of a password"),
        ("{SSHA}hunter2", "a hash of a password"),
        ("data:text/plain,hunter2", "a URL"),
        ("ssh-ed25519 AAAAhunter2 app@db", "a private key or a certificate"),
        ("AGE-SECRET-KEY-1HUNTER2", "a private key or a certificate"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2", "a private key or a certificate"),
    ],
)
def test_a_value_with_a_form_is_refused_without_being_shown(value, form):
    with pytest.raises(RotationError) as caught:
        require_opaque(Secret(value))
    assert caught.value.message == f"the secret is {form}: the rotation would replace all of it"
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
def test_a_generated_value_has_no_form(settings):
    assert {form_of(generated(settings).reveal()) for _ in range(200)} == {""}
