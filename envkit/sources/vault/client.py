"""One Vault or OpenBao server over HTTP: hvac on one session, with envkit's own errors.

Guarantees: certificates are verified; the token is sent only to the configured origin, so
redirects are not followed; nothing waits beyond the deadline; no message shows a body, a
header or a token.

The meaning of a 400, 403 or 404 depends on the request, so callers interpret them. This
module does not know about secrets engines and logins.
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.parallel import import_lock
from envkit.errors import InvalidSettingError, ProtocolError, UnavailableError
from envkit.secret import notice
from envkit.sources.retry import Pace, retry, retry_after
from envkit.sources.vault.address import Peer, find_address, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    import hvac
    import requests
    from requests.adapters import HTTPAdapter

    from envkit._internal.clock import Deadline
    from envkit.errors import SourceError
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.address import Address

CONNECT_TIMEOUT_SECONDS = 5.0
_ANSWERS = (400, 401, 403, 404)


def _ignore() -> None:
    pass


class Answer(NamedTuple):
    """A response from the server.

    Attributes:
        status: 2xx, 400, 401, 403 or 404.
        body: the JSON object; empty if there is none, for example in a 204 or a proxy's 403.
    """

    status: int
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status < 300

    @property
    def denied(self) -> bool:
        """Whether the token lacks permission or is not valid."""
        return self.status in (401, 403)

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class Connections(NamedTuple):
    """The connections to one server and their limits. Clients may share them."""

    adapter: HTTPAdapter
    pace: Pace


class VaultClient:
    """Sends requests to one server with one token. Building one sends no request.

    Args:
        context: the source's context; see `vault_address.find_address`.
        pool_size: the number of connections in the pool.
        connections: existing connections to use.
        refused: called if the server denies a request or has no such mount.

    Attributes:
        server: the server, for messages: `vault at https://vault.example.com:8200`.
        section: the settings, for hints: `[sources.vault]`.
        namespace: the namespace of every request; empty for the root.

    Raises:
        AuthError: there is no address, or certificate verification is disabled.
        InvalidSettingError: a setting, or the variable that replaces it, is not valid.
        UnavailableError: a certificate file does not exist.
    """

    def __init__(
        self,
        context: SourceContext,
        *,
        pool_size: int,
        connections: Connections | None = None,
        refused: Callable[[], None] = _ignore,
    ) -> None:
        with import_lock:
            import hvac
            from hvac.adapters import RawAdapter

        address = find_address(context)
        self.section = f"[sources.{context.name}]"
        self.server = f"{context.name} at {address.origin}"
        self.namespace = address.namespace
        self._origin = address.origin
        self._deadline = context.deadline
        self._refused = refused
        already_read: dict[str | None, requests.Response] | None = None
        if context.already_read is not None:
            already_read = {}
        try:
            adapter, self._pace = connections or connect(pool_size, address)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise self._unsendable(error) from None
        self._attempts = address.attempts
        self._per_second = address.per_second
        proxy = "VAULT_PROXY_ADDR" if address.proxy else "HTTPS_PROXY or HTTP_PROXY"
        self._peer = Peer(self.server, self.section, address.origin, proxy)
        session = _session(context.deadline, address, adapter, already_read)
        self._hvac = hvac.Client(
            url=address.url,
            token="",  # None would use the token of the process; it is set after the login
            cert=(),  # likewise; hvac prefers the certificate of the session
            verify=True,  # likewise
            session=session,
            adapter=RawAdapter,
            allow_redirects=False,
            namespace=address.namespace or None,
            ignore_exceptions=True,
        )

    @property
    def in_namespace(self) -> str:
        """The namespace, for the end of a message; empty for the root."""
        return f" in namespace '{self.namespace}'" if self.namespace else ""

    @property
    def token(self) -> str:
        """The current token; empty if there is none."""
        token: str = self._hvac.token or ""
        return token

    def set_token(self, token: str) -> None:
        """Use a token from now on."""
        notice(token)
        self._hvac.token = token

    def call(self, send: Callable[[hvac.Client], Any], *, attempts: int | None = None) -> Answer:
        """Send a request, repeat it while its failure is transient, and return the response.

        Args:
            send: sends one request with hvac and returns its response.
            attempts: the maximum number of requests; default: that of the user's environment.

        Raises:
            SourceError: there is no response, or it is not from Vault.
        """
        answer = retry(
            lambda: self._once(send),
            self._deadline,
            pace=self._pace,
            busy=self._no_turn,
            attempts=attempts or self._attempts,
        )
        if answer.denied or (answer.status == 404 and answer.body.get("errors")):
            self._refused()
        return answer

    def _once(self, send: Callable[[hvac.Client], Any]) -> Answer:
        import requests

        if self._deadline.expired:
            raise too_late(self.server, self._deadline)
        try:
            response: requests.Response = send(self._hvac)
        except requests.RequestException as error:
            from envkit.sources.vault.failures import unanswered

            raise unanswered(error, self._peer) or self._unsendable(error) from None
        except (OSError, ValueError) as error:
            raise self._unsendable(error) from None
        return self._answer(response)

    def _answer(self, response: requests.Response) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            raise self._redirected(response.headers.get("Location", ""))
        if status in (412, 429) or status >= 500:
            failed = self._not_serving() if status == 503 else None
            raise self._slowed(response, failed or self._failed(f"failed to answer ({status})"))
        if status >= 400 and not response.content.startswith(b"{"):
            from envkit.sources.vault.failures import wants_https

            if (error := wants_https(response, self._peer)) is not None:
                raise error
        if status >= 300 and status not in _ANSWERS:
            raise self.unexpected(f"status {status}")
        body = _json_object(response.content)
        if body is None and (status == 404 or (status < 300 and status != 204)):
            raise self.unexpected(f"not a JSON object, status {status}")
        return Answer(status, body or {})

    def unexpected(self, what: str) -> ProtocolError:
        """Return the error for a response that is not from Vault; `what` must not quote it."""
        return ProtocolError(
            f"{self.server} did not answer like Vault: {what}",
            hint=f"check VAULT_ADDR or {self.section} address (https or http, host, port), and "
            "any proxy on the way",
        )

    def _unsendable(self, error: Exception) -> ProtocolError | InvalidSettingError:
        from requests.exceptions import InvalidSchema, InvalidURL

        # the address is already checked; `socks5://` needs a library that envkit does not have
        if isinstance(error, (InvalidSchema, InvalidURL)):
            return InvalidSettingError(
                f"{self._peer.proxy}, or ALL_PROXY, is not the URL of an http or https proxy",
                hint="set it to http://HOST:PORT, or NO_PROXY to the host of the server",
            )
        return ProtocolError(
            f"cannot ask {self.server}: {type(error).__name__}",
            hint=f"check the namespace and the files of certificates in {self.section}",
        )

    def _not_serving(self) -> UnavailableError:
        """Find out whether a server that responds with 503 is sealed. Needs no login."""
        import requests

        try:
            response: requests.Response = self._hvac.sys.read_seal_status()
            status = _json_object(response.content) or {}
        except (requests.RequestException, OSError, ValueError):
            status = {}
        if status.get("sealed") is True:
            return UnavailableError(f"{self.server} is sealed", hint="run: vault operator unseal")
        return self._failed("is unavailable (503)")

    def _slowed(self, response: requests.Response, error: UnavailableError) -> UnavailableError:
        """Return the error with what the response says about the next attempt."""
        headers, status = response.headers, response.status_code
        wait = retry_after(headers.get("Retry-After"), headers.get("Date"))
        if status == 429:
            error = self._busy()
        elif wait is None:
            return error
        if wait is not None and wait >= self._deadline.remaining_seconds():
            error = UnavailableError(
                f"{error.message}, and asks envkit to wait {wait:.0f} s",
                hint="run the command again after that, or set a longer --timeout",
            )
        error.slow_down, error.retry_after_seconds = True, wait
        return error

    def _no_turn(self) -> UnavailableError:
        if self._per_second is None:
            return self._busy()
        return UnavailableError(
            f"{self.server} was not called: VAULT_RATE_LIMIT leaves no time for a request",
            hint="unset VAULT_RATE_LIMIT, or set a longer --timeout",
        )

    def _busy(self) -> UnavailableError:
        return UnavailableError(
            f"{self.server} asks envkit to slow down (429)",
            hint="run the command again in a moment, or set a longer --timeout",
        )

    def _failed(self, how: str) -> UnavailableError:
        return UnavailableError(
            f"{self.server} {how}", hint="run 'vault status', then run the command again"
        )

    def _redirected(self, location: str) -> SourceError:
        """Return the error for a redirect: following it would send the token to another server."""
        origin = origin_of(location)
        if origin is None or origin == self._origin:
            # a standby behind a load balancer; a retry may reach the active node
            return self._failed("answers with a redirect, as a standby does")
        return ProtocolError(
            f"{self.server} redirects to {origin}, and envkit does not send a token to "
            "another server",
            hint=f"if that server is yours, set VAULT_ADDR or {self.section} address to {origin}",
        )


def too_late(server: str, deadline: Deadline) -> UnavailableError:
    """Return the error for a deadline that has passed."""
    return UnavailableError(
        f"no answer from {server} within {deadline.timeout_seconds:g} s",
        hint="check the store's address, or set a longer --timeout",
    )


def connect(pool_size: int, address: Address) -> Connections:
    """Return a pool of up to `pool_size` connections to one server. Sends no request.

    Raises:
        InvalidSettingError: a certificate is missing.
        OSError: a certificate cannot be read.
    """
    with import_lock:  # the second of two threads would find half of `requests`
        import requests.adapters

    if address.needs_context:
        from envkit.sources.vault.certificates import verifying_adapter

        adapter = verifying_adapter(pool_size, address)
    else:
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=pool_size)
    pace = Pace(pool_size, per_second=address.per_second, burst=address.burst)
    return Connections(adapter, pace)


def _session(
    deadline: Deadline,
    address: Address,
    adapter: HTTPAdapter,
    already_read: dict[str | None, requests.Response] | None,
) -> requests.Session:
    import requests
    from requests.utils import get_environ_proxies

    class Session(requests.Session):
        """Limits each request to the remaining time; sends no read twice with `already_read`."""

        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            if already_read is None or request.method != "GET":
                return self._send(request, **options)
            response = already_read.get(request.url)
            if response is None:
                response = self._send(request, **options)
                if response.status_code in (200, 404):
                    already_read[request.url] = response
            return response

        def _send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            # urllib3 rejects 0
            left = max(deadline.remaining_seconds(address.timeout_seconds), 0.001)
            options["timeout"] = (min(left, CONNECT_TIMEOUT_SECONDS), left)
            return super().send(request, **options)

    session = Session()
    # the environment is read here once, instead of by requests for each request
    session.trust_env = False
    if address.proxy:
        session.proxies = dict.fromkeys(("http", "https"), address.proxy)
    else:
        session.proxies = get_environ_proxies(address.url, no_proxy=None)
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    session.verify = address.ca_cert or bundle or True
    session.cert = address.client_cert
    # otherwise requests would send the credentials for the host in ~/.netrc
    session.auth = lambda request: request
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def _json_object(content: bytes) -> Mapping[str, Any] | None:
    from envkit._internal.json_text import loads

    try:
        body = loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
