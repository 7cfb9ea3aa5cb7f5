"""What redis-py is given for a login of a live environment."""

import pytest
import redis

from envkit.errors import InvalidValueError
from envkit.integrations.redis import is_refusal, options
from support.living import of_files

PASSWORD = "p@ss/w%20rd"
ENCODED = "p%40ss%2Fw%2520rd"
LIVE = ("credential_provider", "redis_connect_func")


@pytest.mark.parametrize(
    ("url", "login", "settings"),
    [
        ("redis://app:P@cache:6380/2", ("app", PASSWORD), {"host": "cache", "port": 6380, "db": 2}),
        ("redis://:P@cache", (PASSWORD,), {"host": "cache"}),
        ("redis://cache", (), {"host": "cache"}),
        ("redis://app@cache", ("app", ""), {"host": "cache"}),
        ("redis://app:P@[::1]:1", ("app", PASSWORD), {"host": "::1", "port": 1}),
        (
            "rediss://app:P@cache?ssl_ca_certs=/ca.pem&protocol=3",
            ("app", PASSWORD),
            {"host": "cache", "ssl": True, "ssl_ca_certs": "/ca.pem", "protocol": 3},
        ),
        ("unix://app:P@/run/r.sock?db=2", ("app", PASSWORD), {"unix_socket_path": "/run/r.sock"}),
    ],
)
def test_a_url_becomes_a_login_and_settings_without_it(project, url, login, settings):
    given = options(of_files(project, f"URL={url.replace('P', ENCODED)}\n"), "URL")
    assert given["credential_provider"].get_credentials() == login
    plain = {key: value for key, value in given.items() if key not in LIVE}
    assert plain == {**settings, **({"db": 2} if "db=2" in url else {})}
    assert PASSWORD not in repr(given)


def test_rediss_is_a_client_with_tls(project):
    client = redis.Redis(**options(of_files(project, "URL=rediss://:x@cache\n"), "URL"))
    assert client.connection_pool.connection_class is redis.SSLConnection


@pytest.mark.parametrize(
    "url", ["s3cret", "http://:s3cret@cache", "redis://:pa/s3cret@cache", "redis://[s3cret@cache"]
)
def test_a_value_that_is_not_a_url_is_refused_without_showing_it(project, url):
    with pytest.raises(InvalidValueError) as caught:
        options(of_files(project, f"URL={url}\n"), "URL")
    assert caught.value.message == "URL is not the URL of a Redis server"
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "names", [{}, {"url": "A", "password": "B"}, {"username": "A"}, {"url": "A", "username": "B"}]
)
def test_a_login_is_one_url_or_a_password(project, names):
    with pytest.raises(TypeError, match=r"options\(live, 'REDIS_URL'\)"):
        options(of_files(project), **names)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (redis.AuthenticationError(), True),
        (redis.ConnectionError(), False),
        (redis.TimeoutError(), False),
        (redis.exceptions.BusyLoadingError(), False),
        (redis.exceptions.NoPermissionError(), False),
        (redis.exceptions.MaxConnectionsError(), False),
        (OSError(), False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_only_a_refused_login_is_a_refusal(error, refused):
    assert is_refusal(error) is refused
