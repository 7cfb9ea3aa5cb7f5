"""Serve `/healthz`, `/readyz` and `/metrics` over HTTP while a scheduler runs.

    with Endpoint("127.0.0.1:9464", metrics=metrics.text, healthy=..., ready=...) as endpoint:
        scheduler.run()

The endpoint answers GET and HEAD only. A response has no value and no error message. Slow clients
are disconnected. There is no login and no TLS: listen only where all clients may know the names
of the rotations.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from envkit._internal.os_errors import reason_of
from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # defined by Prometheus
SLOW_SECONDS = 10.0


def listen_address(text: str) -> tuple[str, int]:
    """Return the host and the port of `127.0.0.1:9464`, `[::1]:9464` or `:9464` (loopback).

    Raises:
        UsageError: the text is not such an address.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {text!r} has no port", hint="use --listen 127.0.0.1:9464")
    if ":" in bare and bare == host:
        raise UsageError(f"--listen {text!r} is not an address", hint="use --listen [::1]:9464")
    return bare or "127.0.0.1", int(port)


class Endpoint:
    """A server in its own thread, which listens as soon as it is built.

    Args:
        address: in a form that `listen_address` accepts; port 0 means any free one.
        metrics: returns the text of `/metrics`.
        healthy: returns why this process should be restarted; empty if it is healthy.
        ready: returns what the process is waiting for; empty if it is ready.

    Attributes:
        host, port: the address where it listens.

    Raises:
        UsageError: it cannot listen there.
    """

    def __init__(
        self,
        address: str,
        *,
        metrics: Callable[[], bytes],
        healthy: Callable[[], str],
        ready: Callable[[], str],
    ) -> None:
        import socket
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        def state(what: Callable[[], str]) -> tuple[int, bytes]:
            wrong = what()
            return (503 if wrong else 200), f"{wrong or 'ok'}\n".encode()

        class Handler(BaseHTTPRequestHandler):
            timeout = SLOW_SECONDS
            server_version, sys_version = "envkit", ""

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    status, body = 200, metrics()
                elif path == "/healthz":
                    status, body = state(healthy)
                elif path == "/readyz":
                    status, body = state(ready)
                else:
                    status, body = 404, b"see /healthz, /readyz, /metrics\n"
                self.send_response(status)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - the name that http.server requires

            def log_message(self, *_: object) -> None:
                """Log nothing: a probe every few seconds is not worth a line."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Log nothing: the client has closed the connection."""

        host, port = listen_address(address)
        try:
            [family, *_, where] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            Server.address_family = family
            self._server = Server((str(where[0]), int(where[1])), Handler)
        except OSError as error:
            reason = reason_of(error, "it is not an address of this machine")
            raise UsageError(
                f"cannot listen on {address}: {reason}", hint="name another port with --listen"
            ) from None
        self.host = str(self._server.server_address[0])
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown()
            self._server.server_close()
