"""Where a Vault server is: the settings, else the environment, and never without verification."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import AuthError, InvalidSettingError, UnavailableError
from envkit.sources.model import SourceContext
from envkit.sources.vault.address import find_address, origin_of
from support.vectors import vectors

VECTORS = vectors("unit/sources/vault/address")

URL = "https://vault.example.com:8200"


def context(settings=None, root=".", **environ):
    return SourceContext(
        "vault", settings=settings or {}, deadline=Deadline(1), root=str(root), environ=environ
    )


@pytest.mark.parametrize(
    ("settings", "environ", "url"),
    [
        ({"address": URL}, {}, URL),
        ({"address": URL}, {"VAULT_ADDR": "http://other"}, URL),
        ({}, {"VAULT_ADDR": f"{URL}/"}, URL),
        ({}, {"BAO_ADDR": URL}, URL),
        ({}, {"VAULT_ADDR": URL, "BAO_ADDR": "http://other"}, URL),
        ({"address": ""}, {"VAULT_ADDR": URL}, URL),
    ],
)
def test_the_settings_win_over_the_environment_and_vault_over_bao(settings, environ, url):
    assert find_address(context(settings, **environ)).url == url


def test_the_namespace_has_no_slashes_around_it():
    assert find_address(context({"address": URL}, VAULT_NAMESPACE="/team/a/")).namespace == "team/a"
    assert find_address(context({"address": URL, "namespace": "b"})).namespace == "b"
    assert find_address(context({"address": URL})).namespace == ""


@pytest.mark.parametrize(("url", "origin"), VECTORS["an_origin_is_a_url_that_may_be_shown"])
def test_an_origin_is_a_url_that_may_be_shown(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "address", [None, "127.0.0.1:8200", "vault", "http://", "http://u:p@h:1", "http://h:x"]
)
def test_an_address_that_is_no_server_is_refused_and_not_shown(address):
    kind = InvalidSettingError if address else AuthError
    with pytest.raises(kind, match="the address of 'vault' is not") as caught:
        find_address(context({"address": address} if address else {}))
    assert caught.value.exit_status == (3 if address else 6)
    assert caught.value.hint == "set VAULT_ADDR or [sources.vault] address to 'https://HOST:8200'"
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("variable", ["VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY"])
@pytest.mark.parametrize(
    ("value", "refused"),
    [("1", True), ("true", True), ("T", True), ("0", False), ("False", False), ("", False)],
)
def test_verification_cannot_be_switched_off(variable, value, refused):
    asked = context({"address": URL}, **{variable: value})
    if not refused:
        assert find_address(asked).url == URL
        return
    with pytest.raises(AuthError, match=f"{variable} is set") as caught:
        find_address(asked)
    assert f"unset {variable}" in caught.value.hint


def test_certificates_of_the_settings_are_below_the_project(tmp_path):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    settings = {
        "address": URL,
        "ca_cert": "ca.pem",
        "client_cert": "cert.pem",
        "client_key": "key.pem",
    }
    found = find_address(context(settings, tmp_path, VAULT_CACERT="/nowhere"))
    assert found.ca_cert == str(tmp_path / "ca.pem")
    assert found.client_cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    without_key = find_address(context({**settings, "client_key": ""}, tmp_path))
    assert without_key.client_cert == str(tmp_path / "cert.pem")


def test_certificates_of_the_environment_are_a_file_or_a_folder(tmp_path):
    (tmp_path / "ca.pem").write_text("")
    folder = find_address(context({"address": URL}, VAULT_CAPATH=str(tmp_path)))
    assert folder.ca_cert == str(tmp_path)
    file = str(tmp_path / "ca.pem")
    both = find_address(context({"address": URL}, BAO_CACERT=file, BAO_CAPATH=str(tmp_path)))
    assert both.ca_cert == file
    assert find_address(context({"address": URL})).ca_cert is None


@pytest.mark.parametrize(
    ("settings", "environ", "hint"),
    [
        ({"ca_cert": "/nowhere/ca.pem"}, {}, "correct [sources.vault] ca_cert"),
        ({}, {"VAULT_CACERT": "/nowhere/ca.pem"}, "correct VAULT_CACERT"),
        ({}, {"VAULT_CLIENT_KEY": "/nowhere/ca.pem"}, "correct VAULT_CLIENT_KEY"),
    ],
)
def test_a_certificate_that_does_not_exist_is_an_error_that_no_retry_helps(settings, environ, hint):
    with pytest.raises(UnavailableError, match=r"no file '/nowhere/ca\.pem'") as caught:
        find_address(context({"address": URL, **settings}, **environ))
    assert caught.value.hint == hint
    assert not caught.value.retryable
