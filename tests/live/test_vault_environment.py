"""envkit uses the environment variables of the vault command, on real servers."""

import os
import ssl

import pytest
import trustme

from envkit.errors import AuthError, InvalidSettingError, SourceError, UnavailableError
from envkit.sources.vault.certificates import MAX_FILES
from support.fault_proxy import FaultProxy, respond, server_tls, silent
from support.process import run_program
from support.vault import CANARY, failing, value_at, vault

TEXT = "secret/environment/db#password"


@pytest.fixture(autouse=True)
def secret(openbao):
    openbao.put("environment/db", {"password": CANARY})


# ------------------------------------------------------------------ certificates


@pytest.fixture
def tls_proxy(openbao, certificate_authority):
    with FaultProxy(openbao.address, tls=server_tls(certificate_authority)) as running:
        yield running


def pem_of(authority):
    return authority.cert_pem.bytes()


def hashed_name(folder, pem):
    (folder / "unhashed").write_bytes(pem)
    name = run_program(
        "openssl", "x509", "-hash", "-noout", "-in", str(folder / "unhashed"), check=True
    )
    os.rename(folder / "unhashed", folder / f"{name.stdout.strip()}.0")


def linked_as_kubernetes_does(folder, pem):
    (folder / "..2026").mkdir()
    (folder / "..2026" / "ca.crt").write_bytes(pem)
    (folder / "..data").symlink_to("..2026")
    (folder / "ca.crt").symlink_to("..data/ca.crt")


def below(folder, pem):
    (folder / "team").mkdir()
    (folder / "team" / "ca.pem").write_bytes(pem)


def beside_a_fifo(folder, pem):
    os.mkfifo(folder / "a.pem")
    (folder / "b.pem").write_bytes(pem)


