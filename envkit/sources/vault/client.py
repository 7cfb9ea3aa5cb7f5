"""One Vault or OpenBao server over HTTP: hvac on one session, its failures as our errors.

What always holds: certificates are verified; the token goes to the configured
origin and nowhere else, so no redirect is followed; nothing waits beyond the
deadline; no message shows a body, a header or a token.

What a 400, 403 or 404 means depends on the request, so the caller handles them. This
module knows nothing of secrets engines and logins.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.parallel import import_lock
from envkit._internal.retry import retry
from envkit.errors import ProtocolError, UnavailableError
from envkit.sources.vault.address import find_address, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
    """What the server said.

    Attributes:
        status: 2xx, 400, 401, 403 or 404.
        body: the JSON object; empty where there is none, as in a 204 or a proxy's 403.
    """

    status: int
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether the request was served."""
        return self.status < 300

    @property
    def denied(self) -> bool:
        """Whether the token may not do this, or is none."""
        return self.status in (401, 403)

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class VaultClient:
    """Sends requests to one server, with one token. Building one does no request.

    Args:
        context: of the source; see `vault_address.find_address`.
        pool_size: how many connections are kept.
        adapter: connections to use instead of new ones.
        refused: called when the server denies something, or has no such mount.

    Attributes:
        server: for messages, `vault at https://vault.example.com:8200`.
        section: for hints, `[sources.vault]`.
        namespace: of every request; empty for the root.

    Raises:
        AuthError: no usable address, or one that asks not to verify certificates.
        UnavailableError: a file of certificates is not there.
    """

    def __init__(
        self,
        context: SourceContext,
        *,
        pool_size: int,
        adapter: HTTPAdapter | None = None,
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
        session = _session(
            context.deadline, address, adapter or new_adapter(pool_size), already_read
        )
        self._hvac = hvac.Client(
            url=address.url,
            token="",  # None would be the process's own; it is set after the login
            cert=(),  # as above; hvac prefers the session's
            verify=True,  # as above
            session=session,
            adapter=RawAdapter,
            allow_redirects=False,
            namespace=address.namespace or None,
            ignore_exceptions=True,
        )

    @property
    def token(self) -> str:
        """The one in use; empty for none."""
        token: str = self._hvac.token or ""
        return token

    def set_token(self, token: str) -> None:
        """Use this token from now on."""
        self._hvac.token = token

    def call(self, send: Callable[[hvac.Client], Any]) -> Answer:
        """Send one request, again while its failure is transient, and return the answer.

        Args:
            send: makes one request through hvac and returns its response.

        Raises:
            SourceError: no answer, or one that is not Vault's.
        """
        answer = retry(lambda: self._once(send), self._deadline)
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
            raise self._unanswered(error) from None
        except (OSError, ValueError) as error:
            raise self._unsendable(error) from None
        return self._answer(response)

    def _answer(self, response: requests.Response) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            raise self._redirected(response.headers.get("Location", ""))
        if status == 503:
            raise self._not_serving()
        if status in (412, 429) or status >= 500:
            raise self._failed(f"failed to answer ({status})")
        if status >= 300 and status not in _ANSWERS:
            raise self.unexpected(f"status {status}")
        body = _json_object(response.content)
        if body is None and (status == 404 or (status < 300 and status != 204)):
            raise self.unexpected(f"no JSON object, status {status}")
        return Answer(status, body or {})

    def unexpected(self, what: str) -> ProtocolError:
        """Return the error for an answer that Vault would not give; `what` shows none of it."""
        return ProtocolError(
            f"{self.server} did not answer as Vault does: {what}",
            hint=f"check VAULT_ADDR or {self.section} address (https or http, host, port), and "
            "any proxy on the way",
        )

    def _unsendable(self, error: Exception) -> ProtocolError:
        return ProtocolError(
            f"cannot ask {self.server}: {type(error).__name__}",
            hint=f"check the namespace and the files of certificates in {self.section}",
        )

    def _not_serving(self) -> UnavailableError:
        """Ask a server that says 503 whether it is sealed, which it tells anybody."""
        import requests

        try:
            response: requests.Response = self._hvac.sys.read_seal_status()
            status = _json_object(response.content) or {}
        except (requests.RequestException, OSError, ValueError):
            status = {}
        if status.get("sealed") is True:
            return UnavailableError(
                f"{self.server} is sealed", hint="unseal the server: run 'vault operator unseal'"
            )
        return self._failed("does not serve now (503)")

    def _failed(self, how: str) -> UnavailableError:
        return UnavailableError(
            f"{self.server} {how}", hint="run 'vault status', and the command again in a moment"
        )

    def _redirected(self, location: str) -> SourceError:
        """Following would hand the token to whoever the answer names."""
        origin = origin_of(location)
        if origin is None or origin == self._origin:
            # a standby behind the same load balancer; another try may reach the active node
            return self._failed("answers with a redirect, as a standby does")
        return ProtocolError(
            f"{self.server} redirects to {origin}, and a token is not sent elsewhere",
            hint=f"if that server is yours, set VAULT_ADDR or {self.section} address to {origin}",
        )

    def _unanswered(self, error: requests.RequestException) -> SourceError:
        import socket
        import ssl

        import requests

        causes = tuple(_causes(error))

        def caused_by(*kinds: type[BaseException]) -> bool:
            return any(isinstance(cause, kinds) for cause in causes)

        reason = "the connection broke"
        if isinstance(error, requests.exceptions.ContentDecodingError):
            return self.unexpected("a body that cannot be decoded")
        if caused_by(ssl.SSLCertVerificationError):
            return _final(
                UnavailableError(
                    f"the certificate of {self.server} is not trusted",
                    hint=f"set VAULT_CACERT or {self.section} ca_cert to the file of the CA's "
                    "certificate, and use the name that the server's certificate has",
                )
            )
        broke_off = caused_by(ssl.SSLEOFError, ssl.SSLZeroReturnError)
        if isinstance(error, requests.exceptions.SSLError) and not broke_off:
            return _final(
                UnavailableError(
                    f"no TLS connection to {self.server}",
                    hint="check that the address is https, and the client certificate if it asks",
                )
            )
        if isinstance(error, ValueError):  # requests' own for a malformed URL or header
            return self._unsendable(error)
        if isinstance(error, requests.exceptions.ProxyError):
            reason = "the proxy of HTTPS_PROXY or HTTP_PROXY failed"
        elif caused_by(requests.Timeout, TimeoutError):
            reason = "no answer in time"
        elif caused_by(socket.gaierror):
            reason = "its name does not resolve"
        elif caused_by(ConnectionRefusedError):
            reason = "connection refused"
        return UnavailableError(
            f"cannot reach {self.server}: {reason}",
            hint=f"check VAULT_ADDR or {self.section} address, and that the server runs",
        )


def too_late(server: str, deadline: Deadline) -> UnavailableError:
    """Return the error for a deadline that has passed."""
    return UnavailableError(
        f"no answer from {server} within {deadline.timeout_seconds:g} s",
        hint="check the address, or give it more time with --timeout",
    )


def new_adapter(pool_size: int) -> HTTPAdapter:
    """Return what keeps up to `pool_size` connections to one server; several clients may use it."""
    from requests.adapters import HTTPAdapter

    return HTTPAdapter(pool_connections=1, pool_maxsize=pool_size)


def _session(
    deadline: Deadline,
    address: Address,
    adapter: HTTPAdapter,
    already_read: dict[str | None, requests.Response] | None,
) -> requests.Session:
    import requests
    from requests.utils import get_environ_proxies

    class Session(requests.Session):
        """Gives each request the time that is left, and reads nothing twice if it need not."""

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
            left = max(deadline.remaining_seconds(), 0.001)  # urllib3 refuses 0
            options["timeout"] = (min(left, CONNECT_TIMEOUT_SECONDS), left)
            return super().send(request, **options)

    session = Session()
    # the environment is read here, once, and not by requests for each request
    session.trust_env = False
    session.proxies = get_environ_proxies(address.url, no_proxy=None)
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    session.verify = address.ca_cert or bundle or True
    session.cert = address.client_cert
    # without an auth of its own, requests would send what ~/.netrc has for the host
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


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and whatever is behind it: urllib3 and requests wrap in several ways."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
            waiting += cause.args


def _final(error: UnavailableError) -> UnavailableError:
    """Return `error`, which another try cannot mend."""
    error.retryable = False
    return error
