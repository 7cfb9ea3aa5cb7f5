"""Logging in to OpenBao by every method, tokens that expire and tokens that are renewed."""

import base64
import http.server
import json
import threading
import time
import traceback

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from envkit._internal.clock import Deadline
from envkit.errors import AuthError, ProtocolError
from envkit.profile.placeholder import Reference
from envkit.sources.model import Reading, SourceContext
from envkit.sources.vault.source import VaultSource
from support.fault_proxy import FaultProxy, respond
from support.openbao import RefusedError

REF = Reference("vault", "secret/auth-tests/db", "password")
VALUE = "canary-52c0a1f9"
TIMEOUT_SECONDS = 20.0


@pytest.fixture(scope="module")
def policy(openbao):
    """A policy that may read the one secret of these tests."""
    openbao.put("auth-tests/db", {"password": VALUE})
    return openbao.policy({"secret/data/auth-tests/*": ["read"]})


@pytest.fixture
def vault(openbao, tmp_path):
    """Build a source with an `auth` table, or with none."""

    def build(auth=None, environ=None, *, timeout_seconds=TIMEOUT_SECONDS, address=None):
        settings = {"address": address or openbao.address}
        if auth is not None:
            settings["auth"] = auth
        return VaultSource(
            SourceContext(
                "vault",
                settings=settings,
                deadline=Deadline(timeout_seconds),
                root=str(tmp_path),
                environ=environ or {},
            )
        )

    return build


def value(source):
    outcome = source.fetch([REF])[REF]
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def refusal(source, *credentials):
    """Return the error of a login that must fail, with none of the credentials in it."""
    with pytest.raises(AuthError) as caught:
        source.fetch([REF])
    error = caught.value
    shown = "".join([repr(vars(error)), *traceback.format_exception(error)])
    assert not [one for one in credentials if one in shown]
    assert error.exit_status == 6
    assert error.hint
    return error


# ------------------------------------------------------------------ a token that is there


def test_where_the_token_comes_from(openbao, policy, vault, tmp_path):
    good = openbao.token(policy)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".vault-token").write_text(f"{good}\n")
    at_home = {"HOME": str(home)}
    assert value(vault(None, at_home)) == VALUE
    assert value(vault({"method": "token"}, at_home)) == VALUE
    assert value(vault({"token": good})) == VALUE
    (home / ".vault-token").write_text("stale")
    assert value(vault(None, {**at_home, "BAO_TOKEN": good})) == VALUE
    assert value(vault(None, {**at_home, "VAULT_TOKEN": good, "BAO_TOKEN": "stale"})) == VALUE
    assert value(vault({"token": good}, {**at_home, "VAULT_TOKEN": "stale"})) == VALUE
    assert "does not accept the token" in refusal(vault(None, at_home)).message


def test_a_token_file_that_cannot_be_read(vault, tmp_path):
    (tmp_path / ".vault-token").mkdir()
    error = refusal(vault(None, {"HOME": str(tmp_path)}))
    assert f"cannot read the token from '{tmp_path}/.vault-token': is a directory" in error.message


@pytest.mark.parametrize("token", ["two\nlines", "two words", "tökén", "s.\x00"])
def test_what_can_be_no_token_is_not_shown(vault, token):
    refusal(vault(None, {"VAULT_TOKEN": token}), token, "lines", "kén")


def test_an_unknown_token(vault):
    error = refusal(vault({"token": "s.unknown"}), "s.unknown")
    assert "does not accept the token" in error.message
    assert "vault login" in error.hint


def test_an_expired_token(openbao, policy, vault):
    token = openbao.token(policy, ttl="1s", renewable=False)
    until_gone(openbao, token)
    assert "has expired" in refusal(vault({"token": token}), token).message


def until_gone(openbao, token):
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        try:
            openbao.ask("GET", "auth/token/lookup-self", token=token)
        except RefusedError:
            return
    raise TimeoutError("the token does not expire")


def test_a_token_that_expires_while_the_source_lives(openbao, policy, vault):
    token = openbao.token(policy, ttl="2s", renewable=False)
    source = vault({"token": token})
    assert value(source) == VALUE
    until_gone(openbao, token)
    assert "has expired" in refusal(source, token).message


# ------------------------------------------------------------------ renewing


def renewals(openbao):
    return sum(path == "auth/token/renew-self" for _, path in openbao.asked())


def seconds_left(openbao, token):
    return openbao.ask("GET", "auth/token/lookup-self", token=token)["data"]["ttl"]


