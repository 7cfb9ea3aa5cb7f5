"""Deliver a notice: to a webhook, a chat or a command.

    POST /hooks HTTP/1.1
    Content-Type: application/json
    Envkit-Timestamp: 1790000000
    Envkit-Signature: sha256=...      HMAC-SHA-256 of "TIMESTAMP.BODY", with the channel's key

Only https is used, or http to this machine without a proxy. Redirects are not followed, no login
is read from a file on this host, and every call has a timeout. A notice that cannot be delivered
is an error for the caller to report; it does not affect the rotation.
"""

from __future__ import annotations

from envkit.errors import EnvkitError
from envkit.notification.channels import ChannelKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.notification.channels import AnyNotice, Channel

TIMEOUT_SECONDS = 10.0
MOST_OUTPUT_BYTES = 16_384  # of a command, on stderr
MOST_FACT_CHARACTERS = 30_000  # Linux takes 128 KiB in one variable of a process


class NoticeError(EnvkitError):
    """A notice could not be delivered."""

    code = "notice-failed"
    exit_status = 1


def deliver_all(notice: AnyNotice, channels: Iterable[Channel]) -> list[EnvkitError]:
    """Send a notice to all of these channels, and return the errors."""
    failures = []
    for channel in channels:
        try:
            deliver(notice, channel)
        except EnvkitError as error:
            failures.append(error)
    return failures


def deliver(
    notice: AnyNotice, channel: Channel, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Send a notice to one channel.

    Args:
        notice: what happened.
        channel: the channel, with its placeholders resolved.
        timeout_seconds: how long the channel may take to connect, and to answer or end.

    Raises:
        NoticeError: the notice was not accepted.
    """
    if channel.kind == ChannelKind.COMMAND:
        _run(notice, channel, timeout_seconds)
        return
    address = channel.where
    assert isinstance(address, str)  # noqa: S101 - the policy has checked it
    if channel.kind == ChannelKind.SLACK:
        text = f"{notice.sentence}\n{notice.hint}".rstrip()
        _post(channel.kind, address, {"text": _slack_text(text)}, timeout_seconds)
        return
    document = {"schema": notice.schema, **notice._asdict(), "text": notice.sentence}
    _post(channel.kind, address, document, timeout_seconds, channel.key)


def _slack_text(text: str) -> str:
    """Escape a text: a name that a client chose must not become a link or mention everyone.

    Reference: https://docs.slack.dev/messaging/formatting-message-text/
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def signature(key: str, timestamp: int, body: bytes) -> str:
    """Return the value of `Envkit-Signature`."""
    import hmac

    signed = str(timestamp).encode() + b"." + body
    digest = hmac.new(key.encode("utf-8", "surrogateescape"), signed, "sha256").hexdigest()
    return f"sha256={digest}"


def _post(
    kind: str,
    address: str,
    document: Mapping[str, object],
    timeout_seconds: float,
    key: str | None = None,
) -> None:
    import json
    import time

    from envkit._internal.parallel import import_lock

    with import_lock:
        import requests
        from requests.utils import get_environ_proxies

    where = checked_address(kind, address)
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "envkit"}
    if key is not None:
        timestamp = int(time.time())
        headers["Envkit-Timestamp"] = str(timestamp)
        headers["Envkit-Signature"] = signature(key, timestamp, body)
    try:
        with requests.Session() as session:
            session.trust_env = False  # never send a login from ~/.netrc to a webhook
            local = where.startswith("http:")  # plain http stays on this machine: no proxy
            with session.post(
                address,
                body,
                headers=headers,
                timeout=timeout_seconds,
                allow_redirects=False,
                proxies={} if local else get_environ_proxies(address),
                verify=_authorities(),
                stream=True,  # the body of the response is not read
            ) as response:
                status = response.status_code
        if 200 <= status < 300:
            return
        reason = f"it answered {status}"
    except requests.Timeout:
        reason = "no answer in time"
    except (OSError, ValueError):  # requests raises subclasses of OSError
        reason = "it cannot be reached"
    raise NoticeError(f"cannot notify the {kind} at {where}: {reason}")


def _authorities() -> str | bool:
    """Return the path of this machine's CA certificates; True selects those of requests."""
    import ssl

    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def checked_address(kind: str, address: str) -> str:
    """Return the scheme and host for messages: the rest of an address may be secret.

    Raises:
        NoticeError: the address is neither https nor on this machine.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or any(char <= " " for char in address):
        raise NoticeError(
            f"the address of the {kind} is not a URL", hint="write: https://HOST/PATH"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_local(host)):
        raise NoticeError(
            f"the address of the {kind} at {host} is not https", hint="write: https://HOST/PATH"
        )
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _is_local(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _run(notice: AnyNotice, channel: Channel, timeout_seconds: float) -> None:
    from envkit._internal.program import ProgramError, run_command

    facts = {f"ENVKIT_{key.upper()}": _fact(value) for key, value in notice._asdict().items()}
    try:
        run_command(
            tuple(channel.where),
            facts,
            environment=channel.environment,
            timeout_seconds=timeout_seconds,
            most_output_bytes=MOST_OUTPUT_BYTES,
        )
    except ProgramError as error:
        raise NoticeError(f"cannot notify: {error.message}", hint=error.hint) from None


def _fact(value: object) -> str:
    """Return a fact as a variable of a command; a longer one would keep it from starting."""
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return text[:MOST_FACT_CHARACTERS]
