"""The `auth` table of a Vault source, and leases; the logins are in tests/live."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileError
from envkit.sources.vault.auth import Auth, Lease, parse_auth
from support.vectors import vectors

VECTORS = vectors("unit/sources/vault/auth")

AN_HOUR = 3600.0


@pytest.mark.parametrize(
    ("table", "method", "values"), VECTORS["a_table_that_fits_is_its_method_and_keys"]
)
def test_a_valid_auth_table_has_its_method_and_keys(table, method, values):
    assert parse_auth("vault", table) == (method, values)


@pytest.mark.parametrize(
    ("table", "message", "hint"), VECTORS["a_table_that_does_not_fit_is_refused"]
)
def test_an_invalid_auth_table_is_refused(table, message, hint):
    with pytest.raises(ProfileError) as caught:
        parse_auth("vault", table)
    assert message in caught.value.message
    if hint is not None:
        assert caught.value.hint == hint


def test_the_repr_of_auth_shows_no_credential():
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
