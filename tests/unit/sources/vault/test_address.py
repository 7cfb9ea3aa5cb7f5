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
def test_settings_override_the_environment_and_vault_variables_override_bao_ones(
    settings, environ, url
):
    assert find_address(context(settings, **environ)).url == url


def test_the_namespace_is_stripped_of_slashes():
    assert find_address(context({"address": URL}, VAULT_NAMESPACE="/team/a/")).namespace == "team/a"
    assert find_address(context({"address": URL, "namespace": "b"})).namespace == "b"
    assert find_address(context({"address": URL})).namespace == ""


@pytest.mark.parametrize(("url", "origin"), VECTORS["an_origin_is_a_url_that_may_be_shown"])
def test_an_origin_is_a_url_without_credentials(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "address",
    [
        *(None, "127.0.0.1:8200", "vault", "http://", "http://u:p@h:1", "http://h:x"),
        *("http://a..b:1", "http://.b", f"http://{'a' * 64}.b", "http://h:99999"),
    ],
)
def test_an_invalid_address_is_refused_and_not_shown(address):
    kind = InvalidSettingError if address else AuthError
    with pytest.raises(kind, match="the address of 'vault' is not") as caught:
        find_address(context({"address": address} if address else {}))
    assert caught.value.exit_status == (3 if address else 6)
    assert caught.value.hint == "set VAULT_ADDR or [sources.vault] address to 'https://HOST:8200'"
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    ["/v1", "/v1/", "/gateway/v1", "/ui", "/ui/vault/secrets", "?canary=1", "#canary", "/?canary"],
)
def test_an_address_that_goes_on_behind_the_server_is_refused_and_not_shown(more):
    with pytest.raises(InvalidSettingError) as caught:
        find_address(context(VAULT_ADDR=URL + more))
    assert caught.value.message == "the address of 'vault' has a path after the server: VAULT_ADDR"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [f"{URL}/gateway", f"{URL}/v1/vault", "http://h.", "http://[::1]:1"]
)
def test_a_server_may_be_behind_a_path(url):
    assert find_address(context(VAULT_ADDR=url)).url == url


@pytest.mark.parametrize("quote", "'\"")
@pytest.mark.parametrize("name", ["VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CLIENT_TIMEOUT"])
def test_quotes_that_docker_left_around_a_text_are_told_as_that(name, quote):
    with pytest.raises(InvalidSettingError) as caught:
        find_address(context(**{"VAULT_ADDR": URL, name: f"{quote}{URL}{quote}"}))
    assert caught.value.message == f"{name} contains quotes"


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


def test_certificate_settings_are_relative_to_the_project(tmp_path):
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
def test_a_missing_certificate_is_an_error_that_is_not_retried(settings, environ, hint):
    with pytest.raises(UnavailableError, match=r"no file '/nowhere/ca\.pem'") as caught:
        find_address(context({"address": URL, **settings}, **environ))
    assert caught.value.hint == hint
    assert not caught.value.retryable


ODD = {"\n": "a newline", "\r": "a carriage return", " ": "a space", "\t": "a tab", "\0": "a NUL"}


@pytest.mark.parametrize(("odd", "told"), ODD.items())
@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("VAULT_ADDR", URL), ("BAO_ADDR", URL), ("VAULT_NAMESPACE", "team")),
        *(("VAULT_TLS_SERVER_NAME", "vault"), ("VAULT_HTTP_PROXY", "http://p:1")),
        *(("VAULT_CLIENT_TIMEOUT", "60"), ("VAULT_MAX_RETRIES", "2"), ("VAULT_RATE_LIMIT", "5")),
    ],
)
def test_a_variable_with_an_impossible_character_is_reported_as_such(name, text, odd, told):
    environ = {"VAULT_ADDR": URL} if name != "BAO_ADDR" else {}
    with pytest.raises(InvalidSettingError) as caught:
        find_address(context(**{**environ, name: text + odd}))
    assert caught.value.message == f"{name} contains {told}"
    assert caught.value.hint == f"remove {told} from {name}"
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(("odd", "told"), ODD.items())
@pytest.mark.parametrize("key", ["address", "namespace"])
def test_a_setting_with_an_impossible_character_is_reported_as_such(key, odd, told):
    settings = {"address": URL, "namespace": "team"}
    with pytest.raises(InvalidSettingError) as caught:
        find_address(context({**settings, key: settings[key] + odd}))
    assert caught.value.message == f"[sources.vault] {key} contains {told}"


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        *(
            ("CLIENT_TIMEOUT", text, {"timeout_seconds": seconds})
            for text, seconds in (
                ("60", 60),
                ("30s", 30),
                ("1m30s", 90),
                ("500ms", 0.5),
                ("1.5h", 5400),
                ("+5s", 5),
                (".5s", 0.5),
                ("2.m", 120),
                ("0", None),
            )
        ),
        *(
            ("MAX_RETRIES", text, {"attempts": attempts})
            for text, attempts in (("0", 1), ("2", 3), ("10", 11))
        ),
        ("RATE_LIMIT", "10", {"per_second": 10, "burst": None}),
        ("RATE_LIMIT", "0.5:3", {"per_second": 0.5, "burst": 3}),
        ("HTTP_PROXY", "http://u:canary@p:1", {"proxy": "http://u:canary@p:1"}),
        ("PROXY_ADDR", "https://p", {"proxy": "https://p"}),
    ],
)
def test_limits_are_read_from_the_variables_of_the_vault_command(prefix, name, text, found):
    address = find_address(context(VAULT_ADDR=URL, **{f"{prefix}_{name}": text}))
    assert {key: getattr(address, key) for key in found} == found
    assert "canary" not in repr(address)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("CLIENT_TIMEOUT", ["soon", "-1", "1 m", "5x", "s", "1e3", "9" * 99, "\uff15", "1m30"]),
        ("MAX_RETRIES", ["-1", "1.5", "many", "9" * 99, "\uff15", " "]),
        ("RATE_LIMIT", ["0", "-1", "10:", "10:0", "ten", "1:1.5", ":5", "9" * 99, "inf", "nan"]),
        ("HTTP_PROXY", ["p:1", "socks5://p", "http://", "http://canary@p:x", "//p", "http://p:0"]),
        ("PROXY_ADDR", ["p", "ftp://p", "http://canary:canary@", "http://[", "unix:///p"]),
    ],
)
def test_an_invalid_limit_is_refused_and_not_shown(name, texts):
    for text in texts:
        with pytest.raises(InvalidSettingError, match=f"^VAULT_{name} ") as caught:
            find_address(context(VAULT_ADDR=URL, **{f"VAULT_{name}": text}))
        assert caught.value.exit_status == 3
        assert "canary" not in caught.value.message + caught.value.hint


def test_the_agent_address_is_mentioned_when_there_is_no_other():
    with pytest.raises(AuthError) as caught:
        find_address(context(VAULT_AGENT_ADDR=URL))
    assert "VAULT_AGENT_ADDR, which envkit does not use" in caught.value.hint
