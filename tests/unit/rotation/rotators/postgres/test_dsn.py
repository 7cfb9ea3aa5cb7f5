"""The description of a server from a DSN never contains a part of a password."""

import pytest

from envkit.rotation.rotators.postgres.dsn import described


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://a:b@db:5433/app?sslmode=require", "db:5433/app"),
        ("postgresql://a@db/app", "db:5432/app"),
        ("postgresql://a:b@h1,h2:5433/app", "h1:5432,h2:5433/app"),
        ("postgresql://a:b@[::1]/app", "[::1]:5432/app"),
        ("postgresql:///app?host=/run/postgresql", "/run/postgresql:5432/app"),
        ("postgresql://a:b@db?dbname=app", "db:5432/app"),
        ("postgresql://a:b@db", "db:5432"),
        ("postgresql://a:{{ vault:x/y#password | urlencode }}@db/app", "db:5432/app"),
        ("postgresql://a:b@{{ HOST }}:5433/app", "x:5433/app"),
        ("{{ vault:db#url }}", "PostgreSQL"),
        ("host=db port=5433 dbname=app user=a password='b c'", "db:5433/app"),
        ("host=h1,h2 port=1 dbname=app", "h1:1,h2:1/app"),
        ("dbname=app", "PostgreSQL/app"),
        # texts that libpq would read differently
        ("postgresql://a:canary/b@db/app", "PostgreSQL"),
        ("postgresql://a:1/canary@db/app", "PostgreSQL"),
        ("postgresql://a:canary?b@db/app", "PostgreSQL"),
        ("postgresql://a:1?canary@db/app", "PostgreSQL"),
        ("host=db password=a canary", "PostgreSQL"),
        ("canary", "PostgreSQL"),
        ("", "PostgreSQL"),
    ],
)
def test_a_described_dsn_shows_only_certain_hosts_ports_and_databases(dsn, expected):
    assert described(dsn) == expected
    assert "canary" not in described(dsn)
