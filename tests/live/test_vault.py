"""The Vault source against OpenBao: addressing, versions, transport, faults, writing."""

import json
import os
import secrets
import socket
import ssl
import threading
from functools import partial

import pytest

from envkit.errors import (
    AuthError,
    ConflictError,
    DeniedError,
    InvalidReferenceError,
    InvalidValueError,
    ProtocolError,
    SourceError,
    UnavailableError,
)
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading
from support.fault_proxy import (
    Crowd,
    FaultProxy,
    after,
    lost,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    silent,
    truncate,
)
from support.process import run_program
from support.vault import (
    BRIEF_SECONDS,
    CANARY,
    TIMEOUT_SECONDS,
    assert_clean,
    failing,
    fetch_one,
    ref,
    refused,
    unwritten,
    value_at,
    values_at,
    vault,
    write,
)


@pytest.fixture
def folder(openbao):
    """A path below `secret/` that no other test has, with one secret `db` in it."""
    name = f"live-{secrets.token_hex(6)}"
    openbao.put(f"{name}/db", {"password": CANARY, "user": "app"})
    return name


@pytest.fixture
def everywhere(openbao):
    """A source for the whole server, or with other settings than none."""
    return partial(vault, openbao.address, openbao.root_token)


@pytest.fixture
def source(everywhere, folder):
    return everywhere(mount="secret", prefix=folder)


@pytest.fixture
def proxy(openbao):
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.fixture
def through(openbao, proxy):
    """Like `everywhere`, with requests through the proxy."""
    return partial(vault, proxy.url, openbao.root_token)


@pytest.fixture
def behind_proxy(through, folder):
    return through(mount="secret", prefix=folder)


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
def test_a_location_is_made_of_mount_prefix_and_path(
    everywhere, folder, settings, reference, location
):
    def here(text):
        return text.replace("F", folder)

    source = everywhere(**{key: here(value) for key, value in settings.items()})
    reading = fetch_one(source, here(reference))
    assert isinstance(reading, Reading), reading
    assert reading.value.reveal() == CANARY
    assert (reading.location, reading.version) == (here(location), "1")


def test_nested_mounts_are_read_and_are_not_secrets(openbao, everywhere):
    team = f"team-{secrets.token_hex(4)}"
    openbao.mount(f"{team}/kv", version=2)
    openbao.mount(f"{team}/old", version=1)
    openbao.put("app/db", {"password": "new"}, mount=f"{team}/kv")
    openbao.put("app/db", {"password": "old"}, mount=f"{team}/old", version=1)
    paths = [f"{team}/kv/app/db#password", f"{team}/old/app/db#password"]
    assert values_at(everywhere(), *paths) == ["new", "old"]
    assert fetch_one(everywhere(), paths[0]).location == f"vault:{paths[0]}"
    beside = refused(everywhere(), InvalidReferenceError, text=f"{team}/kv#a")
    assert "is a mount" in beside.message


def test_unusual_names_of_paths_and_fields_are_read(openbao, folder, everywhere):
    path = f"{folder}/a b%2F?#+é&=~".replace("?", "%3F")
    openbao.ask("POST", f"secret/data/{path}", {"data": {"the key": CANARY}})
    quoted = json.dumps(f"secret/{path}", ensure_ascii=False)
    assert value_at(everywhere(), f'{quoted}#"the key"') == CANARY


def test_an_engine_other_than_key_value_is_refused(everywhere):
    outcome = refused(everywhere(), InvalidReferenceError, text="cubbyhole/x#a")
    assert "'cubbyhole' engine" in outcome.message


# ------------------------------------------------------------------ how often it asks


def test_a_fetch_logs_in_once_and_reads_each_secret_once(openbao, folder, source):
    for number in range(20):
        openbao.put(f"{folder}/app{number}", {"a": f"a{number}", "b": f"b{number}"})
    names = [(number, field) for number in range(20) for field in "ab"]
    before = len(openbao.asked())
    found = values_at(source, *(f"app{number}#{field}" for number, field in names))
    assert found == [f"{field}{number}" for number, field in names]
    source.fetch([ref("app0#a")])
    asked = [path for _, path in openbao.asked()[before:]]
    assert not [path for path in asked if path.startswith("auth/")]
    assert len([path for path in asked if path.startswith("sys/internal/ui/mounts/")]) == 1
    assert len([path for path in asked if path.startswith("secret/")]) == 20 + 1
    assert len(asked) == 1 + 20 + 1


