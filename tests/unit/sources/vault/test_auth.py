"""The `auth` table of a Vault source, and leases; the logins are in tests/live."""

from __future__ import annotations

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileError
from envkit.sources.vault.auth import Auth, Lease, parse_auth

AN_HOUR = 3600.0


@pytest.mark.parametrize(
    ("table", "method", "values"),
    [
        ({}, "token", {}),
        ({"token": "s.x"}, "token", {"token": "s.x"}),
        ({"method": "approle", "role_id": "r"}, "approle", {"role_id": "r"}),
        (
            {"method": "userpass", "username": "u", "password": "p", "mount": "up"},
            "userpass",
            {"username": "u", "password": "p", "mount": "up"},
        ),
        ({"method": "oidc", "jwt_file": "ci.jwt"}, "oidc", {"jwt_file": "ci.jwt"}),
        ({"method": "kubernetes", "role": "app"}, "kubernetes", {"role": "app"}),
    ],
)
def test_a_table_that_fits_is_its_method_and_keys(table, method, values):
    assert parse_auth("vault", table) == (method, values)


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ({"method": "aprole"}, "unknown method 'aprole'", "did you mean 'approle'?"),
        (
            {"method": "ldap"},
            "unknown method 'ldap'",
            "use one of: approle, jwt, kubernetes, oidc, token, userpass",
        ),
        ({"method": 3}, "unknown method '3'", None),
        (
            {"method": "approle", "roleid": "x"},
            "unknown key 'roleid' of auth in [sources.vault]",
            "did you mean 'role_id'?",
        ),
        ({"method": "approle"}, "needs role_id", None),
        ({"method": "userpass", "mount": "x"}, "needs username and password", None),
        ({"method": "kubernetes"}, "needs role", None),
        ({"method": "jwt", "role": "ci"}, "needs either jwt or jwt_file", None),
        ({"method": "jwt", "jwt": "x", "jwt_file": "y"}, "needs either jwt or jwt_file", None),
        ({"token": 7}, "'token' of auth in [sources.vault] must be a text", None),
        ({"token": ""}, "'token' of auth in [sources.vault] must be a text", None),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table, message, hint):
    with pytest.raises(ProfileError) as caught:
        parse_auth("vault", table)
    assert message in caught.value.message
    if hint is not None:
        assert caught.value.hint == hint


def test_no_credential_is_in_a_repr():
    assert repr(Auth("token", {"token": "canary"})) == "Auth(token)"


@pytest.mark.parametrize(
    ("lease", "expired"),
    [
        (Lease(None, renewable=False), False),
        (Lease(Deadline(AN_HOUR), renewable=True), False),
        (Lease(Deadline(0), renewable=True), True),
    ],
)
def test_a_lease_without_an_end_never_expires(lease, expired):
    assert lease.expired is expired
