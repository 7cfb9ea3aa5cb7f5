"""The page of this machine to which a browser returns after a login.

    with Callback() as callback:
        callback.expect(state)
        returned = callback.wait(deadline)

Guarantees: only this machine can reach it; a request with another state, host or path does not
end the wait; no page shows what a request contains; nothing is logged.
"""

from __future__ import annotations

import threading
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from socketserver import ThreadingTCPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from envkit._internal.os_errors import reason_of
from envkit.errors import AuthError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit._internal.clock import Deadline

PORT = 8250  # that of the Vault CLI, so that roles allow it already
PATH = "/oidc/callback"
_TURN_SECONDS = 30.0  # that the browser waits for the end of the login
_MAX_FORM_BYTES = 65_536
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>envkit</title>'
    '<body style="font-family: sans-serif; margin: 4em"><h1>{}</h1><p>{}</p>'
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Returned(NamedTuple):
    """What the browser came back with.

    Attributes:
        code: of the identity provider; empty if it refused the login.
        error: why it did.
        is_form: whether the provider sent a form instead.
    """

    code: str = ""
    error: str = ""
    is_form: bool = False

    def __repr__(self) -> str:
        return "Returned()"


class Callback:
    """Listens until the browser comes back once.

    Args:
        port: 0 for any.

    Attributes:
        port: it listens on.

    Raises:
        AuthError: it cannot listen.
    """

    def __init__(self, port: int = PORT) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise AuthError(
                f"cannot wait for the browser on localhost:{port}: "
                f"{reason_of(error, type(error).__name__)}",
                hint=f"end the other login, or the program that 'lsof -i :{port}' shows",
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def redirect_uri(self) -> str:
        """The address that the identity provider sends the browser to."""
        return f"http://localhost:{self.port}{PATH}"

    def __enter__(self) -> Callback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish(succeeded=False)
        self._server.shutdown()
        self._server.server_close()

    def expect(self, state: str) -> None:
        """Accept a browser that brings this state; before, none is accepted."""
        self._server.state = state

    def wait(self, deadline: Deadline) -> Returned:
        """Return what the browser came back with.

        Raises:
            AuthError: the browser did not come back in time.
        """
        try:
            return self._server.returned.get(timeout=deadline.remaining_seconds())
        except Empty:
            raise AuthError(
                f"the browser did not come back within {deadline.timeout_seconds:g} s",
                hint="run the command again and log in at once, or set a longer --timeout",
            ) from None

    def finish(self, *, succeeded: bool) -> None:
        """Show the person in the browser how the login ended."""
        server = self._server
        if not server.over.is_set():
            server.succeeded = succeeded
            server.over.set()
            server.shown.wait(1.0 if server.busy else 0)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *arguments: object) -> None:
        self.state = ""
        self.busy = self.succeeded = False
        self.returned: SimpleQueue[Returned] = SimpleQueue()
        self.over, self.shown = threading.Event(), threading.Event()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def handle_error(self, *_: object) -> None:
        """Show nothing: it would be a traceback with the request."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "envkit", ""
    timeout = 20.0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._receive(url.path, url.query, is_form=False)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else 0
        body = self.rfile.read(min(size, _MAX_FORM_BYTES)).decode("ascii", "replace")
        self._receive(urlsplit(self.path).path, body, is_form=True)

    def _receive(self, path: str, query: str, *, is_form: bool) -> None:
        server = self.server
        port = server.server_address[1]
        if self.headers.get("Host", "") not in (f"localhost:{port}", f"127.0.0.1:{port}"):
            self._show(400, "Wrong address", "This page is only for a login of envkit.")
            return
        if path != PATH:
            self._show(404, "Not found", "This page is only for a login of envkit.")
            return
        found = {name: texts[0] for name, texts in parse_qs(query).items()}
        given = found.get("state", "")
        if not server.state or not compare_digest(given.encode(), server.state.encode()):
            self._show(400, "Another login", "envkit waits for the browser of another login.")
            return
        error = found.get("error", "")
        if error and found.get("error_description"):
            error = f"{error}: {found['error_description']}"
        server.busy = True
        server.returned.put(Returned(found.get("code", ""), error, is_form))
        server.over.wait(_TURN_SECONDS)
        if server.succeeded:
            self._show(200, "Logged in", "You can close this page and return to the terminal.")
        else:
            self._show(400, "Not logged in", "The terminal says why.")
        server.shown.set()

    def send_error(self, code: int, *_: object) -> None:
        """Refuse a request that is not valid; the page of `http.server` would quote it."""
        self._show(code, "Not understood", "This page is only for a login of envkit.")

    def _show(self, status: int, title: str, text: str) -> None:
        page = _PAGE.format(title, text).encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Log nothing: a request contains the code."""