def test_two_spellings_of_a_secret_are_one_read(openbao, folder, everywhere):
    before = openbao.reads()
    texts = f"secret/{folder}/db#user", f"/secret/data/{folder}/db#password"
    assert values_at(everywhere(), *texts) == ["app", CANARY]
    assert openbao.reads() - before == 1


def test_reads_are_parallel_and_bounded(openbao, folder, through, proxy):
    """The server answers only when three requests are waiting; fewer would never end."""
    for number in range(9):
        openbao.put(f"{folder}/app{number}", {"a": str(number)})
    crowd = Crowd(threading.Barrier(3, timeout=TIMEOUT_SECONDS).wait)
    proxy.fault(crowd, when=is_read)
    source = through(mount="secret", prefix=folder, concurrency=3)
    found = values_at(source, *(f"app{number}#a" for number in range(9)))
    assert found == list("012345678")
    assert crowd.most == 3


# ------------------------------------------------------------------ versions and absence


def test_a_missing_secret_has_a_reason(openbao, folder, source):
    for value in ("1", "2", "3"):
        openbao.put(f"{folder}/old", {"a": value})
    openbao.ask("PUT", f"secret/destroy/{folder}/old", {"versions": [1]})
    openbao.ask("DELETE", f"secret/data/{folder}/old")
    absences = {
        "old#a": Absent("version 3 was deleted", "3"),
        "old?version=1#a": Absent("version 1 was destroyed", "1"),
        "old?version=9#a": Absent(f"no such version: vault:secret/{folder}/old?version=9"),
        "new#a": Absent(f"no such secret: vault:secret/{folder}/new"),
        "db#pasword": Absent(
            "no field 'pasword' (fields: password, user)", "1", known=("password", "user")
        ),
    }
    outcomes = source.fetch([ref(text) for text in absences])
    assert {text: outcomes[ref(text)] for text in absences} == absences
    assert value_at(source, "old?version=2#a") == "2"


NOT_VAULTS = [
    f"<html>{CANARY}",
    f'{{"message": "{CANARY}"}}',
    *("[]", "", "{}", "null", '"not found"'),
    f'{{"errors": "{CANARY}"}}',
    '{"errors": null}',
    '{"errors": {}}',
    '{"errors": false}',
    '{"data": null}',
    '{"data": {}}',
    f'{{"data": {{"metadata": "{CANARY}"}}}}',
    '{"data": null, "warnings": ["Invalid path for a versioned K/V secrets engine"]}',
]


@pytest.mark.parametrize("body", NOT_VAULTS)
def test_a_404_of_another_server_does_not_mean_missing(behind_proxy, proxy, body):
    proxy.fault(respond(404, body), when=is_read)
    refused(behind_proxy, ProtocolError)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    "body", ["<html>404 Not Found</html>", "{}", '{"errors": []}', '{"errors":["no"]}', "[]", "ok"]
)
def test_a_server_that_gives_every_request_the_same_answer_is_not_vault(
    through, proxy, status, body
):
    proxy.fault(respond(status, body))
    failing(through(), SourceError)


@pytest.fixture
def silent_about_mounts(openbao, proxy):
    """Build a source with a token for some paths, which may not list mounts."""
    proxy.fault(respond(403, '{"errors": []}'), when=lambda request: "/ui/mounts" in request.path)

    def build(*paths):
        policy = openbao.policy({path: ["read"] for path in paths})
        return vault(proxy.url, openbao.token(policy))

    return build


@pytest.fixture(scope="module")
def engines(openbao):
    """Mounts of other engines: type -> path."""
    mounts = {type_: f"{type_}-{secrets.token_hex(4)}" for type_ in ("transit", "database", "pki")}
    for type_, path in mounts.items():
        openbao.ask("POST", f"sys/mounts/{path}", {"type": type_})
    return mounts


NO_SECRETS = [
    *("nowhere/x#a", "secrett/app/db#a", "nowhere/data/x#a", "Secret/db#a", "secret2/db#a"),
    *("{transit}/x#a", "{transit}/keys/x#a", "{database}/creds/x#a", "{database}/config/x#a"),
    *("{pki}/roles/x#a", "{pki}/data/x#a", "cubbyhole/x#a", "identity/entity/x#a"),
    *("sys/mounts#secret", "sys/health#version", "auth/token/lookup-self#id", "auth/x/login#a"),
]