def test_a_token_that_would_not_last_is_renewed(openbao, policy, vault):
    token = openbao.token(policy, ttl="10s", explicit_max_ttl="1h")
    before = renewals(openbao)
    source = vault({"token": token}, timeout_seconds=600)
    assert value(source) == VALUE
    assert value(source) == VALUE
    assert renewals(openbao) - before == 1
    assert seconds_left(openbao, token) > 590


def test_a_token_that_lasts_is_left_alone(openbao, policy, vault):
    before = renewals(openbao)
    assert value(vault({"token": openbao.token(policy, ttl="1h")})) == VALUE
    assert value(vault({"token": openbao.root_token})) == VALUE
    never = openbao.token(policy, ttl="10s", renewable=False)
    assert value(vault({"token": never})) == VALUE
    assert renewals(openbao) == before


def test_a_token_that_may_not_renew_itself_serves_while_it_lives(openbao, policy, vault):
    lookup = openbao.policy({"auth/token/lookup-self": ["read"]})
    token = openbao.token(policy, lookup, ttl="10s", no_default_policy=True)
    before = renewals(openbao)
    assert value(vault({"token": token})) == VALUE
    assert renewals(openbao) - before == 1


def test_a_token_that_may_not_look_itself_up_serves(openbao, policy, vault):
    token = openbao.token(policy, no_default_policy=True)
    assert value(vault({"token": token})) == VALUE


# ------------------------------------------------------------------ AppRole


@pytest.fixture
def approle(openbao, policy):
    """Make a role; return the `auth` table for it."""

    def make(**options):
        mount = openbao.enable_auth("approle")
        role = f"auth/{mount}/role/app"
        openbao.ask("POST", role, {"token_policies": [policy], **options})
        made = {
            "method": "approle",
            "mount": mount,
            "role_id": openbao.ask("GET", f"{role}/role-id")["data"]["role_id"],
        }
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
    outcomes = source.fetch([REF, *others])
    assert outcomes[REF].value.reveal() == VALUE
    assert value(source) == VALUE
    assert logins(openbao, auth) == 1


def test_approle_without_a_secret_id(approle, vault):
    auth = approle(bind_secret_id=False, secret_id_bound_cidrs=["127.0.0.1/32"])
    assert value(vault(auth)) == VALUE


def test_approle_refused(approle, vault):
    auth = {**approle(), "secret_id": "wrong-one"}
    error = refusal(vault(auth), "wrong-one", auth["role_id"])
    assert "does not accept the approle login" in error.message
    assert error.hint == "check mount, role_id, secret_id of auth in [sources.vault]"


def test_the_token_of_a_login_is_renewed_when_it_would_not_last(openbao, approle, vault):
    auth = approle(token_ttl="10s", token_max_ttl="1h")
    before = renewals(openbao)
    assert value(vault(auth, timeout_seconds=600)) == VALUE
    assert renewals(openbao) - before == 1


def test_another_login_when_the_first_ones_token_is_over(openbao, approle, vault):
    auth = approle(token_ttl="1s", token_max_ttl="1s")
    source = vault(auth)
    assert value(source) == VALUE
    assert value(source) == VALUE
    assert logins(openbao, auth) == 2


def test_an_unknown_mount_or_namespace(openbao, approle, vault):
    auth = approle()
    error = refusal(vault({**auth, "mount": "tpyo"}), auth["secret_id"])
    assert "does not accept the approle login" in error.message
    assert "check mount" in error.hint
    error = refusal(vault(auth, {"VAULT_NAMESPACE": "tpyo"}), auth["secret_id"])
    assert f"no auth method at '{auth['mount']}' in namespace 'tpyo'" in error.message
    assert "the namespace" in error.hint


# ------------------------------------------------------------------ user and password


def test_userpass(openbao, policy, vault):
    mount = openbao.enable_auth("userpass")
    body = {"password": "hunter2-hunter2", "token_policies": [policy]}
    openbao.ask("POST", f"auth/{mount}/users/app.user", body)
    auth = {"method": "userpass", "mount": mount, "username": "app.user"}
    assert value(vault({**auth, "password": "hunter2-hunter2"})) == VALUE
    refusal(vault({**auth, "password": "wrong-password"}), "wrong-password")


