"""Logins to OpenBao by every method; expiring and renewed tokens."""

import http.server
import json
import threading
import time
import urllib.request

import pytest

from envkit.errors import AuthError, ProtocolError
from envkit.profile.placeholder import Reference
from support.fault_proxy import FaultProxy, respond
from support.jwt import new_key, public_pem, signed
from support.openbao import RefusedError
from support.vault import CANARY, TIMEOUT_SECONDS, failing, ref, value_at
from support.vault import vault as build

TEXT = "secret/auth-tests/db#password"


@pytest.fixture(scope="module")
def policy(openbao):
    """A policy that may read the one secret of these tests."""
    openbao.put("auth-tests/db", {"password": CANARY})
    return openbao.policy({"secret/data/auth-tests/*": ["read"]})


@pytest.fixture
def vault(openbao, tmp_path):
    """Build a source with an `auth` table, or with none."""

    def with_auth(auth=None, environ=None, **options):
        options = {"address": openbao.address, "root": tmp_path, **options}
        return build(auth=auth, environ=environ, **options)

    return with_auth


def value(source):
    return value_at(source, TEXT)


def refusal(source, *credentials):
    """Return the error of a login that must fail, with none of the credentials in it."""
    error = failing(source, AuthError, None, *credentials, text=TEXT)
    assert error.exit_status == 6
    assert error.hint
    return error


# ------------------------------------------------------------------ a token that is there


def test_the_token_comes_from_the_settings_the_environment_or_a_file(
    openbao, policy, vault, tmp_path
):
    good = openbao.token(policy)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".vault-token").write_text(f"{good}\n")
    at_home = {"HOME": str(home)}
    assert value(vault(None, at_home)) == CANARY
    assert value(vault({"method": "token"}, at_home)) == CANARY
    assert value(vault({"token": good})) == CANARY
    (home / ".vault-token").write_text("stale")
    assert value(vault(None, {**at_home, "BAO_TOKEN": good})) == CANARY
    assert value(vault(None, {**at_home, "VAULT_TOKEN": good, "BAO_TOKEN": "stale"})) == CANARY
    assert value(vault({"token": good}, {**at_home, "VAULT_TOKEN": "stale"})) == CANARY
    assert "does not accept the token" in refusal(vault(None, at_home)).message


def test_an_unreadable_token_file_is_an_error(vault, tmp_path):
    (tmp_path / ".vault-token").mkdir()
    error = refusal(vault(None, {"HOME": str(tmp_path)}))
    assert (
        f"cannot read the token from '{tmp_path}/.vault-token': not a regular file" in error.message
    )


@pytest.mark.parametrize("token", ["two\nlines", "two words", "tökén", "s.\x00"])
def test_an_impossible_token_is_refused_and_not_shown(vault, token):
    refusal(vault(None, {"VAULT_TOKEN": token}), token, "lines", "kén")


def test_an_unknown_token_is_refused_with_a_hint(vault):
    error = refusal(vault({"token": "s.unknown"}), "s.unknown")
    assert "does not accept the token" in error.message
    assert "vault login" in error.hint


def until_gone(openbao, token):
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        try:
            openbao.ask("GET", "auth/token/lookup-self", token=token)
        except RefusedError:
            return
    raise TimeoutError("the token does not expire")


def test_an_expired_token_is_refused_in_an_open_source_and_in_a_new_one(openbao, policy, vault):
    token = openbao.token(policy, ttl="2s", renewable=False)
    source = vault({"token": token})
    assert value(source) == CANARY
    until_gone(openbao, token)
    for expired in (source, vault({"token": token})):
        assert "has expired" in refusal(expired, token).message


# ------------------------------------------------------------------ renewing


def renewals(openbao):
    return sum(path == "auth/token/renew-self" for _, path in openbao.asked())


def seconds_left(openbao, token):
    return openbao.ask("GET", "auth/token/lookup-self", token=token)["data"]["ttl"]


def test_a_token_that_would_expire_soon_is_renewed(openbao, policy, vault):
    token = openbao.token(policy, ttl="10s", explicit_max_ttl="1h")
    before = renewals(openbao)
    source = vault({"token": token}, timeout_seconds=600)
    source.share_connection()  # as in rotations, which take longer than a read
    assert value(source) == CANARY
    assert value(source) == CANARY
    assert renewals(openbao) - before == 1
    assert seconds_left(openbao, token) > 590


