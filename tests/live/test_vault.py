"""The Vault source against OpenBao: addressing, versions, transport, faults, writing."""

import json
import os
import secrets
import socket
import ssl
import subprocess
import threading
import traceback

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import (
    AuthError,
    ConflictError,
    DeniedError,
    EnvkitError,
    InvalidReferenceError,
    InvalidValueError,
    ProtocolError,
    SourceError,
    UnavailableError,
)
from envkit.profile.placeholder import parse
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, SourceContext
from envkit.sources.vault.source import VaultSource
from support.fault_proxy import (
    FaultProxy,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    silent,
    truncate,
)

CANARY = "canary-7d1e44ab"
TIMEOUT_SECONDS = 20.0  # far beyond what any of these needs
BRIEF_SECONDS = 2  # where nothing but the deadline ends it


def ref(text):
    return parse("{{ vault:" + text + " }}").placeholders[0].operand


def vault(address, token="no-token", *, environ=None, timeout_seconds=TIMEOUT_SECONDS, **settings):
    """Build a source, by default with a token and nothing from the environment."""
    settings = {"address": address, "auth": {"token": token}, **settings}
    return VaultSource(
        SourceContext(
            "vault",
            settings={key: value for key, value in settings.items() if value is not None},
            deadline=Deadline(timeout_seconds),
            environ=environ or {},
        )
    )


def fetch_one(source, text):
    reference = ref(text)
    return source.fetch([reference]).get(reference, Absent())


def value_at(source, text):
    outcome = fetch_one(source, text)
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def assert_clean(error, *others):
    """Look for a value, a token or a body in what a person or a log could be shown."""
    assert isinstance(error, EnvkitError)
    shown = "".join([repr(vars(error)), *traceback.format_exception(error)])
    for secret in (CANARY, "no-token", *others):
        assert secret not in shown


@pytest.fixture
def folder(openbao):
    """A path below `secret/` that no other test has, with one secret `db` in it."""
    name = f"live-{secrets.token_hex(6)}"
    openbao.put(f"{name}/db", {"password": CANARY, "user": "app"})
    return name


@pytest.fixture
def source(openbao, folder):
    return vault(openbao.address, openbao.root_token, mount="secret", prefix=folder)


@pytest.fixture
def proxy(openbao):
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.fixture
def behind_proxy(openbao, folder, proxy):
    """The same source, its requests going through the proxy."""
    return vault(proxy.url, openbao.root_token, mount="secret", prefix=folder)


def is_read(request):
    return "/data/" in request.path


# ------------------------------------------------------------------ where a reference points


@pytest.mark.parametrize(
    ("settings", "reference", "location"),
    [
        ({"mount": "secret", "prefix": "F"}, "db#password", "vault:secret/F/db#password"),
        ({"mount": "/secret/", "prefix": "/F/"}, "db#password", "vault:secret/F/db#password"),
        ({"mount": "secret"}, "F/db#password", "vault:secret/F/db#password"),
        ({"prefix": "secret/F"}, "db#password", "vault:secret/F/db#password"),
        ({}, "secret/F/db#password", "vault:secret/F/db#password"),
        ({"mount": "x", "prefix": "y"}, "/secret/F/db#password", "vault:secret/F/db#password"),
        ({"mount": "secret", "prefix": "F/db"}, "#password", "vault:secret/F/db#password"),
        ({"mount": "secret", "prefix": "data/F"}, "db#password", "vault:secret/F/db#password"),
        ({}, "secret/data/F/db#password", "vault:secret/F/db#password"),
        ({}, "secret/F/db?version=1#password", "vault:secret/F/db?version=1#password"),
    ],
)
def test_mount_prefix_and_path(openbao, folder, settings, reference, location):
    def here(text):
        return text.replace("F", folder)

    settings = {key: here(value) for key, value in settings.items()}
    source = vault(openbao.address, openbao.root_token, **settings)
    reading = fetch_one(source, here(reference))
    assert isinstance(reading, Reading), reading
    assert reading.value.reveal() == CANARY
    assert reading.location == here(location)
    assert reading.version == "1"