@pytest.mark.parametrize("text", NO_SECRETS)
def test_a_path_outside_every_key_value_engine_is_a_failure(everywhere, engines, text):
    text = text.format(**engines)
    error = refused(everywhere(), InvalidReferenceError, text=text)
    assert text.partition("#")[0] in error.message
    assert error.hint


# paths of other engines, without their mounts; every token has its own store in cubbyhole
OF_OTHERS = [t for t in NO_SECRETS if not t.startswith(("sys", "auth", "cubbyhole"))]


@pytest.mark.parametrize("text", OF_OTHERS)
def test_a_path_outside_every_engine_is_a_failure_when_the_server_hides_its_mounts(
    silent_about_mounts, engines, text
):
    text = text.format(**engines)
    outcome = fetch_one(silent_about_mounts("*"), text)
    assert isinstance(outcome, (InvalidReferenceError, SourceError)), outcome


@pytest.mark.parametrize(
    ("version", "allowed", "kind"),
    [
        (1, "{mount}/*", Absent),
        (2, "{mount}/*", Absent),
        (2, "{mount}/data/*", Absent),
        (2, "{mount}/none", DeniedError),
        (1, "{mount}/none", Absent),
        (1, "elsewhere/*", DeniedError),
        (2, "elsewhere/*", DeniedError),
    ],
)
def test_a_policy_for_the_other_kv_version_does_not_mean_missing(
    openbao, silent_about_mounts, version, allowed, kind
):
    mount = f"kv-{secrets.token_hex(4)}"
    openbao.mount(mount, version=version)
    source = silent_about_mounts(allowed.format(mount=mount))
    assert isinstance(fetch_one(source, f"{mount}/none#a"), kind)


def test_write_and_history_outside_every_mount_are_refused(everywhere):
    with pytest.raises((InvalidReferenceError, DeniedError)):
        everywhere().write(ref("nowhere/db#a"), Secret("x"), expected=None)
    with pytest.raises(InvalidReferenceError, match="no key-value engine is mounted at 'nowhere'"):
        everywhere().history(ref("nowhere/db#a"))


NUMBERS = {
    f"n{index}": text
    for index, text in enumerate(
        ("1.10", "-0", "1e5", "0.0", "2.50E-3", "12345678901234567890123", "[1.10,-0]")
    )
}
NUMBERS_JSON = ",".join(f'"{name}":{text}' for name, text in NUMBERS.items())


def test_numbers_in_kv_version_1_keep_their_text(openbao, everywhere):
    path = f"kv1/n-{secrets.token_hex(4)}"
    openbao.ask("POST", path, f"{{{NUMBERS_JSON}}}")
    texts = [f"{path}#{name}" for name in NUMBERS]
    assert values_at(everywhere(), *texts) == list(NUMBERS.values())
    whole = value_at(everywhere(), f"{path}#*")
    assert whole == f"{{{NUMBERS_JSON}}}"


def test_numbers_in_kv_version_2_keep_the_text_that_the_server_sends(behind_proxy, proxy):
    """OpenBao 2 reformats numbers; envkit reads and writes back what the server returns."""
    answer = f'{{"data":{{"data":{{{NUMBERS_JSON},"s":"x"}},"metadata":{{"version":1}}}}}}'
    proxy.fault(
        respond(200, answer),
        when=lambda request: request.method == "GET" and "/data/" in request.path,
    )
    texts = [f"db#{name}" for name in NUMBERS]
    assert values_at(behind_proxy, *texts) == list(NUMBERS.values())
    write(behind_proxy, "db#s", "é")
    assert NUMBERS_JSON.encode() in proxy.requests[-1].body
    assert json.loads(proxy.requests[-1].body)["data"]["s"] == "é"


# ------------------------------------------------------------------ namespaces


@pytest.fixture
def namespace(openbao):
    name = f"team-{secrets.token_hex(4)}"
    openbao.ask("POST", f"sys/namespaces/{name}", {})
    openbao.mount("kv", version=2, namespace=name)
    openbao.put("db", {"password": f"of {name}"}, mount="kv", namespace=name)
    return name