def test_a_token_that_lasts_long_enough_is_not_renewed(openbao, policy, vault):
    before = renewals(openbao)
    short = openbao.token(policy, ttl="10s", renewable=False)
    for token in (openbao.token(policy, ttl="1h"), openbao.root_token, short):
        source = vault({"token": token})
        source.share_connection()
        assert value(source) == CANARY
    assert renewals(openbao) == before


def test_a_token_that_may_not_renew_itself_works_until_it_expires(openbao, policy, vault):
    lookup = openbao.policy({"auth/token/lookup-self": ["read"]})
    token = openbao.token(policy, lookup, ttl="10s", no_default_policy=True)
    before = renewals(openbao)
    source = vault({"token": token})
    source.share_connection()
    assert value(source) == CANARY
    assert renewals(openbao) - before == 1


def test_a_read_uses_up_only_one_use_of_a_token(openbao, policy, vault):
    token = openbao.token(policy, num_uses=2)  # one look at the mount, one read
    assert value(vault({"token": token})) == CANARY


def test_a_token_that_may_not_look_itself_up_works(openbao, policy, vault):
    assert value(vault({"token": openbao.token(policy, no_default_policy=True)})) == CANARY


# ------------------------------------------------------------------ AppRole


@pytest.fixture
def approle(openbao, policy):
    """Create a role; return the `auth` table for it."""

    def make(**options):
        mount = openbao.enable_auth("approle")
        role = f"auth/{mount}/role/app"
        openbao.ask("POST", role, {"token_policies": [policy], **options})
        role_id = openbao.ask("GET", f"{role}/role-id")["data"]["role_id"]
        made = {"method": "approle", "mount": mount, "role_id": role_id}
        if options.get("bind_secret_id", True):
            answer = openbao.ask("POST", f"{role}/secret-id", {})
            made["secret_id"] = answer["data"]["secret_id"]
        return made

    return make


def logins(openbao, auth):
    return sum(path.startswith(f"auth/{auth['mount']}/login") for _, path in openbao.asked())


def test_approle_logs_in_once(openbao, approle, vault):
    auth = approle()
    source = vault(auth)
    others = [Reference("vault", f"secret/auth-tests/{number}", "a") for number in range(5)]
    outcomes = source.fetch([ref(TEXT), *others])
    assert outcomes[ref(TEXT)].value.reveal() == CANARY
    assert value(source) == CANARY
    assert logins(openbao, auth) == 1


def test_approle_logs_in_without_a_secret_id(approle, vault):
    auth = approle(bind_secret_id=False, secret_id_bound_cidrs=["127.0.0.1/32"])
    assert value(vault(auth)) == CANARY


def test_a_refused_approle_login_is_an_auth_error(approle, vault):
    auth = {**approle(), "secret_id": "wrong-one"}
    error = refusal(vault(auth), "wrong-one", auth["role_id"])
    assert error.message.endswith("login (400): invalid role or secret ID")
    assert error.hint == "check mount, role_id, secret_id of auth in [sources.vault]"