FOLDERS = {
    "plain PEM": lambda folder, pem: (folder / "ca.pem").write_bytes(pem),
    "any name": lambda folder, pem: (folder / "vault ca").write_bytes(pem),
    "hashed": hashed_name,
    "a bundle": lambda folder, pem: (folder / "all.pem").write_bytes(pem_of(trustme.CA()) + pem),
    "with text": lambda folder, pem: (folder / "ca.crt").write_bytes(b"# our CA\r\n\r\n" + pem),
    "CRLF": lambda folder, pem: (folder / "ca.crt").write_bytes(pem.replace(b"\n", b"\r\n")),
    "beside a key": lambda folder, pem: (
        (folder / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAA==\n"),
        (folder / "ca.pem").write_bytes(pem),
    ),
    "beside a broken one": lambda folder, pem: (
        (folder / "a.pem").write_bytes(pem.replace(b"M", b"A")),
        (folder / "b.pem").write_bytes(pem),
    ),
    "twice": lambda folder, pem: [(folder / name).write_bytes(pem) for name in ("a", "b")],
    "in a subfolder": below,
    "a volume of Kubernetes": linked_as_kubernetes_does,
    "beside a FIFO": beside_a_fifo,
    "beside a dead link": lambda folder, pem: (
        (folder / "a.pem").symlink_to("nowhere"),
        (folder / "b.pem").write_bytes(pem),
    ),
}


@pytest.mark.parametrize("fill", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_of_authorities_is_read_whatever_its_files_are_called(
    openbao, certificate_authority, tls_proxy, tmp_path, fill
):
    folder = tmp_path / "ca"
    folder.mkdir()
    fill(folder, pem_of(certificate_authority))
    for settings in (
        {"environ": {"VAULT_CAPATH": str(folder)}},
        {"environ": {"BAO_CAPATH": str(folder)}},
        {"ca_cert": "ca", "root": tmp_path},
    ):
        assert value_at(vault(tls_proxy.url, openbao.root_token, **settings), TEXT) == CANARY


def test_a_folder_of_other_authorities_is_not_enough(openbao, tls_proxy, tmp_path):
    (tmp_path / "ca.pem").write_bytes(pem_of(trustme.CA()))
    source = vault(tls_proxy.url, openbao.root_token, environ={"VAULT_CAPATH": str(tmp_path)})
    failing(source, UnavailableError, "is not trusted", openbao.root_token)
    assert not tls_proxy.requests


@pytest.mark.parametrize("variable", ["VAULT_CAPATH", "VAULT_CACERT_BYTES"])
@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA=="])
def test_a_file_without_a_certificate_is_reported_as_such(tls_proxy, tmp_path, variable, content):
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "ca.pem").write_text(content)
    text = str(folder) if variable == "VAULT_CAPATH" else f"{content} "
    source = vault(tls_proxy.url, environ={variable: text})
    assert failing(source, InvalidSettingError, "contains (no|a) certificate").exit_status == 3
    assert not tls_proxy.requests


def test_certificate_text_overrides_a_folder_and_is_overridden_by_a_file(
    openbao, certificate_authority, tls_proxy, tmp_path
):
    other = tmp_path / "other.pem"
    other.write_bytes(pem_of(trustme.CA()))
    text = pem_of(certificate_authority).decode()
    for name in ("VAULT_CACERT_BYTES", "BAO_CACERT_BYTES"):
        environ = {name: text, "VAULT_CAPATH": "/nowhere"}
        source = vault(tls_proxy.url, openbao.root_token, environ=environ)
        assert value_at(source, TEXT) == CANARY
    environ = {"VAULT_CACERT_BYTES": text, "VAULT_CACERT": str(other)}
    failing(vault(tls_proxy.url, environ=environ), UnavailableError, "is not trusted")


def test_the_tls_server_name_may_differ_from_the_host(openbao, certificate_authority, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pem_of(certificate_authority))
    tls = server_tls(certificate_authority, "vault.example.com")
    with FaultProxy(openbao.address, tls=tls) as proxy:
        for name in ("VAULT_TLS_SERVER_NAME", "BAO_TLS_SERVER_NAME"):
            environ = {name: "vault.example.com", "VAULT_CACERT": str(ca)}
            assert value_at(vault(proxy.url, openbao.root_token, environ=environ), TEXT) == CANARY
        seen = proxy.count()
        for environ in ({}, {"VAULT_TLS_SERVER_NAME": "other.example.com"}):
            source = vault(proxy.url, environ={**environ, "VAULT_CACERT": str(ca)})
            failing(source, UnavailableError, "is not trusted")
        assert proxy.count() == seen


def test_a_client_certificate_is_presented_with_a_folder_of_authorities(
    openbao, certificate_authority, tmp_path
):
    tls = server_tls(certificate_authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate_authority.configure_trust(tls)
    mine = certificate_authority.issue_cert("client@example.com")
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(pem_of(certificate_authority))
    both = tmp_path / "client.pem"
    mine.private_key_and_cert_chain_pem.write_to_path(str(both))
    environ = {"VAULT_CAPATH": str(folder), "VAULT_CLIENT_CERT": str(both)}
    with FaultProxy(openbao.address, tls=tls) as proxy:
        assert value_at(vault(proxy.url, openbao.root_token, environ=environ), TEXT) == CANARY


# ------------------------------------------------------------------ proxies and limits


@pytest.mark.parametrize(
    "environ",
    [
        {"VAULT_HTTP_PROXY": "P"},
        {"BAO_HTTP_PROXY": "P"},
        {"VAULT_PROXY_ADDR": "P", "VAULT_HTTP_PROXY": "http://127.0.0.1:1"},
        {"BAO_PROXY_ADDR": "P"},
    ],
)
def test_requests_go_through_the_proxy_of_the_environment(openbao, environ):
    with FaultProxy(openbao.address) as proxy:
        environ = {name: proxy.url if text == "P" else text for name, text in environ.items()}
        source = vault("http://vault.invalid:8200", openbao.root_token, environ=environ)
        proxy.fault(respond(418))
        failing(source, SourceError, None, openbao.root_token, text=TEXT)
        assert proxy.requests[0].path.startswith("http://vault.invalid:8200/v1/")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("http_proxy", "::::"),
        ("http_proxy", "http://app:canary@127.0.0.1:1\n"),
        ("HTTP_PROXY", "socks5://app:canary@127.0.0.1:1"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1"),
    ],
)
def test_a_proxy_that_cannot_be_asked_is_told_as_that(openbao, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    source = vault(openbao.address, openbao.root_token)
    error = failing(source, InvalidSettingError, "is not the URL of an http or https proxy")
    assert error.exit_status == 3
    assert "canary" not in str(error)


@pytest.mark.parametrize("variable", ["VAULT_CAPATH", "VAULT_CACERT"])
def test_a_folder_of_too_many_files_is_refused_and_not_read(tls_proxy, tmp_path, variable):
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.pem").touch()
    source = vault(tls_proxy.url, environ={variable: str(tmp_path)})
    assert failing(source, InvalidSettingError, "more than 2,000 files").exit_status == 3
    assert not tls_proxy.requests


def test_a_request_times_out_after_the_time_in_the_environment(openbao):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(silent(), times=1)
        environ = {"VAULT_CLIENT_TIMEOUT": "200ms"}
        assert value_at(vault(proxy.url, openbao.root_token, environ=environ), TEXT) == CANARY
        assert proxy.count() == 3


# ------------------------------------------------------------------ the token


def helper(tmp_path, body, name=".vault"):
    program = tmp_path / "helper"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    (tmp_path / name).write_text(f'# mine\ntoken_helper = "{program}"\n')
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def by(address, environ, root="."):
    return vault(address, auth=None, environ=environ, root=root)


@pytest.mark.parametrize("name", [".vault", ".bao"])
def test_the_token_helper_of_the_user_is_asked_before_the_token_file(openbao, tmp_path, name):
    told = f'test "$1 $VAULT_ADDR" = "get {openbao.address}" && echo {openbao.root_token}'
    environ = helper(tmp_path, told, name)
    (tmp_path / ".vault-token").write_text("stale")
    assert value_at(by(openbao.address, environ), TEXT) == CANARY
    # and a token that is given is used without asking it
    environ = helper(tmp_path, "exit 1", name)
    token = {"VAULT_TOKEN": openbao.root_token}
    assert value_at(by(openbao.address, {**environ, **token}), TEXT) == CANARY


@pytest.mark.parametrize("variable", ["VAULT_CONFIG_PATH", "BAO_CONFIG_PATH"])
def test_the_file_that_names_the_token_helper_may_be_elsewhere(openbao, tmp_path, variable):
    environ = helper(tmp_path, f"printf {openbao.root_token}", "config.hcl")
    environ[variable] = str(tmp_path / "config.hcl")
    assert value_at(by(openbao.address, environ), TEXT) == CANARY


@pytest.mark.parametrize("variable", ["VAULT_TOKEN_PATH", "BAO_TOKEN_PATH"])
def test_the_token_file_may_be_elsewhere(openbao, tmp_path, variable):
    (tmp_path / "mine").write_text(f"{openbao.root_token}\n")
    environ = {"HOME": "/nowhere", variable: str(tmp_path / "mine")}
    assert value_at(by(openbao.address, environ), TEXT) == CANARY


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"echo {CANARY} >&2; exit 3", r"the token helper '.*' failed \(3\)"),
        ("true", "no token for 'vault'"),
        (f"echo {CANARY}; echo two", "is not a token: it contains a newline"),
        ("sleep 100", "the token helper of"),
    ],
)
def test_a_token_helper_that_prints_no_token_is_reported_as_such(openbao, tmp_path, body, message):
    source = vault(openbao.address, auth=None, environ=helper(tmp_path, body), timeout_seconds=1)
    assert failing(source, SourceError, f"{message}|no answer", text=TEXT).exit_status in (5, 6)