def test_nested_mounts(openbao):
    team = f"team-{secrets.token_hex(4)}"
    openbao.mount(f"{team}/kv", version=2)
    openbao.mount(f"{team}/old", version=1)
    openbao.put("app/db", {"password": "new"}, mount=f"{team}/kv")
    openbao.put("app/db", {"password": "old"}, mount=f"{team}/old", version=1)
    source = vault(openbao.address, openbao.root_token)
    refs = [ref(f"{team}/kv/app/db#password"), ref(f"{team}/old/app/db#password")]
    outcomes = source.fetch(refs)
    assert [outcomes[one].value.reveal() for one in refs] == ["new", "old"]
    assert outcomes[refs[0]].location == f"vault:{team}/kv/app/db#password"


def test_unusual_names(openbao, folder):
    name = f"{folder}/a b%2F?#+é&=~"
    fields = {"the key": CANARY}
    openbao.ask("POST", "secret/data/" + name.replace("?", "%3F"), {"data": fields})
    source = vault(openbao.address, openbao.root_token)
    openbao_path = json.dumps(f"secret/{name.replace('?', '%3F')}", ensure_ascii=False)
    assert value_at(source, f'{openbao_path}#"the key"') == CANARY


def test_only_key_value_engines_are_read(openbao):
    source = vault(openbao.address, openbao.root_token)
    outcome = fetch_one(source, "cubbyhole/x#a")
    assert isinstance(outcome, InvalidReferenceError)
    assert "'cubbyhole' engine" in outcome.message


def test_a_nested_mount_is_no_secret(openbao):
    mount = f"team-{secrets.token_hex(4)}/kv"
    openbao.mount(mount, version=2)
    outcome = fetch_one(vault(openbao.address, openbao.root_token), f"{mount}#a")
    assert isinstance(outcome, InvalidReferenceError)
    assert "is a mount" in outcome.message


# ------------------------------------------------------------------ how often it asks


def test_one_login_one_look_at_the_mount_one_read_per_secret(openbao, folder, source):
    for number in range(20):
        openbao.put(f"{folder}/app{number}", {"a": f"a{number}", "b": f"b{number}"})
    refs = [ref(f"app{number}#{field}") for number in range(20) for field in "ab"]
    before = len(openbao.asked())
    outcomes = source.fetch(refs)
    assert [outcomes[one].value.reveal() for one in refs] == [
        f"{field}{number}" for number in range(20) for field in "ab"
    ]
    source.fetch(refs[:1])
    asked = [path for _, path in openbao.asked()[before:]]
    assert [path for path in asked if path.startswith("auth/")] == ["auth/token/lookup-self"]
    assert len([path for path in asked if path.startswith("sys/internal/ui/mounts/")]) == 1
    assert len([path for path in asked if path.startswith("secret/")]) == 20 + 1
    assert len(asked) == 1 + 1 + 20 + 1


def test_both_spellings_of_a_secret_are_one_read(openbao, folder):
    source = vault(openbao.address, openbao.root_token)
    before = openbao.reads()
    refs = [ref(f"secret/{folder}/db#user"), ref(f"/secret/data/{folder}/db#password")]
    outcomes = source.fetch(refs)
    assert [outcomes[one].value.reveal() for one in refs] == ["app", CANARY]
    assert openbao.reads() - before == 1


def test_reads_are_parallel_and_bounded(openbao, folder, proxy):
    """Each group of three is answered only when three are there: fewer would never end."""
    for number in range(9):
        openbao.put(f"{folder}/app{number}", {"a": str(number)})
    three = threading.Barrier(3, timeout=TIMEOUT_SECONDS)
    lock = threading.Lock()
    now, most = 0, 0

    def together(exchange):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        three.wait()
        answer = exchange.ask_upstream()
        with lock:
            now -= 1
        exchange.send(answer)

    proxy.fault(together, when=is_read)
    source = vault(proxy.url, openbao.root_token, mount="secret", prefix=folder, concurrency=3)
    refs = [ref(f"app{number}#a") for number in range(9)]
    outcomes = source.fetch(refs)
    assert [outcomes[one].value.reveal() for one in refs] == list("012345678")
    assert most == 3