@pytest.fixture
def wrapped(openbao, approle):
    """Return an `auth` table with a wrapping token as its secret_id."""

    def wrap(method="POST", path="auth/{mount}/role/shop/secret-id", body=None, **options):
        auth = approle(**options)
        role = next(
            name for name in openbao.ask("LIST", f"auth/{auth['mount']}/role")["data"]["keys"]
        )
        path = path.format(mount=auth["mount"]).replace("/shop/", f"/{role}/")
        request = urllib.request.Request(
            f"{openbao.address}/v1/{path}",
            data=json.dumps(body or {}).encode(),
            headers={"X-Vault-Token": openbao.root_token, "X-Vault-Wrap-TTL": "60s"},
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            return {**auth, "secret_id": json.load(answer)["wrap_info"]["token"]}

    return wrap


def test_a_wrapped_secret_id_is_unwrapped_once(wrapped, vault):
    auth = wrapped()
    assert value(vault(auth)) == CANARY
    assert value(vault(auth)) == CANARY, "the process has not forgotten it"


def test_a_wrapping_token_of_another_path_is_refused(openbao, wrapped, vault):
    auth = wrapped(path="sys/wrapping/wrap", body={"secret_id": "theirs"})
    error = refusal(vault(auth), auth["secret_id"], "theirs")
    assert "is a wrapping token, but not for a secret_id" in error.message
    openbao.ask("POST", "sys/wrapping/unwrap", {"token": auth["secret_id"]})  # it still can be


def test_a_used_wrapping_token_is_reported_as_such(openbao, wrapped, vault):
    auth = wrapped()
    openbao.ask("POST", "sys/wrapping/unwrap", {"token": auth["secret_id"]})
    error = refusal(vault(auth), auth["secret_id"])
    assert "looks like a wrapping token" in error.hint


def test_the_token_of_a_login_is_renewed_before_it_expires(openbao, approle, vault):
    auth = approle(token_ttl="10s", token_max_ttl="1h")
    before = renewals(openbao)
    assert value(vault(auth, timeout_seconds=600)) == CANARY
    assert renewals(openbao) - before == 1


def test_a_source_logs_in_again_when_its_token_expired(openbao, approle, vault):
    auth = approle(token_ttl="1s", token_max_ttl="1s")
    source = vault(auth)
    assert value(source) == CANARY
    assert value(source) == CANARY
    assert logins(openbao, auth) == 2


def test_an_unknown_auth_mount_or_namespace_is_an_auth_error(openbao, approle, vault):
    auth = approle()
    error = refusal(vault({**auth, "mount": "tpyo"}), auth["secret_id"])
    assert "does not accept the approle login" in error.message
    assert "check mount" in error.hint
    error = refusal(vault(auth, {"VAULT_NAMESPACE": "tpyo"}), auth["secret_id"])
    assert f"no auth method at '{auth['mount']}' in namespace 'tpyo'" in error.message
    assert "the namespace" in error.hint


# ------------------------------------------------------------------ user and password


def test_userpass_logs_in(openbao, policy, vault):
    mount = openbao.enable_auth("userpass")
    body = {"password": "hunter2-hunter2", "token_policies": [policy]}
    openbao.ask("POST", f"auth/{mount}/users/app.user", body)
    auth = {"method": "userpass", "mount": mount, "username": "app.user"}
    assert value(vault({**auth, "password": "hunter2-hunter2"})) == CANARY
    refusal(vault({**auth, "password": "wrong-password"}), "wrong-password")


def test_a_user_name_is_one_segment_of_the_path(openbao, vault):
    auth = {"method": "userpass", "username": "../x?y=1", "password": "some-password"}
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(400))
        refusal(vault(auth, address=proxy.url), "some-password")
        [request] = proxy.requests
    assert request.path == "/v1/auth/userpass/login/..%2Fx%3Fy%3D1"


# ------------------------------------------------------------------ JWT


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture(scope="module")
def jwt_mount(openbao, policy, key):
    mount = openbao.enable_auth("jwt")
    config = {"jwt_validation_pubkeys": [public_pem(key)], "default_role": "ci"}
    openbao.ask("POST", f"auth/{mount}/config", config)
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["envkit"],
        "bound_subject": "repo:app",
        "token_policies": [policy],
    }
    openbao.ask("POST", f"auth/{mount}/role/ci", role)
    return mount


def test_jwt_logs_in_with_a_token_from_the_settings_or_a_file(vault, key, jwt_mount, tmp_path):
    jwt = signed(key, sub="repo:app")
    auth = {"method": "jwt", "mount": jwt_mount, "role": "ci"}
    assert value(vault({**auth, "jwt": jwt})) == CANARY
    (tmp_path / "token.jwt").write_text(f"{jwt}\n")
    assert value(vault({**auth, "jwt_file": "token.jwt"})) == CANARY
    assert value(vault({**auth, "jwt_file": str(tmp_path / "token.jwt")})) == CANARY
    assert value(vault({"method": "oidc", "mount": jwt_mount, "jwt": jwt})) == CANARY


def test_a_refused_jwt_login_is_an_auth_error(vault, key, jwt_mount):
    auth = {"method": "jwt", "mount": jwt_mount, "role": "ci"}
    for jwt in (
        signed(key, sub="repo:another"),
        signed(key, sub="repo:app", exp=1),
        signed(new_key(), sub="repo:app"),
        "no-jwt-at-all",
    ):
        refusal(vault({**auth, "jwt": jwt}), jwt)


def test_a_missing_jwt_file_is_an_error(vault, tmp_path):
    error = refusal(vault({"method": "jwt", "jwt_file": "none.jwt"}))
    assert f"'{tmp_path}/none.jwt': no such file" in error.message


# ------------------------------------------------------------------ Kubernetes


