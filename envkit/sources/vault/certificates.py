"""Verify certificates in ways that requests does not support: a folder, a PEM text, another name.

Imported only if one of these is configured. Guarantee: a certificate is required and is
verified against the configured authorities only.
"""

from __future__ import annotations

import os
import re
import ssl
import stat

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from envkit.errors import InvalidSettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from envkit.sources.vault.address import Address

MAX_BYTES = 8 << 20  # per file; all public authorities together are less than 1 MiB
MAX_FILES = 2_000  # per folder; there are fewer than 200 public authorities
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII
)


def verifying_adapter(pool_size: int, address: Address) -> HTTPAdapter:
    """Return an adapter for one server.

    Args:
        pool_size: the number of connections in the pool.
        address: the server, with its authorities, client certificate and name.

    Raises:
        InvalidSettingError: a certificate is missing.
    """
    options: dict[str, Any] = {"ssl_context": _context(address)}
    if address.server_name:
        options["server_hostname"] = address.server_name

    class Adapter(HTTPAdapter):
        """Use our TLS context instead of the `verify` and `cert` of requests."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **{**kwargs, **options})

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            return super().proxy_manager_for(proxy, **kwargs, **options)

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
            conn.cert_reqs = "CERT_REQUIRED"

        def build_connection_pool_key_attributes(
            self, request: Any, verify: Any, cert: Any = None
        ) -> tuple[dict[str, Any], dict[str, Any]]:
            del verify, cert
            host, _ = super().build_connection_pool_key_attributes(request, True, None)  # noqa: FBT003
            return host, {"cert_reqs": "CERT_REQUIRED"}

    return Adapter(pool_connections=1, pool_maxsize=pool_size)


def _context(address: Address) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate with a matching name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.ca_pem:
        if not _load(context, address.ca_pem.encode(errors="replace")):
            raise InvalidSettingError(
                "VAULT_CACERT_BYTES contains no certificate",
                hint="set it to the text of a PEM file: it begins with "
                "'-----BEGIN CERTIFICATE-----'",
            )
    elif address.ca_cert is not None and os.path.isdir(address.ca_cert):
        # load the files one by one: OpenSSL finds only files with hashed names
        if not sum([_load(context, content) for content in _contents(address.ca_cert)]):
            raise InvalidSettingError(
                f"no file in '{address.ca_cert}' contains a certificate",
                hint="put PEM files into that folder: they begin with "
                "'-----BEGIN CERTIFICATE-----'",
            )
    else:
        own = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        context.load_verify_locations(address.ca_cert or own or DEFAULT_CA_BUNDLE_PATH)
    if address.client_cert is not None:
        certificate, key = (
            (address.client_cert, None)
            if isinstance(address.client_cert, str)
            else address.client_cert
        )
        # for an encrypted key, OpenSSL would prompt for the password
        context.load_cert_chain(certificate, key, password=lambda: b"")
    return context


def _load(context: ssl.SSLContext, content: bytes) -> int:
    """Load all certificates of a PEM text and return their number."""
    loaded = 0
    for block in _PEM.findall(content):
        try:
            context.load_verify_locations(cadata=block.decode())
        except (ssl.SSLError, ValueError):
            continue  # an unusable certificate is not trusted
        loaded += 1
    return loaded


def _contents(folder: str) -> Iterator[bytes]:
    """Yield the content of each regular file in a folder tree; only links to files are followed."""
    seen = 0
    for parent, _, names in os.walk(folder):
        seen += len(names)
        if seen > MAX_FILES:
            raise InvalidSettingError(
                f"the certificate folder '{folder}' contains more than {MAX_FILES:,} files",
                hint="name a folder that contains only certificates",
            )
        for name in sorted(names):
            try:
                # opening a FIFO would block
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(os.path.join(parent, name), flags)
            except OSError:
                continue
            with open(descriptor, "rb") as file:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    yield file.read(MAX_BYTES)