# ------------------------------------------------------------------ versions and absence


def test_why_a_secret_is_absent(openbao, folder, source):
    for value in ("1", "2", "3"):
        openbao.put(f"{folder}/old", {"a": value})
    openbao.ask("PUT", f"secret/destroy/{folder}/old", {"versions": [1]})
    openbao.ask("DELETE", f"secret/data/{folder}/old")
    absences = {
        "old#a": Absent("version 3 was deleted", "3"),
        "old?version=1#a": Absent("version 1 was destroyed", "1"),
        "old?version=9#a": Absent(f"no such version: vault:secret/{folder}/old?version=9"),
        "new#a": Absent(f"no such secret: vault:secret/{folder}/new"),
        "/nowhere/new#a": Absent("nothing is mounted at 'nowhere'"),
        "db#pasword": Absent("no field 'pasword' (fields: password, user)", "1"),
    }
    outcomes = source.fetch([ref(text) for text in absences])
    assert {text: outcomes[ref(text)] for text in absences} == absences
    assert value_at(source, "old?version=2#a") == "2"


@pytest.mark.parametrize("body", [f"<html>{CANARY}", f'{{"message": "{CANARY}"}}', "[]", ""])
def test_a_404_that_is_not_vaults_is_not_an_absence(behind_proxy, proxy, body):
    proxy.fault(respond(404, body), when=is_read)
    outcome = fetch_one(behind_proxy, "db#password")
    assert isinstance(outcome, ProtocolError)
    assert_clean(outcome)


def test_values_that_are_no_text(openbao, folder, source):
    openbao.put(f"{folder}/app", {"port": 8080, "on": True, "hosts": ["a", "b"], "none": None})
    assert value_at(source, "app#port") == "8080"
    assert value_at(source, "app#on") == "true"
    assert value_at(source, "app#hosts") == '["a","b"]'
    assert isinstance(fetch_one(source, "app#none"), Absent)


# ------------------------------------------------------------------ namespaces


@pytest.fixture
def namespace(openbao):
    name = f"team-{secrets.token_hex(4)}"
    openbao.ask("POST", f"sys/namespaces/{name}", {})
    openbao.mount("kv", version=2, namespace=name)
    openbao.put("db", {"password": f"of {name}"}, mount="kv", namespace=name)
    return name


def test_namespace_of_the_settings_or_the_environment(openbao, namespace):
    for settings, environ in (
        ({"namespace": namespace}, {"VAULT_NAMESPACE": "another"}),
        ({"namespace": f"{namespace}/"}, {}),
        ({}, {"VAULT_NAMESPACE": namespace}),
        ({}, {"BAO_NAMESPACE": namespace}),
    ):
        source = vault(openbao.address, openbao.root_token, environ=environ, **settings)
        assert value_at(source, "kv/db#password") == f"of {namespace}"
    outside = vault(openbao.address, openbao.root_token)
    assert isinstance(fetch_one(outside, "kv/db#password"), Absent)
    assert value_at(outside, f"{namespace}/kv/db#password") == f"of {namespace}"


def test_unknown_namespace_is_not_an_absence(openbao):
    source = vault(openbao.address, openbao.root_token, namespace="tpyo")
    with pytest.raises(AuthError, match="in namespace 'tpyo'") as caught:
        fetch_one(source, "secret/db#password")
    assert "VAULT_NAMESPACE" in caught.value.hint


# ------------------------------------------------------------------ the address


def test_a_name_that_does_not_resolve(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnavailableError, match="its name does not resolve") as caught:
        fetch_one(
            vault("http://vault.invalid:8200", timeout_seconds=BRIEF_SECONDS), "secret/db#password"
        )
    assert caught.value.retryable
    assert "VAULT_ADDR" in caught.value.hint


# ------------------------------------------------------------------ TLS