def test_the_working_folder_cannot_choose_the_token_helper(openbao, tmp_path, monkeypatch):
    environ = helper(tmp_path, f"echo {openbao.root_token}; touch {tmp_path}/ran")
    monkeypatch.chdir(tmp_path)
    for config in ("helper", "./helper", "../x/helper"):
        (tmp_path / ".vault").write_text(f'token_helper = "{config}"\n')
        failing(by(openbao.address, environ), InvalidSettingError, "not an absolute path")
    environ["VAULT_CONFIG_PATH"] = ".vault"
    failing(by(openbao.address, environ), InvalidSettingError, "VAULT_CONFIG_PATH is not an abs")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        *(("\n", "a newline"), ("\r", "a carriage return"), (" ", "a space"), ("\t", "a tab")),
        *(("\0", "a NUL"), ("\x1b", "a control character"), ("\x7f", "a delete character")),
        *(("é", "a character that is not ASCII"), ("\ufeff", "a byte order mark")),
    ],
)
@pytest.mark.parametrize("variable", ["VAULT_TOKEN", "BAO_TOKEN"])
def test_a_token_that_no_request_can_contain_is_reported_as_such(openbao, variable, odd, told):
    error = failing(by(openbao.address, {variable: f"s.{CANARY}{odd}"}), AuthError)
    assert error.message == f"{variable} is not a token: it contains {told}"
    assert error.hint == f"remove {told} from {variable}"
