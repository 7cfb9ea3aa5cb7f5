"""A reverse proxy that fails on request, and addresses of unreachable servers.

`FaultProxy` listens on a free loopback port in front of a real HTTP server. It logs all
requests. To the requests that a test chooses, it answers with a fault instead of passing
them on:

    with FaultProxy(openbao.url) as proxy:
        proxy.fault(respond(503), times=2)                      # the next two
        proxy.fault(silent(), when=lambda r: r.path == "/v1/kv/app")  # all of these
        ...
        assert proxy.count(lambda r: r.method == "GET") == 3

Guarantees: faults are tried in the order in which they were added; a request is in the log
before it is answered; leaving the `with` block frees every thread and socket, also those of
waiting requests. Nothing here measures time.

It does not support streaming, upgrades, HTTP/2 or chunked requests.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import select
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import trustme

    Fault = Callable[["Exchange"], None]
    Predicate = Callable[["Request"], bool]

HOST = "127.0.0.1"
UPSTREAM_TIMEOUT_SECONDS = 60
BACKLOG = 128
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Request:
    """One request as it arrived; the names in `headers` are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """The AWS operation, `secretsmanager.GetSecretValue`; empty for other requests."""
        return self.headers.get("x-amz-target", "")


@dataclass(frozen=True)
class Response:
    """One response to be sent; `headers` are without those that frame the body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class _Rule:
    fault: Fault
    when: Predicate | None
    left: int | None  # None: without limit


# ---------------------------------------------------------------- faults


def respond(
    status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None
) -> Fault:
    """Answer with this instead of asking the upstream server."""
    raw = body.encode() if isinstance(body, str) else body
    response = Response(status, raw, tuple((headers or {}).items()))
    return lambda exchange: exchange.send(response)


def not_json() -> Fault:
    """Answer 200 with the page that a captive portal or a wrong address would give."""
    return respond(200, "<html><body>Welcome</body></html>", {"Content-Type": "text/html"})


def silent() -> Fault:
    """Do not answer until the client disconnects or the proxy stops."""
    return lambda exchange: exchange.wait_for_client_to_leave()


def hold(until: threading.Event) -> Fault:
    """Pass the request on once `until` is set: a slow server, without a clock."""

    def fault(exchange: Exchange) -> None:
        exchange.wait_for(until)
        exchange.send(exchange.ask_upstream())

    return fault


def after(action: Callable[[], object]) -> Fault:
    """Run an action and then pass the request on, as if another client were faster."""

    def fault(exchange: Exchange) -> None:
        action()
        exchange.send(exchange.ask_upstream())

    return fault


def lost() -> Fault:
    """Pass the request on, and reset the connection instead of answering."""

    def fault(exchange: Exchange) -> None:
        exchange.ask_upstream()
        exchange.reset()

    return fault


class Crowd:
    """A fault that passes requests on and counts the concurrent ones.

    Args:
        gate: each request waits for it first.
    """

    def __init__(self, gate: Callable[[], object] = lambda: None) -> None:
        self.most = self._now = 0
        self._gate = gate
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._gate()
        answer = exchange.ask_upstream()
        with self._lock:
            self._now -= 1
        exchange.send(answer)


def reset() -> Fault:
    """Reset the connection (RST) before a byte of the response."""
    return lambda exchange: exchange.reset()


def reset_in_body() -> Fault:
    """Reset the connection (RST) after the headers and half of the real body."""

    def fault(exchange: Exchange) -> None:
        exchange.send_half(exchange.ask_upstream())
        exchange.reset()

    return fault


def truncate() -> Fault:
    """Close the connection in good order after the headers and half of the real body."""
    return lambda exchange: exchange.send_half(exchange.ask_upstream())


# ---------------------------------------------------------------- the proxy


class FaultProxy:
    """See the module's docstring.

    Args:
        upstream: `http://HOST:PORT` of the real server.
        tls: what this proxy's own side speaks; see `server_tls`. None for plain HTTP.
    """

    def __init__(self, upstream: str, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(upstream)
        if parts.scheme != "http" or parts.hostname is None or parts.port is None:
            raise ValueError(f"the upstream must be http://HOST:PORT, not {upstream}")
        self.upstream = (parts.hostname, parts.port)
        self._tls = tls
        self._lock = threading.RLock()  # a predicate may ask the log
        self._rules: list[_Rule] = []
        self._requests: list[Request] = []
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self._socket = _bound_socket(0)
        self._socket.listen(BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._listening = self._wanted = True
        self._changed = threading.Condition()
        self._wake, self._woken = socket.socketpair()

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._wake.send(b"x")
        self._acceptor.join()
        self._drop_connections()
        for thread in self._threads:
            thread.join()
        for endpoint in (self._socket, self._wake, self._woken):
            endpoint.close()

    # -------- the interface for tests

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order of their arrival; a copy."""
        with self._lock:
            return list(self._requests)

    def forget(self) -> None:
        """Begin the log of requests anew."""
        with self._lock:
            self._requests.clear()

    def count(self, predicate: Predicate = lambda _: True) -> int:
        """Return the number of requests so far that match `predicate`."""
        return sum(1 for request in self.requests if predicate(request))

    def fault(
        self, fault: Fault, *, when: Predicate | None = None, times: int | None = None
    ) -> None:
        """Answer requests with a fault.

        Args:
            fault: one of the functions of this module, or one of the test's own.
            when: which requests (default: every one).
            times: how many of them (default: all).
        """
        with self._lock:
            self._rules.append(_Rule(fault, when, times))

    def heal(self) -> None:
        """Remove all faults. The log stays, and requests that already wait continue to wait."""
        with self._lock:
            self._rules.clear()

    def refuse(self) -> None:
        """Refuse connections from now on, and close the open ones, without giving up the port."""
        self._listen(False)
        self._drop_connections()

    def accept(self) -> None:
        """Undo `refuse`."""
        self._listen(True)

    # -------- the threads

    def _listen(self, wanted: bool) -> None:
        """Ask the accepting thread, which owns the socket, to start or stop listening."""
        with self._changed:
            self._wanted = wanted
            self._wake.send(b"x")
            self._changed.wait_for(lambda: self._listening == self._wanted)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            watched = [self._woken, *([self._socket] if self._listening else [])]
            ready, _, _ = select.select(watched, [], [])
            if self._woken in ready:
                self._woken.recv(64)
                self._heed()
                continue
            try:
                connection, address = self._socket.accept()
            except OSError:
                continue  # the client has disconnected
            connection.setblocking(True)
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            with self._lock:
                self._connections.add(connection)
            self._threads.append(thread)
            thread.start()

    def _heed(self) -> None:
        with self._changed:
            if self._wanted and not self._listening:
                self._socket.listen(BACKLOG)
            elif self._listening and not self._wanted:
                self._socket.close()
                self._socket = _bound_socket(self.port)  # one that does not listen refuses
            self._listening = self._wanted
            self._changed.notify_all()

    def _serve(self, connection: socket.socket, address: object) -> None:
        endpoint: socket.socket | ssl.SSLSocket = connection
        try:
            if self._tls is not None:
                with self._lock:  # at no moment may `_drop_connections` miss it
                    endpoint = self._tls.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                    self._connections.add(endpoint)
                endpoint.do_handshake()
            Exchange(endpoint, address, self)  # type: ignore[arg-type]
        except OSError:
            pass  # the client disconnected, or did not accept our certificate
        finally:
            with self._lock:
                self._connections -= {connection, endpoint}
            endpoint.close()

    def _drop_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                # not SSLSocket's method, which removes the TLS state that the other thread uses
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def record(self, request: Request) -> Fault | None:
        """Record a request, and return its fault, if any."""
        with self._lock:
            self._requests.append(request)
            for rule in self._rules:
                if rule.left == 0 or (rule.when is not None and not rule.when(request)):
                    continue
                if rule.left is not None:
                    rule.left -= 1
                return rule.fault
        return None