@pytest.fixture
def tls_proxy(openbao, certificate_authority):
    with FaultProxy(openbao.address, tls=server_tls(certificate_authority)) as running:
        yield running


@pytest.fixture
def ca_file(certificate_authority, tmp_path):
    path = tmp_path / "ca.pem"
    certificate_authority.cert_pem.write_to_path(path)
    return path


def test_certificate_authority_by_setting_file_or_folder(
    openbao, folder, tls_proxy, ca_file, tmp_path
):
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", ca_file],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    capath = tmp_path / "hashed"
    capath.mkdir()
    (capath / f"{hashed}.0").write_bytes(ca_file.read_bytes())
    for settings, environ in (
        ({"ca_cert": str(ca_file)}, {"VAULT_CACERT": "/nowhere"}),
        ({}, {"VAULT_CACERT": str(ca_file), "VAULT_CAPATH": "/nowhere"}),
        ({}, {"VAULT_CAPATH": str(capath)}),
    ):
        source = vault(tls_proxy.url, openbao.root_token, environ=environ, **settings)
        assert value_at(source, f"secret/{folder}/db#password") == CANARY


def assert_untrusted(source, proxy):
    with pytest.raises(UnavailableError, match="is not trusted") as caught:
        fetch_one(source, "secret/db#password")
    assert not caught.value.retryable
    assert "VAULT_CACERT" in caught.value.hint
    assert_clean(caught.value)
    assert proxy.requests == [], "the token went to a server that could be anybody"


def test_an_unknown_authority_is_refused(tls_proxy):
    assert_untrusted(vault(tls_proxy.url), tls_proxy)


def test_a_certificate_for_another_name_is_refused(openbao, certificate_authority, ca_file):
    tls = server_tls(certificate_authority, "vault.example.com")
    with FaultProxy(openbao.address, tls=tls) as proxy:
        assert_untrusted(vault(proxy.url, ca_cert=str(ca_file)), proxy)