class TokenReviews(http.server.BaseHTTPRequestHandler):
    """The one request that the auth method sends to the Kubernetes API."""

    known: str

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"authenticated": review["spec"]["token"] == self.known}
        if status["authenticated"]:
            status["audiences"] = review["spec"].get("audiences", [])
            name, groups = "system:serviceaccount:shop:app", ["system:serviceaccounts"]
            status["user"] = {"username": name, "uid": "uid-1", "groups": groups}
        body = json.dumps({**review, "status": status}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster(key):
    """The address of a cluster, and the token of its one service account."""
    account = {"name": "app", "uid": "uid-1"}
    claims = {"namespace": "shop", "serviceaccount": account}
    jwt = signed(key, sub="system:serviceaccount:shop:app", **{"kubernetes.io": claims})
    handler = type("Reviews", (TokenReviews,), {"known": jwt})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", jwt
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def kubernetes(openbao, policy, cluster, certificate_authority):
    """An `auth` table for that cluster, and the token."""
    address, jwt = cluster
    mount = openbao.enable_auth("kubernetes")
    config = {
        "kubernetes_host": address,
        "kubernetes_ca_cert": certificate_authority.cert_pem.bytes().decode(),
        "token_reviewer_jwt": jwt,
        "disable_local_ca_jwt": True,
    }
    openbao.ask("POST", f"auth/{mount}/config", config)
    bound = {"bound_service_account_names": ["app"], "bound_service_account_namespaces": ["shop"]}
    openbao.ask("POST", f"auth/{mount}/role/shop", {**bound, "token_policies": [policy]})
    return {"method": "kubernetes", "mount": mount, "role": "shop"}, jwt


def test_kubernetes_logs_in_with_the_service_account_token(
    vault, kubernetes, key, tmp_path, monkeypatch
):
    auth, jwt = kubernetes
    (tmp_path / "token").write_text(jwt)
    assert value(vault({**auth, "jwt_file": "token"})) == CANARY
    monkeypatch.setattr("envkit.sources.vault.auth.KUBERNETES_TOKEN_FILE", str(tmp_path / "token"))
    assert value(vault(auth)) == CANARY
    foreign = signed(key, sub="system:serviceaccount:shop:other")
    (tmp_path / "token").write_text(foreign)
    refusal(vault(auth), foreign)


def test_kubernetes_outside_a_cluster_names_the_missing_token_file(vault):
    error = refusal(vault({"method": "kubernetes", "role": "shop"}))
    assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in error.message


# ------------------------------------------------------------------ answers to a login


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ('{"auth": {"client_token": "", "mfa_requirement": {"a": 1}}}', ProtocolError, "an MFA"),
        ('{"auth": {"client_token": ""}}', ProtocolError, "no token"),
        ('{"auth": {"client_token": 7}}', ProtocolError, "no token"),
        ('{"auth": null}', ProtocolError, "no 'auth'"),
        ("{}", ProtocolError, "no 'auth'"),
    ],
)
def test_odd_answers_to_a_login_raise_only_envkit_errors(openbao, vault, body, error, message):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(200, body))
        source = vault({"method": "approle", "role_id": "role-1"}, address=proxy.url)
        failing(source, error, message, text=TEXT)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": ["invalid role or secret ID"]}, ": invalid role or secret ID"),
        ({"errors": ["  two\nlines.  ", "more"]}, ": two lines"),
        ({"errors": [f"unknown secret {CANARY}"]}, ""),
        ({"errors": [f"'{CANARY[3:11]}' is wrong"]}, ""),
        *(({"errors": errors}, "") for errors in ([], [7], "text", None, {}, [""], ["x" * 999])),
        ({"errors": ["\x1b[2Jcleared"]}, ""),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("method", ["approle", "userpass", "jwt"])
def test_a_refused_login_says_why_and_shows_no_credential(openbao, vault, method, body, said):
    credentials = {
        "approle": {"role_id": "role-1", "secret_id": CANARY},
        "userpass": {"username": "me", "password": CANARY},
        "jwt": {"role": "me", "jwt": CANARY},
    }
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(400, json.dumps(body)))
        error = refusal(vault({"method": method, **credentials[method]}, address=proxy.url))
    assert error.message.endswith(f"does not accept the {method} login (400){said}")


@pytest.mark.parametrize(
    ("odd", "told"), [("\n", "a newline"), (" ", "a space"), ("\0", "a NUL"), ("é", "a character")]
)
@pytest.mark.parametrize("key", ["role_id", "secret_id"])
def test_a_refused_login_names_odd_characters_in_a_credential(openbao, vault, key, odd, told):
    auth = {"method": "approle", "role_id": f"role-{CANARY}", "secret_id": f"secret-{CANARY}"}
    auth[key] += f"{odd}x"
    error = refusal(vault(auth))
    assert f"; {key} contains {told}" in error.message
    assert error.hint.startswith(f"remove {told}")
