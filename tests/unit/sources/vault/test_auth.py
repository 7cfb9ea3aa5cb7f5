"""The `auth` table of a Vault source, and leases; the logins are in tests/live."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import AbsentError, ProfileError
from envkit.sources.vault.auth import Auth, Lease, parse_auth
from envkit.sources.vault.logins.choice import parse_choices
from support.vectors import vectors

VECTORS = vectors("unit/sources/vault/auth")

AN_HOUR = 3600.0


@pytest.mark.parametrize(
    ("table", "method", "values"), VECTORS["a_table_that_fits_is_its_method_and_keys"]
)
def test_a_valid_auth_table_has_its_method_and_keys(table, method, values):
    assert parse_auth("vault", table) == (method, values, "")


@pytest.mark.parametrize(
    ("table", "message", "hint"), VECTORS["a_table_that_does_not_fit_is_refused"]
)
def test_an_invalid_auth_table_is_refused(table, message, hint):
    with pytest.raises(ProfileError) as caught:
        parse_auth("vault", table)
    assert message in caught.value.message
    if hint is not None:
        assert caught.value.hint == hint


@pytest.mark.parametrize(("listed", "methods"), VECTORS["a_list_of_methods_is_read_in_its_order"])
def test_a_list_of_methods_is_read_in_its_order(listed, methods):
    assert [auth.method for auth in parse_choices("vault", listed)] == methods


@pytest.mark.parametrize(
    ("listed", "message", "hint"), VECTORS["a_list_of_methods_that_does_not_fit_is_refused"]
)
def test_a_list_of_methods_that_does_not_fit_is_refused(listed, message, hint):
    with pytest.raises(ProfileError) as caught:
        parse_choices("vault", listed)
    assert message in caught.value.message
    if hint is not None:
        assert caught.value.hint == hint


def test_a_method_whose_placeholder_has_no_value_lacks_it():
    lacking = {
        "method": "approle",
        "role_id": "x",
        "lacks": AbsentError("env:VAULT_SECRET_ID is missing"),
    }
    [auth] = parse_choices("vault", [lacking])
    assert (auth.method, auth.lacks) == ("approle", "env:VAULT_SECRET_ID is missing")
    with pytest.raises(ProfileError, match="unknown key 'lacks'"):
        parse_choices("vault", [{**lacking, "lacks": "a text of the profile"}])
    with pytest.raises(ProfileError, match="unknown method 'aprole'"):
        parse_choices("vault", [{**lacking, "method": "aprole"}])


@pytest.mark.parametrize(("method", "key"), [("oidc", "jwt"), ("userpass", "password")])
def test_a_service_without_its_credential_is_not_a_person(method, key):
    table = {"method": method, "mount": "ci", key: "{{ env:GIVEN }}"}
    if method == "userpass":
        table["username"] = "robot"
    lacks = AbsentError("env:GIVEN is missing")
    [auth] = parse_choices("vault", [{**table, "lacks": lacks}])
    assert not auth.asks


@pytest.mark.parametrize(("table", "asks", "uses_token"), VECTORS["who_logs_in_with_a_method"])
def test_a_method_that_asks_a_person_uses_the_token_of_their_login(table, asks, uses_token):
    auth = parse_auth("vault", table)
    assert (auth.asks, auth.uses_token) == (asks, uses_token)


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