def test_a_ca_cert_that_is_no_certificate(tls_proxy, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    with pytest.raises(SourceError) as caught:
        fetch_one(vault(tls_proxy.url, ca_cert=str(broken)), "secret/db#password")
    assert not caught.value.retryable


def test_a_client_certificate(openbao, folder, certificate_authority, ca_file, tmp_path):
    tls = server_tls(certificate_authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate_authority.configure_trust(tls)
    mine = certificate_authority.issue_cert("client@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    mine.cert_chain_pems[0].write_to_path(certificate)
    mine.private_key_pem.write_to_path(key)
    with FaultProxy(openbao.address, tls=tls) as proxy:
        settings = {"ca_cert": str(ca_file), "token": openbao.root_token}
        source = vault(proxy.url, client_cert=str(certificate), client_key=str(key), **settings)
        assert value_at(source, f"secret/{folder}/db#password") == CANARY
        environ = {"VAULT_CLIENT_CERT": str(certificate), "VAULT_CLIENT_KEY": str(key)}
        source = vault(proxy.url, environ=environ, **settings)
        assert value_at(source, f"secret/{folder}/db#password") == CANARY
        seen = proxy.count()
        with pytest.raises(UnavailableError):
            fetch_one(
                vault(proxy.url, timeout_seconds=BRIEF_SECONDS, **settings), "secret/db#password"
            )
        assert proxy.count() == seen


def test_https_where_http_is_spoken(openbao):
    address = openbao.address.replace("http:", "https:")
    with pytest.raises(UnavailableError, match="no TLS connection") as caught:
        fetch_one(vault(address), "secret/db#password")
    assert not caught.value.retryable


def test_a_tls_server_that_hangs_up_may_come_back():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        source = vault(
            f"https://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=BRIEF_SECONDS
        )
        with pytest.raises(UnavailableError, match="the connection broke") as caught:
            fetch_one(source, "secret/db#password")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert caught.value.retryable


def test_http_where_https_is_spoken(sealable_openbao):
    address = sealable_openbao.address.replace("https:", "http:")
    with pytest.raises(SourceError) as caught:
        fetch_one(vault(address), "secret/db#password")
    assert "https" in caught.value.hint


# ------------------------------------------------------------------ sealed


def test_a_sealed_server_says_so(sealable_openbao):
    server = sealable_openbao
    server.put("app", {"password": CANARY})
    settings = {"ca_cert": str(server.ca_file), "token": server.root_token}
    assert value_at(vault(server.address, **settings), "secret/app#password") == CANARY
    server.seal()
    try:
        source = vault(server.address, timeout_seconds=BRIEF_SECONDS, **settings)
        with pytest.raises(UnavailableError, match="is sealed") as caught:
            fetch_one(source, "secret/app#password")
        assert caught.value.exit_status == 5
        assert "unseal" in caught.value.hint
        assert_clean(caught.value, server.root_token)
    finally:
        server.unseal()
    assert value_at(vault(server.address, **settings), "secret/app#password") == CANARY


# ------------------------------------------------------------------ faults

TRANSIENT = {
    "412": respond(412, f'{{"errors":["{CANARY}"]}}'),
    "429": respond(429, f'{{"errors":["{CANARY}"]}}'),
    "500": respond(500, f'{{"errors":["{CANARY}"]}}'),
    "502": respond(502, f"<html>{CANARY}"),
    "503": respond(503, f'{{"errors":["{CANARY}"]}}'),
    "504": respond(504, f"<html>{CANARY}"),
    "reset": reset(),
    "reset in mid-body": reset_in_body(),
    "truncated": truncate(),
    "redirect to itself": respond(307, "", {"Location": "/v1/elsewhere"}),
}
LASTING = {
    "not JSON": not_json(),
    "no object": respond(200, "[]"),
    "no data": respond(200, f'{{"{CANARY}": null}}'),
    "empty data": respond(200, '{"data": {}}'),
    "data is a list": respond(200, '{"data": {"data": [], "metadata": {"version": 1}}}'),
    "no version": respond(200, '{"data": {"data": {"a": "b"}, "metadata": {}}}'),
    "no body": respond(200),
    "deep": respond(200, "[" * 100_000),
    "bad gzip": respond(200, CANARY, {"Content-Encoding": "gzip"}),
    "teapot": respond(418, CANARY),
    "400": respond(400, f'{{"errors":["{CANARY}"]}}'),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_transient_fault_is_overcome(behind_proxy, proxy, fault):
    proxy.fault(fault, when=is_read, times=1)
    assert value_at(behind_proxy, "db#password") == CANARY


@pytest.mark.parametrize("fault", ["500", "503", "reset in mid-body"])
def test_a_lasting_outage_of_one_path_is_its_own(openbao, folder, proxy, fault):
    openbao.put(f"{folder}/other", {"a": "fine"})
    proxy.fault(TRANSIENT[fault], when=lambda request: request.path.endswith("/db"))
    source = vault(
        proxy.url, openbao.root_token, mount="secret", prefix=folder, timeout_seconds=BRIEF_SECONDS
    )
    refs = [ref("db#password"), ref("db#user"), ref("other#a")]
    outcomes = source.fetch(refs)
    for one in refs[:2]:
        assert isinstance(outcomes[one], UnavailableError)
        assert outcomes[one].retryable
        assert_clean(outcomes[one], openbao.root_token)
    assert outcomes[refs[2]].value.reveal() == "fine"


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_an_answer_that_is_not_vaults_is_asked_for_once(openbao, behind_proxy, proxy, fault):
    proxy.fault(fault, when=is_read)
    outcome = fetch_one(behind_proxy, "db#password")
    assert isinstance(outcome, ProtocolError)
    assert_clean(outcome, openbao.root_token)
    assert proxy.count(is_read) == 1


ODD = (
    "{}",
    '{"data": null}',
    '{"data": []}',
    '{"data": {}}',
    '{"data": {"options": [], "ttl": {}}}',
)


@pytest.mark.parametrize("body", ODD)
def test_odd_answers_before_the_read_raise_nothing_else(behind_proxy, proxy, body):
    for path in ("/v1/auth/token/lookup-self", "/v1/sys/internal/ui/mounts/"):
        proxy.heal()
        proxy.fault(respond(200, body), when=lambda request, path=path: path in request.path)
        try:
            outcome = fetch_one(behind_proxy, "db#password")
        except ProtocolError as error:
            assert_clean(error)
        else:
            assert outcome.value.reveal() == CANARY


def test_a_login_page_at_the_address(openbao, behind_proxy, proxy):
    proxy.fault(not_json())
    with pytest.raises(ProtocolError, match="did not answer as Vault does") as caught:
        fetch_one(behind_proxy, "db#password")
    assert "VAULT_ADDR" in caught.value.hint
    assert_clean(caught.value, openbao.root_token)


def test_nothing_waits_beyond_the_deadline(openbao, folder, proxy):
    proxy.fault(silent(), when=lambda request: request.path.endswith("/db"))
    openbao.put(f"{folder}/other", {"a": "fine"})
    source = vault(
        proxy.url, openbao.root_token, mount="secret", prefix=folder, timeout_seconds=BRIEF_SECONDS
    )
    outcomes = source.fetch([ref("db#password"), ref("other#a")])
    assert isinstance(outcomes[ref("db#password")], UnavailableError)
    assert outcomes[ref("other#a")].value.reveal() == "fine"


def test_a_login_that_drips_ends_with_the_deadline(openbao, folder, proxy):
    """Every byte is in time, and the answer never ends."""
    left = threading.Event()

    def drip(exchange):
        exchange.send_response_only(200)
        exchange.send_header("Content-Length", "1000000")
        exchange.end_headers()
        while not left.wait(0.01):
            exchange.wfile.write(b" ")

    proxy.fault(drip)
    source = vault(proxy.url, openbao.root_token, timeout_seconds=BRIEF_SECONDS)
    try:
        with pytest.raises(UnavailableError, match=f"within {BRIEF_SECONDS} s"):
            fetch_one(source, "secret/db#password")
    finally:
        left.set()


def test_a_token_follows_no_redirect(openbao, behind_proxy, proxy):
    with FaultProxy(openbao.address) as elsewhere:
        there = elsewhere.url + f"/v1/secret?{CANARY}"
        proxy.fault(respond(307, "", {"Location": there}), when=is_read)
        outcome = fetch_one(behind_proxy, "db#password")
        assert isinstance(outcome, ProtocolError)
        assert elsewhere.requests == []
        assert outcome.hint.endswith(f"address to {elsewhere.url}")
        assert_clean(outcome, openbao.root_token)


def test_netrc_is_not_sent(openbao, behind_proxy, proxy):
    path = os.path.join(os.environ["HOME"], ".netrc")
    with open(path, "w") as file:
        file.write("machine 127.0.0.1 login me password mine\n")
    os.chmod(path, 0o600)
    assert value_at(behind_proxy, "db#password") == CANARY
    assert all("authorization" not in request.headers for request in proxy.requests)
    assert {request.headers["x-vault-token"] for request in proxy.requests} == {openbao.root_token}


def test_the_processs_own_vault_settings_are_not_used(openbao, folder, monkeypatch, source):
    """`context.environ` is the environment; hvac alone would read the process's."""
    monkeypatch.setenv("VAULT_NAMESPACE", "tpyo")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_TOKEN", "another")
    assert value_at(source, "db#password") == CANARY


def test_the_proxy_of_the_environment_is_used(monkeypatch, proxy):
    for name in ("no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    proxy.fault(respond(400))
    with pytest.raises(ProtocolError):
        fetch_one(vault("http://vault.invalid:8200"), "secret/db#password")
    assert proxy.requests[0].path.startswith("http://vault.invalid:8200/v1/")
    proxy.refuse()
    with pytest.raises(UnavailableError, match="the proxy of HTTPS_PROXY") as caught:
        fetch_one(
            vault("http://vault.invalid:8200", timeout_seconds=BRIEF_SECONDS), "secret/db#password"
        )
    assert_clean(caught.value)


# ------------------------------------------------------------------ who may what


def test_denied_names_the_path_and_the_policy(openbao, folder):
    policy = openbao.policy({f"secret/data/{folder}/other": ["read"]})
    token = openbao.token(policy)
    outcome = fetch_one(vault(openbao.address, token), f"secret/{folder}/db#password")
    assert isinstance(outcome, DeniedError)
    assert outcome.message == f"cannot read vault:secret/{folder}/db: permission denied"
    assert f"allow 'read' on 'secret/data/{folder}/db'" in outcome.hint
    assert_clean(outcome, token)


def test_denied_to_a_token_that_may_not_look_itself_up(openbao, folder):
    policy = openbao.policy({f"secret/data/{folder}/other": ["read"]})
    source = vault(openbao.address, openbao.token(policy, no_default_policy=True))
    assert isinstance(fetch_one(source, f"secret/{folder}/db#password"), DeniedError)
    assert isinstance(fetch_one(source, "kv1/app#password"), DeniedError)


def is_look(request):
    return request.path.startswith("/v1/sys/internal/ui/mounts/")


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("mount", ["secret", None])
def test_a_server_that_does_not_show_its_mounts(openbao, folder, proxy, status, mount):
    proxy.fault(respond(status, '{"errors": []}'), when=is_look)
    openbao.put(f"{folder}/db", {"password": "one"}, mount="kv1", version=1)
    openbao.put(f"data/{folder}/db", {"password": "of data"}, mount="kv1", version=1)
    source = vault(proxy.url, openbao.root_token, mount=mount)
    wanted = {
        f"/secret/{folder}/db#password": (CANARY, "1"),
        f"/secret/data/{folder}/db?version=1#password": (CANARY, "1"),
        f"/kv1/{folder}/db#password": ("one", None),
    }
    outcomes = source.fetch([ref(text) for text in wanted])
    found = {text: outcomes[ref(text)] for text in wanted}
    assert {text: (got.value.reveal(), got.version) for text, got in found.items()} == wanted
    assert fetch_one(source, f"/secret/{folder}/no#a").reason.startswith("no such secret")
    pinned = fetch_one(source, f"/kv1/{folder}/db?version=1#password")
    assert isinstance(pinned, InvalidReferenceError)
    with pytest.raises(DeniedError, match="does not say which version"):
        source.write(ref(f"/secret/{folder}/db#password"), Secret("x"), expected="1")


def test_mounts_that_are_not_shown_are_asked_for_side_by_side(openbao, folder, proxy):
    """After the first, the looks for the other paths are answered only together."""
    three = threading.Barrier(3, timeout=TIMEOUT_SECONDS)
    not_found = respond(404, '{"errors": []}')

    def together(exchange):
        three.wait()
        not_found(exchange)

    proxy.fault(not_found, when=is_look, times=1)
    proxy.fault(together, when=is_look)
    source = vault(proxy.url, openbao.root_token)
    refs = [ref(f"secret/{folder}/{name}#password") for name in ("db", "a", "b", "c")]
    outcomes = source.fetch(refs)
    assert outcomes[refs[0]].value.reveal() == CANARY
    assert proxy.count(is_look) == 4


def test_denied_where_the_mounts_are_not_shown(openbao, folder, proxy):
    proxy.fault(respond(403, '{"errors": []}'), when=is_look)
    policy = openbao.policy({f"secret/data/{folder}/*": ["read"], f"kv1/{folder}/*": ["read"]})
    openbao.put(f"{folder}/db", {"password": "one"}, mount="kv1", version=1)
    source = vault(proxy.url, openbao.token(policy))
    assert value_at(source, f"secret/{folder}/db#password") == CANARY
    assert value_at(source, f"kv1/{folder}/db#password") == "one"
    assert isinstance(fetch_one(source, f"secret/{folder}/no#a"), Absent)
    assert isinstance(fetch_one(source, f"kv1/{folder}/no#a"), Absent)
    assert isinstance(fetch_one(source, "secret/another/db#a"), DeniedError)


# ------------------------------------------------------------------ writing


def test_write_keeps_what_is_no_text(openbao, folder, source):
    fields = {"password": "before", "port": 8080, "on": True, "tags": ["a", {"b": None}], "n": 1.5}
    openbao.put(f"{folder}/app", fields)
    assert source.write(ref("app#password"), Secret("after"), expected="1") == "2"
    stored = openbao.ask("GET", f"secret/data/{folder}/app")["data"]["data"]
    assert stored == {**fields, "password": "after"}


def test_write_where_a_secret_was_deleted(openbao, folder, source):
    openbao.ask("DELETE", f"secret/data/{folder}/db")
    with pytest.raises(ConflictError, match="exists already, in version 1"):
        source.write(ref("db#password"), Secret("new"), expected=None)
    absent = fetch_one(source, "db#password")
    assert source.write(ref("db#password"), Secret("new"), expected=absent.version) == "2"
    assert value_at(source, "db#*") == '{"password":"new"}'


def test_write_to_a_secret_that_is_gone(openbao, folder, source):
    openbao.ask("DELETE", f"secret/metadata/{folder}/db")
    with pytest.raises(ConflictError, match="is gone") as caught:
        source.write(ref("db#password"), Secret(CANARY), expected="1")
    assert caught.value.exit_status == 7
    assert_clean(caught.value)


def test_write_without_a_field(openbao, folder, source):
    openbao.put(f"{folder}/single", {"only": "before"})
    assert source.write(ref("single"), Secret("after"), expected="1") == "2"
    assert value_at(source, "single#only") == "after"
    with pytest.raises(InvalidReferenceError, match="names no field"):
        source.write(ref("db"), Secret("after"), expected="1")
    with pytest.raises(InvalidReferenceError, match="names no field"):
        source.write(ref("new"), Secret("after"), expected=None)


def test_write_what_is_no_text(source):
    with pytest.raises(InvalidValueError, match="not UTF-8") as caught:
        source.write(ref("db#password"), Secret.from_bytes(CANARY.encode() + b"\xff"), expected="1")
    assert_clean(caught.value)
    assert fetch_one(source, "db#password").version == "1"


def test_write_denied(openbao, folder):
    token = openbao.token(openbao.policy({f"secret/data/{folder}/*": ["read"]}))
    source = vault(openbao.address, token, mount="secret", prefix=folder)
    with pytest.raises(DeniedError) as caught:
        source.write(ref("db#password"), Secret(CANARY), expected="1")
    assert caught.value.hint.startswith(f"allow 'update' on 'secret/data/{folder}/db'")
    assert_clean(caught.value, token)


def test_a_write_whose_answer_was_lost_is_made_once(openbao, folder, behind_proxy, proxy):
    def lose(exchange):
        exchange.ask_upstream()
        exchange.reset()

    proxy.fault(lose, when=lambda request: request.method == "POST", times=1)
    assert behind_proxy.write(ref("db#password"), Secret("new"), expected="1") == "2"
    stored = openbao.ask("GET", f"secret/data/{folder}/db")["data"]
    assert stored["data"] == {"password": "new", "user": "app"}
    assert stored["metadata"]["version"] == 2


def test_a_write_between_read_and_write_is_a_conflict(openbao, folder, behind_proxy, proxy):
    def overtake(exchange):
        openbao.put(f"{folder}/db", {"password": "theirs"})
        exchange.send(exchange.ask_upstream())

    proxy.fault(overtake, when=lambda request: request.method == "POST", times=1)
    with pytest.raises(ConflictError, match="is in version 2, not 1") as caught:
        behind_proxy.write(ref("db#password"), Secret(CANARY), expected="1")
    assert_clean(caught.value)
    assert value_at(behind_proxy, "db#*") == '{"password":"theirs"}'


def test_a_write_that_the_server_refuses(openbao, folder, behind_proxy, proxy):
    proxy.fault(respond(400, CANARY), when=lambda request: request.method == "POST")
    with pytest.raises(ProtocolError, match="for a write of") as caught:
        behind_proxy.write(ref("db#password"), Secret(CANARY), expected="1")
    assert_clean(caught.value)
