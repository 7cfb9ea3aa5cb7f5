"""The fault proxy works as the tests that use it assume."""

from __future__ import annotations

import http.client
import http.server
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from support.fault_proxy import (
    FaultProxy,
    dead_address,
    hold,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    silent,
    truncate,
)

BODY = b"0123456789" * 100


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = BODY + sent
        self.send_response(200 if self.path != "/missing" else 404)
        self.send_header("X-Upstream", f"{self.command} {self.path}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_LIST = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: str) -> Iterator[FaultProxy]:
    with FaultProxy(upstream) as running:
        yield running


def fetch(
    proxy: FaultProxy, path: str = "/", method: str = "GET", body: bytes | None = None
) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.getheader("X-Upstream"), response.read()
    finally:
        connection.close()


def test_requests_pass_and_are_logged(proxy: FaultProxy) -> None:
    assert fetch(proxy, "/a?b=c", "POST", b"sent") == (200, "POST /a?b=c", BODY + b"sent")
    assert fetch(proxy, "/kv", "LIST") == (200, "LIST /kv", BODY)
    assert fetch(proxy, "/missing")[0] == 404
    seen = [(r.method, r.path) for r in proxy.requests]
    assert seen == [("POST", "/a?b=c"), ("LIST", "/kv"), ("GET", "/missing")]
    assert proxy.requests[0].body == b"sent"
    assert proxy.requests[0].headers["content-length"] == "4"
    assert proxy.count() == 3
    assert proxy.count(lambda r: r.method == "LIST") == 1


def test_one_connection_serves_several_requests(proxy: FaultProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.connect()
    endpoint = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        assert connection.getresponse().read() == BODY
        assert connection.sock is endpoint
    connection.close()


def test_the_log_has_every_one_of_many_concurrent_requests(proxy: FaultProxy) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: fetch(proxy, f"/{n}")[0], range(40)))
    assert statuses == [200] * 40
    assert sorted(r.path for r in proxy.requests) == sorted(f"/{n}" for n in range(40))


def test_operation_is_the_aws_operation_of_a_request(proxy: FaultProxy) -> None:
    url = f"{proxy.url}/"
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue"}
    urllib.request.urlopen(urllib.request.Request(url, b"{}", headers)).close()
    fetch(proxy)
    assert [r.target for r in proxy.requests] == ["secretsmanager.GetSecretValue", ""]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_test_may_send_its_own_response(proxy: FaultProxy, status: int) -> None:
    proxy.fault(respond(status, '{"errors":[]}', {"X-Upstream": "none"}))
    assert fetch(proxy) == (status, "none", b'{"errors":[]}')


def test_a_body_that_is_not_json_reaches_the_client(proxy: FaultProxy) -> None:
    proxy.fault(not_json())
    status, _, body = fetch(proxy)
    assert (status, body[:6]) == (200, b"<html>")


def test_a_fault_may_apply_to_the_next_requests_only(proxy: FaultProxy) -> None:
    proxy.fault(respond(503), times=2)
    proxy.fault(respond(429), times=1)
    assert [fetch(proxy)[0] for _ in range(4)] == [503, 503, 429, 200]


def test_a_fault_may_apply_to_chosen_requests_only(proxy: FaultProxy) -> None:
    proxy.fault(respond(500), when=lambda r: r.path.startswith("/v1/secret"))
    statuses = [fetch(proxy, path)[0] for path in ("/v1/auth", "/v1/secret/a", "/v1/secret/b")]
    assert statuses == [200, 500, 500]
    proxy.heal()
    assert fetch(proxy, "/v1/secret/a")[0] == 200
    assert proxy.count() == 4


def test_a_connection_can_be_reset_before_the_response(proxy: FaultProxy) -> None:
    proxy.fault(reset())
    with pytest.raises(ConnectionResetError):
        fetch(proxy)


def test_a_connection_can_be_reset_in_the_middle_of_the_body(proxy: FaultProxy) -> None:
    proxy.fault(reset_in_body())
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, response.getheader("X-Upstream")) == (200, "GET /")
    with pytest.raises(ConnectionResetError):
        response.read()
    response.close()
    connection.close()


def test_a_body_can_end_early(proxy: FaultProxy) -> None:
    proxy.fault(truncate())
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(proxy)
    assert caught.value.partial == BODY[: len(BODY) // 2]


def test_a_silent_server_disconnects_when_the_proxy_stops(upstream: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with FaultProxy(upstream) as proxy:
            proxy.fault(silent())
            asked = pool.submit(fetch, proxy)
            while not proxy.count():
                assert not asked.done(), asked.result()
        with pytest.raises(http.client.RemoteDisconnected):
            asked.result(timeout=30)


def test_a_silent_server_outlasts_the_timeout_of_the_client(proxy: FaultProxy) -> None:
    proxy.fault(silent())
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=0.05)
    connection.request("GET", "/")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_slow_server_answers_when_the_test_allows_it(proxy: FaultProxy) -> None:
    go = threading.Event()
    proxy.fault(hold(go))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fetch, proxy)
        while not proxy.count():
            assert not asked.done(), asked.result()
        assert not asked.done()
        go.set()
        assert asked.result(timeout=30)[0] == 200


def test_the_proxy_can_refuse_and_accept_connections_again(proxy: FaultProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("GET", "/")
    connection.getresponse().read()
    proxy.refuse()
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        fetch(proxy)
    assert connection.sock.recv(1) == b"", "the open connection was not closed"
    connection.close()
    proxy.accept()
    assert fetch(proxy)[0] == 200
    assert proxy.count() == 2


def test_an_unreachable_upstream_is_a_502() -> None:
    with dead_address() as address, FaultProxy(f"http://{address}") as proxy:
        assert fetch(proxy) == (502, None, b"fault proxy: ConnectionRefusedError")


def test_tls_works_with_the_right_certificate_and_fails_with_others(upstream: str) -> None:
    known, unknown = trustme.CA(), trustme.CA()
    client = ssl.create_default_context()
    known.configure_trust(client)

    def status(server: ssl.SSLContext) -> int:
        with FaultProxy(upstream, tls=server) as proxy:
            with urllib.request.urlopen(proxy.url, context=client, timeout=30) as response:
                assert response.read() == BODY
            return int(response.status)

    assert status(server_tls(known)) == 200
    with pytest.raises(urllib.error.URLError, match=r"unable to get local issuer|self.signed"):
        status(server_tls(unknown))
    with pytest.raises(urllib.error.URLError, match="IP address mismatch"):
        status(server_tls(known, "vault.example.com"))


def test_a_client_that_never_starts_tls_does_not_block_the_stop(
    upstream: str,
) -> None:
    with FaultProxy(upstream, tls=server_tls(trustme.CA())) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
        while not proxy._connections:
            pass  # accepted, so that a thread waits for the handshake
    assert client.recv(1) == b""
    client.close()
