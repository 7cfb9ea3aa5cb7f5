"""An address is taken for one only where everything that reads it reads the same."""

from __future__ import annotations

import pytest

from envkit.trust.address import database_server, has_password, http_server, redacted


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://vault.example.com:8200", "https://vault.example.com:8200"),
        ("https://vault.example.com/", "https://vault.example.com"),
        ("HTTPS://Vault.Example.com:443/v1", "https://vault.example.com"),
        ("http://[::1]:8200", "http://[::1]:8200"),
    ],
)
def test_an_address_has_an_origin(text, origin):
    assert http_server(text).origin == origin


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.0.0.1:1", "http://127.9.9.9", "http://localhost:8200/", "http://[::1]"),
        *("https://LOCALHOST", "http://127.0.0.1/a/b?c#d"),
    ],
)
def test_an_address_of_this_machine_is_loopback(text):
    assert http_server(text).is_loopback


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.0.0.1@example.com", "http://localhost:8200@example.com:80"),
        *("http://127.0.0.1\\@example.com", "http://localhost\\.example.com", "http://localhost."),
        *("http://localhost#@example.com", "http://localhost?@example.com", "http://127.1"),
        *("http://localhost.example.com", "http://127.0.0.1.nip.io", "http://2130706433"),
        *("http://0.0.0.0", "http://[::]", "http://[::ffff:10.0.0.1]", "http://0x7f000001"),
        *("http://127.0.0.1 .example.com", " http://127.0.0.1", "http://127.0.0.1\n", "http://"),
        *("http://127.0.0.1%2eexample.com", "http://\u2139localhost", "http:/localhost"),
        *("ftp://localhost", "//localhost", "localhost", "", "http://localhost:port"),
    ],
)
def test_no_other_address_is_loopback(text):
    server = http_server(text)
    assert server is None or not server.is_loopback


@pytest.mark.parametrize(
    "text",
    [
        *("postgresql://app:secret@127.0.0.1:5432/db", "postgres://localhost/db?sslmode=disable"),
        *("redis://a:b@localhost:6379/0", "rediss://127.0.0.1", "valkey://[::1]:1/0?protocol=3"),
        *("postgresql:///db?host=/var/run/postgresql", "unix:///run/redis.sock"),
        *("host=127.0.0.1 dbname=app", "host=/var/run/postgresql user=a"),
    ],
)
def test_a_database_of_this_machine_is_loopback(text):
    assert database_server(text).is_loopback


@pytest.mark.parametrize(
    "text",
    [
        *("postgresql://db.example.com/x", "postgresql://127.0.0.1:5432@db.example.com/x"),
        *(
            "postgresql://127.0.0.1/x?host=db.example.com",
            "postgresql://127.0.0.1/x?hostaddr=1.1.1.1",
        ),
        *("postgresql://127.0.0.1,db.example.com/x", "postgresql://127.0.0.1/x?service=evil"),
        *("redis://localhost@evil@db.example.com", "redis://localhost?ssl_ca_certs=/etc/passwd"),
        *("host=127.0.0.1 host=db.example.com", "host=127.0.0.1,db.example.com dbname=x"),
        *("host=127.0.0.1 hostaddr=1.1.1.1", "host='127.0.0.1' dbname=x", "service=evil"),
        *("postgresql:///x?host=/tmp,db.example.com", "mysql://localhost", "host = db.example.com"),
    ],
)
def test_no_other_database_is_loopback(text):
    server = database_server(text)
    assert server is None or not server.is_loopback


def test_a_database_without_a_host_is_taken_from_the_environment_of_the_user():
    assert database_server("postgresql:///app").host == ""
    assert database_server("dbname=app").host == ""


def test_a_password_written_in_an_address_is_not_shown():
    assert redacted("postgresql://app:hunter2@db/x") == "postgresql://app:***@db/x"
    assert redacted("host=db password=hunter2 user=a") == "host=db password=*** user=a"
    placeholder = "postgresql://app:{{ vault:db#password }}@db/x"
    assert redacted(placeholder) == placeholder


@pytest.mark.parametrize(
    "text",
    [
        # to one reader or another, what looks like a password is a part of the address
        "postgresql://evil.example:5432/x?options=a@db.example.com",
        "postgresql://admin:1/x?host=evil.example&options=@db1,db2/app",
        "postgresql://db/x?password=a&host=evil.example",
        "redis://evil.example:1?x=@cache",
        "redis://evil.example:1#@cache",
        "https://evil.example:443/\\@vault.example.com",
        "host=db password='x'host=evil.example",
        "host=db application_name=password=x",
    ],
)
def test_nothing_is_redacted_that_may_be_a_part_of_an_address(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("dsn", "says_it"),
    [
        ("postgresql://app:x@db/y", True),
        ("host=db password=x", True),
        ("postgresql://app@db/y", False),
        ("postgresql://evil.example:5432/x?options=a@b", False),
        ("postgresql://db/x?application_name=password=x", False),
        ("postgresql://admin:@db/x", False),
        ("host=db application_name=password=x", False),
        ("host=db", False),
    ],
)
def test_a_dsn_without_a_certain_password_uses_that_of_the_environment(dsn, says_it):
    assert has_password(dsn) is says_it


@pytest.mark.parametrize("text", ["http\u017f://127.0.0.1", "https://ban\u212a.example.com"])
def test_an_address_with_an_unusual_letter_is_refused(text):
    assert http_server(text) is None
