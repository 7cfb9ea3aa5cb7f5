"""Credentials are recognized in the notations of many programs."""

import pytest

from envkit.detection.logins import has_login

LOGINS = [
    "host=db user=app password=hunter2",
    "app:hunter2@tcp(db:3306)/app",
    "app:hunter2@db.internal/app",
    "proxy=app:hunter2@proxy:8080",
    "jdbc:oracle:thin:scott/tiger@db:1521/x",
    "jdbc:sqlserver://db:1433;databaseName=x;user=u;password=p",
    "db:6379,password=hunter2,ssl=True",
    "redis://:hunter2@cache",
    "https://blob.example.net/c?sv=2020&sig=abc",
    "https://example.org/#access_token=abc",
    "https://example.org/?key=abc",
    "//registry.example.org/:_authToken=abc",
    "Authorization: Bearer abc",
    "Basic YTpi",
]
OTHERS = [
    "",
    "production",
    "https://example.com/a?page=2",
    "https://0f8a@o1.ingest.example.com/42",
    "redis://localhost:6379/0",
    "redis://app@localhost",
    "Shop <hello@example.com>",
    "hello@example.com",
    "localhost:3000",
    "kafka-1:9092,kafka-2:9092",
    "a keyboard, a bearer",
]


@pytest.mark.parametrize("text", LOGINS)
def test_a_text_with_a_credential_has_a_login(text):
    assert has_login(text)


@pytest.mark.parametrize("text", OTHERS)
def test_another_text_has_no_login(text):
    assert not has_login(text)
