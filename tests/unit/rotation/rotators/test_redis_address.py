"""Which server a URL names, in `target.url` and in a secret."""

import pytest

from envkit.rotation.rotators.login import Login
from envkit.rotation.rotators.redis_address import Address, address_of, servers_of
from envkit.secret import Secret


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://app:x@cache:6380/0", "cache:6380"),
        ("rediss://app:x@Cache.Internal", "cache.internal:6379"),
        ("valkey://app:x@10.0.0.1?protocol=3", "10.0.0.1:6379"),
        ("redis://app:p%40ss@[::1]:7000", "[::1]:7000"),
        ("redis://app:{{ vault:a#b | urlencode }}@cache:6379", "cache:6379"),
        ("redis:///1", "localhost:6379"),
        ("unix://app:x@/run/valkey.sock?db=1", "/run/valkey.sock"),
    ],
)
def test_a_url_names_its_server(url, server):
    assert str(address_of(url)) == server


@pytest.mark.parametrize(
    "url",
    [
        "{{ vault:a#url }}",
        "redis://app:x@{{ vault:a#host }}",
        "redis://:pa/ss@cache",
        "redis://app:pa/ss@cache",
        "redis://cache:port",
        "redis://app:x@c a c h e",
        "http://cache",
        "cache:6379",
        "redis://[::1",
    ],
)
def test_a_url_with_an_ambiguous_server_names_none(url):
    assert address_of(url) is None


@pytest.mark.parametrize(
    ("value", "servers"),
    [
        ("x", frozenset()),
        ("redis://app:x@Cache", {Address("cache", 6379)}),
        ("redis://app:x@{{ }}", None),
    ],
)
def test_a_secret_names_its_redis_servers(value, servers):
    assert servers_of(Login("app", Secret("x")), Secret(value)) == servers