class Exchange(http.server.BaseHTTPRequestHandler):
    """One client's connection, with the operations that a fault can use."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for the client's delayed ACK of the head
    server: FaultProxy  # type: ignore[assignment]
    received: Request

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # every method, Vault's LIST too
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received = Request(self.command, self.path, headers, body)
        fault = self.server.record(self.received)
        if fault is None:
            self.send(self.ask_upstream())
        else:
            fault(self)

    def ask_upstream(self) -> Response:
        """Return the real server's response, or 502 if there is none."""
        received = self.received
        headers = {k: v for k, v in received.headers.items() if k not in _HOP_BY_HOP}
        upstream = http.client.HTTPConnection(*self.server.upstream, UPSTREAM_TIMEOUT_SECONDS)
        try:
            upstream.request(received.method, received.path, received.body, headers)
            answer = upstream.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return Response(502, f"fault proxy: {type(error).__name__}".encode())
        finally:
            upstream.close()
        framing = _HOP_BY_HOP | {"content-length"}
        kept = tuple((k, v) for k, v in answer.getheaders() if k.lower() not in framing)
        return Response(answer.status, body, kept)

    def send(self, response: Response) -> None:
        """Send a whole response."""
        self._send_head(response, len(response.body))
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def send_half(self, response: Response) -> None:
        """Send the headers of a whole response and half of its body, then close."""
        # announces one byte more, so that an empty body is truncated too
        self._send_head(response, len(response.body) + 1)
        self.wfile.write(response.body[: len(response.body) // 2])
        self.close_connection = True

    def reset(self) -> None:
        """Close at once with RST, as a crashed server's kernel does."""
        self.close_connection = True
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        os.close(self.connection.detach())

    def wait_for_client_to_leave(self) -> None:
        """Wait until the client closes, or the proxy stops."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def wait_for(self, event: threading.Event) -> None:
        """Wait until `event` is set, or the proxy stops."""
        while not event.wait(0.01):
            if self.server.stopping.is_set():
                return

    def _send_head(self, response: Response, length: int) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing; the requests are in `FaultProxy.requests`."""


# ---------------------------------------------------------------- unreachable servers


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _bound_socket(port: int) -> socket.socket:
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    endpoint.setblocking(False)  # `_accept` must never wait for a client that has disconnected
    endpoint.bind((HOST, port))
    return endpoint


@contextlib.contextmanager
def dead_address() -> Iterator[str]:
    """Yield a `HOST:PORT` that refuses connections and that no other process can take."""
    with contextlib.closing(_bound_socket(0)) as endpoint:
        yield f"{HOST}:{endpoint.getsockname()[1]}"


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Yield a `HOST:PORT` that accepts every connection and never sends anything."""
    # the kernel completes connections by itself; accept() is never called
    with socket.create_server((HOST, 0), backlog=BACKLOG) as listener:
        yield f"{HOST}:{listener.getsockname()[1]}"


def server_tls(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return the server side of TLS with a certificate of `ca` for `names` (default: 127.0.0.1).

    A client that does not know `ca`, or that asks for a name not among `names`, must refuse it.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*(names or (HOST,))).configure_cert(context)
    return context
