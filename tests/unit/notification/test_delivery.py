"""What webhooks, chats and commands receive, and the errors if they fail."""

import hashlib
import hmac
import json
import socket

import pytest
import trustme

from envkit.notification.channels import Channel, EventKind, Notice
from envkit.notification.delivery import NoticeError, deliver, signature
from support.fault_proxy import FaultProxy, server_tls
from support.hook_server import HookServer

FAILED = Notice(
    "failure",
    "prod",
    "db-password",
    "vault:secret/db#password",
    "postgres",
    "set",
    "the target is away",
    "look at it",
    1_795_577_472.0,
    "host-1",
)


def webhook(where, key=None):
    return Channel("webhook", where, key, tuple(EventKind))


@pytest.fixture
def server():
    with HookServer() as started:
        yield started


def test_a_webhook_gets_the_event_as_json(server):
    deliver(FAILED, webhook(f"{server.address}/hooks?team=a"))
    (got,) = server.received
    assert got.path == "/hooks?team=a"
    assert got.headers["content-type"] == "application/json"
    body = json.loads(got.body)
    assert body["schema"] == "envkit.rotation-event/1"
    assert {key: body[key] for key in ("event", "profile", "rotation", "phase", "error")} == {
        "event": "failure",
        "profile": "prod",
        "rotation": "db-password",
        "phase": "set",
        "error": "the target is away",
    }
    assert body["text"] == "prod/db-password could not be rotated: the target is away"
    assert "envkit-signature" not in got.headers, "there is no key to sign with"


def test_a_webhook_is_signed_with_its_key(server):
    deliver(FAILED, webhook(server.address, "k3y"))
    (got,) = server.received
    timestamp = got.headers["envkit-timestamp"]
    signed = timestamp.encode() + b"." + got.body
    expected = hmac.new(b"k3y", signed, hashlib.sha256).hexdigest()
    assert got.headers["envkit-signature"] == f"sha256={expected}"
    assert b"k3y" not in got.body


def test_a_signature_depends_on_time_body_and_key():
    assert len({signature("a", 1, b"x"), signature("b", 1, b"x"), signature("a", 2, b"x")}) == 3


def test_a_chat_gets_a_sentence(server):
    deliver(FAILED, Channel("slack", server.address, None, tuple(EventKind)))
    text = "prod/db-password could not be rotated: the target is away\nlook at it"
    assert json.loads(server.received[0].body) == {"text": text}


def test_a_name_that_a_client_chose_is_only_text_in_a_chat(server):
    notice = FAILED._replace(error="1 session of app_a '<!channel> & <http://x|y>'")
    deliver(notice, Channel("slack", server.address, None, tuple(EventKind)))
    assert (
        "&lt;!channel&gt; &amp; &lt;http://x|y&gt;" in json.loads(server.received[0].body)["text"]
    )


def test_a_command_gets_names_in_its_environment(tmp_path):
    out = tmp_path / "out"
    command = ("sh", "-c", f'echo "$ENVKIT_EVENT $ENVKIT_ROTATION" > {out}')
    deliver(FAILED, Channel("command", command, None, tuple(EventKind)))
    assert out.read_text() == "failure db-password\n"


@pytest.mark.parametrize(
    ("status", "told"), [(500, "it answered 500"), (404, "it answered 404"), (302, "answered 302")]
)
def test_a_webhook_that_answers_with_an_error_is_reported(server, status, told):
    server.status = status
    with pytest.raises(NoticeError) as caught:
        deliver(FAILED, webhook(f"{server.address}/t0ken"))
    assert told in caught.value.message
    assert "t0ken" not in caught.value.message, "the path of an address may be a secret"
    assert len(server.received) == 1, "a redirect is not followed"


def test_a_webhook_that_does_not_answer_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NoticeError, match="no answer in time"):
            deliver(FAILED, webhook(where), timeout_seconds=0.05)


@pytest.mark.parametrize(
    "where",
    [
        "http://hooks.example.com/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "https://",
        "hooks.example.com",
        "http://127.0.0.1.example.com/x",
        "http://[::1",
        "https://example.com/a b",
    ],
)
def test_a_webhook_must_be_https_or_on_this_machine(where):
    with pytest.raises(NoticeError) as caught:
        deliver(FAILED, webhook(where))
    assert caught.value.hint == "write: https://HOST/PATH"


def test_a_webhook_on_this_machine_bypasses_the_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    deliver(FAILED, webhook(server.address))
    assert len(server.received) == 1


def test_a_webhook_gets_no_login_from_a_netrc_file(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary-31f0\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    deliver(FAILED, webhook(server.address))
    assert "authorization" not in server.received[0].headers


def test_a_webhook_over_https_goes_through_the_proxy_of_the_environment(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(NoticeError, match=r"https://hooks\.invalid"):
            deliver(FAILED, webhook("https://hooks.invalid/t0ken"), timeout_seconds=0.2)
        connection, _ = proxy.accept()
        with connection:
            assert connection.recv(100).startswith(b"CONNECT hooks.invalid:443 ")


def test_a_webhook_is_verified_with_the_certificate_authorities_of_this_machine(
    server, tmp_path, monkeypatch
):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("no_proxy", "*")
    with FaultProxy(server.address, tls=server_tls(ca)) as https:
        with pytest.raises(NoticeError, match="it cannot be reached"):
            deliver(FAILED, webhook(https.url))
        assert server.received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        deliver(FAILED, webhook(https.url))
    assert len(server.received) == 1


def test_a_failing_command_is_reported():
    with pytest.raises(NoticeError, match="cannot notify: 'sh' exited with status 3"):
        deliver(FAILED, Channel("command", ("sh", "-c", "exit 3"), None, tuple(EventKind)))