def test_a_user_name_is_one_segment_of_the_path(openbao, vault):
    auth = {"method": "userpass", "username": "../x?y=1", "password": "some-password"}
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(400))
        refusal(vault(auth, address=proxy.url), "some-password")
        assert [request.path for request in proxy.requests] == [
            "/v1/auth/userpass/login/..%2Fx%3Fy%3D1"
        ]


# ------------------------------------------------------------------ JWT


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(key, **claims):
    def part(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    now = int(time.time())
    body = {"iss": "ci.example", "aud": ["envkit"], "iat": now, "exp": now + 600, **claims}
    text = part(b'{"alg":"RS256","typ":"JWT"}') + b"." + part(json.dumps(body).encode())
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return (text + b"." + part(signature)).decode()


@pytest.fixture(scope="module")
def jwt_mount(openbao, policy, key):
    mount = openbao.enable_auth("jwt")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    config = {"jwt_validation_pubkeys": [public.decode()], "default_role": "ci"}
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


def test_jwt_given_or_in_a_file(vault, key, jwt_mount, tmp_path):
    jwt = signed(key, sub="repo:app")
    auth = {"method": "jwt", "mount": jwt_mount, "role": "ci"}
    assert value(vault({**auth, "jwt": jwt})) == VALUE
    (tmp_path / "token.jwt").write_text(f"{jwt}\n")
    assert value(vault({**auth, "jwt_file": "token.jwt"})) == VALUE
    assert value(vault({**auth, "jwt_file": str(tmp_path / "token.jwt")})) == VALUE
    assert value(vault({"method": "oidc", "mount": jwt_mount, "jwt": jwt})) == VALUE


def test_jwt_refused(vault, key, jwt_mount):
    auth = {"method": "jwt", "mount": jwt_mount, "role": "ci"}
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for jwt in (
        signed(key, sub="repo:another"),
        signed(key, sub="repo:app", exp=1),
        signed(another, sub="repo:app"),
        "no-jwt-at-all",
    ):
        refusal(vault({**auth, "jwt": jwt}), jwt)


def test_a_jwt_file_that_is_not_there(vault, tmp_path):
    error = refusal(vault({"method": "jwt", "jwt_file": "none.jwt"}))
    assert f"'{tmp_path}/none.jwt': no such file" in error.message


# ------------------------------------------------------------------ Kubernetes


class TokenReviews(http.server.BaseHTTPRequestHandler):
    """The one request of the Kubernetes API that the auth method makes."""

    known: str

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"authenticated": review["spec"]["token"] == self.known}
        if status["authenticated"]:
            status["audiences"] = review["spec"].get("audiences", [])
            status["user"] = {
                "username": "system:serviceaccount:shop:app",
                "uid": "uid-1",
                "groups": ["system:serviceaccounts"],
            }
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
    role = {
        "bound_service_account_names": ["app"],
        "bound_service_account_namespaces": ["shop"],
        "token_policies": [policy],
    }
    openbao.ask("POST", f"auth/{mount}/role/shop", role)
    return {"method": "kubernetes", "mount": mount, "role": "shop"}, jwt


def test_kubernetes(vault, kubernetes, key, tmp_path, monkeypatch):
    auth, jwt = kubernetes
    (tmp_path / "token").write_text(jwt)
    assert value(vault({**auth, "jwt_file": "token"})) == VALUE
    monkeypatch.setattr("envkit.sources.vault.auth.KUBERNETES_TOKEN_FILE", str(tmp_path / "token"))
    assert value(vault(auth)) == VALUE
    foreign = signed(key, sub="system:serviceaccount:shop:other")
    (tmp_path / "token").write_text(foreign)
    refusal(vault(auth), foreign)


def test_kubernetes_outside_a_cluster(vault):
    error = refusal(vault({"method": "kubernetes", "role": "shop"}))
    assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in error.message


# ------------------------------------------------------------------ answers to a login


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ('{"auth": {"client_token": "", "mfa_requirement": {"a": 1}}}', AuthError, "second factor"),
        ('{"auth": {"client_token": ""}}', ProtocolError, "no token"),
        ('{"auth": {"client_token": 7}}', ProtocolError, "no token"),
        ('{"auth": null}', ProtocolError, "no 'auth'"),
        ("{}", ProtocolError, "no 'auth'"),
    ],
)
def test_odd_answers_to_a_login(openbao, vault, body, error, message):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(200, body))
        source = vault({"method": "approle", "role_id": "role-1"}, address=proxy.url)
        with pytest.raises(error, match=message):
            source.fetch([REF])