def test_the_namespace_comes_from_the_settings_or_the_environment(everywhere, namespace):
    for settings in (
        {"namespace": namespace, "environ": {"VAULT_NAMESPACE": "another"}},
        {"namespace": f"{namespace}/"},
        {"environ": {"VAULT_NAMESPACE": namespace}},
        {"environ": {"BAO_NAMESPACE": namespace}},
    ):
        assert value_at(everywhere(**settings), "kv/db#password") == f"of {namespace}"
    refused(everywhere(), InvalidReferenceError, text="kv/db#password")
    assert value_at(everywhere(), f"{namespace}/kv/db#password") == f"of {namespace}"


def test_an_unknown_namespace_does_not_mean_missing(everywhere):
    error = failing(everywhere(namespace="tpyo"), AuthError, "in namespace 'tpyo'")
    assert "VAULT_NAMESPACE" in error.hint


# ------------------------------------------------------------------ the address


def test_an_unresolvable_host_name_is_unavailable(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    source = vault("http://vault.invalid:8200", timeout_seconds=BRIEF_SECONDS)
    error = failing(source, UnavailableError, "its name does not resolve")
    assert error.retryable
    assert "VAULT_ADDR" in error.hint


# ------------------------------------------------------------------ TLS


@pytest.fixture
def tls_proxy(openbao, certificate_authority):
    with FaultProxy(openbao.address, tls=server_tls(certificate_authority)) as running:
        yield running


@pytest.fixture
def ca_file(certificate_authority, tmp_path):
    certificate_authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def test_the_certificate_authority_comes_from_a_setting_a_file_or_a_folder(
    openbao, folder, tls_proxy, ca_file, tmp_path
):
    done = run_program("openssl", "x509", "-hash", "-noout", "-in", ca_file, check=True)
    capath = tmp_path / "hashed"
    capath.mkdir()
    (capath / f"{done.stdout.strip()}.0").symlink_to(ca_file)
    for settings in (
        {"ca_cert": ca_file, "environ": {"VAULT_CACERT": "/nowhere"}},
        {"environ": {"VAULT_CACERT": ca_file, "VAULT_CAPATH": "/nowhere"}},
        {"environ": {"VAULT_CAPATH": str(capath)}},
    ):
        source = vault(tls_proxy.url, openbao.root_token, **settings)
        assert value_at(source, f"secret/{folder}/db#password") == CANARY


def assert_untrusted(source, proxy):
    error = failing(source, UnavailableError, "is not trusted")
    assert not error.retryable
    assert "VAULT_CACERT" in error.hint
    assert proxy.requests == [], "the token went to a server that could be anybody"


def test_an_unknown_authority_is_refused(tls_proxy):
    assert_untrusted(vault(tls_proxy.url), tls_proxy)


def test_a_certificate_for_another_name_is_refused(openbao, certificate_authority, ca_file):
    tls = server_tls(certificate_authority, "vault.example.com")
    with FaultProxy(openbao.address, tls=tls) as proxy:
        assert_untrusted(vault(proxy.url, ca_cert=ca_file), proxy)


def test_a_ca_cert_without_a_certificate_is_an_error(tls_proxy, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    assert not failing(vault(tls_proxy.url, ca_cert=str(broken)), SourceError).retryable


def test_a_client_certificate_is_presented(
    openbao, folder, certificate_authority, ca_file, tmp_path
):
    tls = server_tls(certificate_authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate_authority.configure_trust(tls)
    mine = certificate_authority.issue_cert("client@example.com")
    certificate, key = str(tmp_path / "client.pem"), str(tmp_path / "client.key")
    mine.cert_chain_pems[0].write_to_path(certificate)
    mine.private_key_pem.write_to_path(key)
    with FaultProxy(openbao.address, tls=tls) as proxy:
        to_proxy = partial(vault, proxy.url, openbao.root_token, ca_cert=ca_file)
        environ = {"VAULT_CLIENT_CERT": certificate, "VAULT_CLIENT_KEY": key}
        for settings in ({"client_cert": certificate, "client_key": key}, {"environ": environ}):
            assert value_at(to_proxy(**settings), f"secret/{folder}/db#password") == CANARY
        seen = proxy.count()
        failing(to_proxy(timeout_seconds=BRIEF_SECONDS), UnavailableError)
        assert proxy.count() == seen


def test_https_to_an_http_server_is_reported_as_such(openbao):
    source = vault(openbao.address.replace("http:", "https:"))
    assert not failing(source, UnavailableError, "does not speak https").retryable


def test_a_tls_server_that_hangs_up_is_a_retryable_failure():
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
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        source = vault(address, timeout_seconds=BRIEF_SECONDS)
        assert failing(source, UnavailableError, "the connection broke").retryable
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_http_to_an_https_server_is_reported_as_such(sealable_openbao):
    source = vault(sealable_openbao.address.replace("https:", "http:"))
    error = failing(source, UnavailableError, "speaks https, but the address is http\n")
    assert "https://" in error.hint
    assert not error.retryable


# ------------------------------------------------------------------ sealed


def test_a_sealed_server_is_reported_as_such(sealable_openbao):
    server = sealable_openbao
    server.put("app", {"password": CANARY})
    build = partial(vault, server.address, server.root_token, ca_cert=str(server.ca_file))
    assert value_at(build(), "secret/app#password") == CANARY
    server.seal()
    try:
        source = build(timeout_seconds=BRIEF_SECONDS)
        error = failing(source, UnavailableError, "is sealed", server.root_token)
        assert error.exit_status == 5
        assert "unseal" in error.hint
    finally:
        server.unseal()
    assert value_at(build(), "secret/app#password") == CANARY


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
def test_a_transient_fault_is_retried(behind_proxy, proxy, fault):
    proxy.fault(fault, when=is_read, times=1)
    assert value_at(behind_proxy) == CANARY


OUTAGES = {name: TRANSIENT[name] for name in ("500", "503", "reset in mid-body")}


@pytest.mark.parametrize("fault", [*OUTAGES.values(), silent()], ids=[*OUTAGES, "silent"])
def test_a_lasting_outage_of_one_path_does_not_affect_the_others(
    openbao, folder, through, proxy, fault
):
    openbao.put(f"{folder}/other", {"a": "fine"})
    proxy.fault(fault, when=lambda request: request.path.endswith("/db"))
    source = through(mount="secret", prefix=folder, timeout_seconds=BRIEF_SECONDS)
    *broken, other = [ref(text) for text in ("db#password", "db#user", "other#a")]
    outcomes = source.fetch([*broken, other])
    for one in broken:
        assert isinstance(outcomes[one], UnavailableError)
        assert outcomes[one].retryable
        assert_clean(outcomes[one], openbao.root_token)
    assert outcomes[other].value.reveal() == "fine"


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_an_answer_of_another_server_is_not_retried(openbao, behind_proxy, proxy, fault):
    proxy.fault(fault, when=is_read)
    refused(behind_proxy, ProtocolError, openbao.root_token)
    assert proxy.count(is_read) == 1


ODD = (
    "{}",
    '{"data": null}',
    '{"data": []}',
    '{"data": {}}',
    '{"data": {"options": [], "ttl": {}}}',
)


@pytest.mark.parametrize("body", ODD)
def test_odd_answers_before_the_read_raise_only_envkit_errors(behind_proxy, proxy, body):
    for path in ("/v1/auth/token/lookup-self", "/v1/sys/internal/ui/mounts/"):
        proxy.heal()
        proxy.fault(respond(200, body), when=lambda request, path=path: path in request.path)
        try:
            outcome = fetch_one(behind_proxy, "db#password")
        except ProtocolError as error:
            assert_clean(error)
        else:
            assert outcome.value.reveal() == CANARY


def test_a_login_page_at_the_address_is_an_error(openbao, behind_proxy, proxy):
    proxy.fault(not_json())
    unlike = "did not answer like Vault"
    error = failing(behind_proxy, ProtocolError, unlike, openbao.root_token, text="db#password")
    assert "VAULT_ADDR" in error.hint


def test_a_slowly_dripping_login_ends_at_the_deadline(through, proxy):
    """Every byte arrives in time, but the answer never ends."""
    left = threading.Event()

    def drip(exchange):
        exchange.send_response_only(200)
        exchange.send_header("Content-Length", "1000000")
        exchange.end_headers()
        while not left.wait(0.01):
            exchange.wfile.write(b" ")

    proxy.fault(drip)
    source = through(timeout_seconds=BRIEF_SECONDS)
    try:
        failing(source, UnavailableError, f"within {BRIEF_SECONDS} s")
    finally:
        left.set()


def test_a_token_is_not_sent_after_a_redirect(openbao, behind_proxy, proxy):
    with FaultProxy(openbao.address) as elsewhere:
        there = elsewhere.url + f"/v1/secret?{CANARY}"
        proxy.fault(respond(307, "", {"Location": there}), when=is_read)
        outcome = refused(behind_proxy, ProtocolError, openbao.root_token)
        assert elsewhere.requests == []
        assert outcome.hint.endswith(f"address to {elsewhere.url}")


def test_credentials_in_netrc_are_not_sent(openbao, behind_proxy, proxy):
    path = os.path.join(os.environ["HOME"], ".netrc")
    with open(path, "w") as file:
        file.write("machine 127.0.0.1 login me password mine\n")
    os.chmod(path, 0o600)
    assert value_at(behind_proxy) == CANARY
    assert all("authorization" not in request.headers for request in proxy.requests)
    assert {request.headers["x-vault-token"] for request in proxy.requests} == {openbao.root_token}


def test_vault_variables_of_the_process_itself_are_ignored(monkeypatch, source):
    """`context.environ` is the environment; hvac by itself would read that of the process."""
    monkeypatch.setenv("VAULT_NAMESPACE", "tpyo")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_TOKEN", "another")
    assert value_at(source) == CANARY


def test_the_proxy_of_the_environment_is_used(monkeypatch, proxy):
    for name in ("no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    proxy.fault(respond(400))
    failing(vault("http://vault.invalid:8200"), ProtocolError)
    assert proxy.requests[0].path.startswith("http://vault.invalid:8200/v1/")
    proxy.refuse()
    source = vault("http://vault.invalid:8200", timeout_seconds=BRIEF_SECONDS)
    failing(source, UnavailableError, "the proxy of HTTPS_PROXY")


# ------------------------------------------------------------------ permissions


def test_a_denied_read_names_the_path_and_the_policy(openbao, folder):
    token = openbao.token(openbao.policy({f"secret/data/{folder}/other": ["read"]}))
    source = vault(openbao.address, token)
    outcome = refused(source, DeniedError, token, text=f"secret/{folder}/db#password")
    assert outcome.message == f"cannot read vault:secret/{folder}/db: permission denied"
    assert f"allow 'read' on 'secret/data/{folder}/db'" in outcome.hint


def test_a_token_that_may_not_look_itself_up_gets_a_denied_error(openbao, folder):
    policy = openbao.policy({f"secret/data/{folder}/other": ["read"]})
    source = vault(openbao.address, openbao.token(policy, no_default_policy=True))
    for text in (f"secret/{folder}/db#password", "kv1/app#password"):
        refused(source, DeniedError, text=text)


def is_look(request):
    return request.path.startswith("/v1/sys/internal/ui/mounts/")


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("mount", ["secret", None])
def test_a_secret_is_read_from_a_server_that_hides_its_mounts(
    openbao, folder, through, proxy, status, mount
):
    proxy.fault(respond(status, '{"errors": []}'), when=is_look)
    openbao.put(f"{folder}/db", {"password": "one"}, mount="kv1", version=1)
    openbao.put(f"data/{folder}/db", {"password": "of data"}, mount="kv1", version=1)
    source = through(mount=mount)
    wanted = {
        f"/secret/{folder}/db#password": (CANARY, "1"),
        f"/secret/data/{folder}/db?version=1#password": (CANARY, "1"),
        f"/kv1/{folder}/db#password": ("one", None),
    }
    outcomes = source.fetch([ref(text) for text in wanted])
    found = {text: outcomes[ref(text)] for text in wanted}
    assert {text: (got.value.reveal(), got.version) for text, got in found.items()} == wanted
    assert fetch_one(source, f"/secret/{folder}/no#a").reason.startswith("no such secret")
    refused(source, InvalidReferenceError, text=f"/kv1/{folder}/db?version=1#password")
    path = f"/secret/{folder}/db#password"
    unwritten(source, DeniedError, "does not say which version", text=path)


def test_hidden_mounts_are_looked_up_in_parallel(folder, through, proxy):
    """After the first, the server answers the lookups of the other paths only together."""
    three = threading.Barrier(3, timeout=TIMEOUT_SECONDS)
    not_found = respond(404, '{"errors": []}')

    def together(exchange):
        three.wait()
        not_found(exchange)

    proxy.fault(not_found, when=is_look, times=1)
    proxy.fault(together, when=is_look)
    refs = [ref(f"secret/{folder}/{name}#password") for name in ("db", "a", "b", "c")]
    outcomes = through().fetch(refs)
    assert outcomes[refs[0]].value.reveal() == CANARY
    assert proxy.count(is_look) == 4


def test_a_denied_read_with_hidden_mounts_names_the_path(openbao, folder, proxy):
    proxy.fault(respond(403, '{"errors": []}'), when=is_look)
    policy = openbao.policy({f"secret/data/{folder}/*": ["read"], f"kv1/{folder}/*": ["read"]})
    openbao.put(f"{folder}/db", {"password": "one"}, mount="kv1", version=1)
    source = vault(proxy.url, openbao.token(policy))
    for mount, value in (("secret", CANARY), ("kv1", "one")):
        assert value_at(source, f"{mount}/{folder}/db#password") == value
        assert isinstance(fetch_one(source, f"{mount}/{folder}/no#a"), Absent)
    refused(source, DeniedError, text="secret/another/db#a")


# ------------------------------------------------------------------ writing


def test_a_write_preserves_values_that_are_not_text(openbao, folder, source):
    fields = {"password": "before", "port": 8080, "on": True, "tags": ["a", {"b": None}], "n": 1.5}
    openbao.put(f"{folder}/app", fields)
    assert write(source, "app#password", "after") == "2"
    stored = openbao.ask("GET", f"secret/data/{folder}/app")["data"]["data"]
    assert stored == {**fields, "password": "after"}


def test_a_write_to_a_deleted_secret_creates_a_version(openbao, folder, source):
    openbao.ask("DELETE", f"secret/data/{folder}/db")
    unwritten(source, ConflictError, "already exists, in version 1", expected=None)
    absent = fetch_one(source)
    assert write(source, "db#password", "new", absent.version) == "2"
    assert value_at(source, "db#*") == '{"password":"new"}'


def test_a_write_with_the_version_of_a_removed_secret_is_a_conflict(openbao, folder, source):
    openbao.ask("DELETE", f"secret/metadata/{folder}/db")
    assert unwritten(source, ConflictError, "was deleted").exit_status == 7


def test_a_write_without_a_field_needs_a_secret_with_one_field(openbao, folder, source):
    openbao.put(f"{folder}/single", {"only": "before"})
    assert write(source, "single", "after") == "2"
    assert value_at(source, "single#only") == "after"
    unwritten(source, InvalidReferenceError, "names no field", text="db")
    unwritten(source, InvalidReferenceError, "names no field", text="new", expected=None)


def test_a_write_of_a_value_that_is_not_text_is_refused(source):
    binary = Secret.from_bytes(CANARY.encode() + b"\xff")
    unwritten(source, InvalidValueError, "not UTF-8", value=binary)
    assert fetch_one(source).version == "1"


def test_a_denied_write_names_the_rule_that_it_needs(openbao, folder):
    token = openbao.token(openbao.policy({f"secret/data/{folder}/*": ["read"]}))
    source = vault(openbao.address, token, mount="secret", prefix=folder)
    error = unwritten(source, DeniedError, None, token)
    assert error.hint.startswith(f"allow 'update' on 'secret/data/{folder}/db'")


def is_write(request):
    return request.method == "POST"


def test_a_write_whose_answer_was_lost_happens_once(openbao, folder, behind_proxy, proxy):
    proxy.fault(lost(), when=is_write, times=1)
    assert write(behind_proxy, "db#password", "new") == "2"
    stored = openbao.ask("GET", f"secret/data/{folder}/db")["data"]
    assert stored["data"] == {"password": "new", "user": "app"}
    assert stored["metadata"]["version"] == 2


def test_a_write_between_read_and_write_is_a_conflict(openbao, folder, behind_proxy, proxy):
    overtake = after(lambda: openbao.put(f"{folder}/db", {"password": "theirs"}))
    proxy.fault(overtake, when=is_write, times=1)
    unwritten(behind_proxy, ConflictError, "is at version 2, not 1")
    assert value_at(behind_proxy, "db#*") == '{"password":"theirs"}'


def test_a_write_that_the_server_refuses_is_an_error(behind_proxy, proxy):
    proxy.fault(respond(400, CANARY), when=is_write)
    unwritten(behind_proxy, ProtocolError, "for a write of")
