"""Explain why a request got no response, or one of the wrong protocol.

Imported only after a request has failed. No message shows a body, a header or a token.
"""

from __future__ import annotations

import socket
import ssl

import requests

from envkit.errors import ProtocolError, UnavailableError
from envkit.sources.tls_mismatch import (
    answers_with_tls,
    answers_without_tls,
    asks_for_tls,
    causes_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from envkit.errors import SourceError
    from envkit.sources.vault.address import Peer


def unanswered(error: requests.RequestException, peer: Peer) -> SourceError | None:
    """Return the error for a request without a response; None if it could not be sent.

    Args:
        error: the exception from requests.
        peer: the server.
    """
    causes = tuple(causes_of(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    place = f"VAULT_ADDR or {peer.section} address"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return ProtocolError(
            f"{peer.server} did not answer like Vault: a body that cannot be decoded",
            hint=f"check {place}, and any proxy on the way",
        )
    if (failure := _wrong_protocol(error, causes, peer)) is not None:
        return failure
    if isinstance(error, ValueError):  # requests raises it for a malformed URL or header
        return None
    reason, hint = "the connection broke", f"check {place}, and that the server is running"
    if isinstance(error, requests.exceptions.ProxyError):
        reason = f"the proxy of {peer.proxy} failed"
        hint = f"check {peer.proxy}, and that the proxy is running"
    elif caused_by(requests.Timeout, TimeoutError):
        reason = "timed out"
    elif caused_by(socket.gaierror):
        reason = "its name does not resolve"
    elif caused_by(ConnectionRefusedError):
        reason = "connection refused"
    elif peer.origin.startswith("http:"):
        hint = f"check that the server is running, and whether it speaks https: {place} is http"
    return UnavailableError(f"cannot reach {peer.server}: {reason}", hint=hint)


def wants_https(response: requests.Response, peer: Peer) -> UnavailableError | None:
    """Return the error for a response that says the port expects TLS; None for any other."""
    if peer.origin.startswith("http:") and asks_for_tls(response.status_code, response.content):
        return _speaks_https(peer)
    return None


def _wrong_protocol(
    error: requests.RequestException, causes: Collection[BaseException], peer: Peer
) -> UnavailableError | None:
    """Return why TLS failed; None if it did not fail or a retry may help."""
    if answers_with_tls(causes):
        return _speaks_https(peer)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        message = f"the certificate of {peer.server} is not trusted"
        hint = (
            f"set VAULT_CACERT or {peer.section} ca_cert to the file of the CA's certificate, and "
            "use the name that the server's certificate has"
        )
    elif answers_without_tls(causes):
        message = f"{peer.server} does not speak https: it answers without TLS"
        hint = (
            f"correct the port, or write http:// in VAULT_ADDR or {peer.section} address if "
            "you trust the network"
        )
    elif isinstance(error, requests.exceptions.SSLError) and not any(
        isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) for cause in causes
    ):
        message = f"cannot open a TLS connection to {peer.server}"
        hint = (
            "check that the address is https, and the client certificate if the server requires one"
        )
    else:
        return None
    return _final(UnavailableError(message, hint=hint))


def _speaks_https(peer: Peer) -> UnavailableError:
    return _final(
        UnavailableError(
            f"{peer.server} speaks https, but the address is http",
            hint=f"write https:// in VAULT_ADDR or {peer.section} address",
        )
    )


def _final(error: UnavailableError) -> UnavailableError:
    """Return `error` marked as one that a retry cannot fix."""
    error.retryable = False
    return error
