"""Tell somebody what became of a rotation: a webhook, a chat, a command. Never a value.

    POST /hooks HTTP/1.1
    Content-Type: application/json
    Envkit-Timestamp: 1790000000
    Envkit-Signature: sha256=...      HMAC-SHA-256 of "TIMESTAMP.BODY", with the channel's key

What always holds: only https, or http to this very machine; redirects are not followed;
every call has a timeout. A notice that cannot be delivered is an error of its own, which
the caller tells and which changes nothing of the rotation.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import EnvkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SUCCESS, FAILURE, OVERDUE, QUARANTINE = "success", "failure", "overdue", "quarantine"
KINDS = (SUCCESS, FAILURE, OVERDUE, QUARANTINE)
TIMEOUT_SECONDS = 10.0
SCHEMA = "envkit.rotation-event/1"

_SENTENCES = {
    SUCCESS: "was rotated",
    FAILURE: "could not be rotated",
    OVERDUE: "is overdue",
    QUARANTINE: "is quarantined: nothing happens until somebody looks",
}


class NoticeError(EnvkitError):
    """A notice could not be delivered."""

    code = "notice-failed"
    exit_status = 1


class Channel(NamedTuple):
    """One way to tell somebody.

    Attributes:
        kind: `webhook`, `slack` or `command`.
        where: the address, or the command's arguments; its placeholders as they are written
            until it is used.
        key: for the signature of a webhook; None for no signature.
        on: the events that are told, of KINDS.
        environment: the names of variables that a command is given.
    """

    kind: str
    where: str | tuple[str, ...]
    key: str | None
    on: tuple[str, ...]
    environment: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Channel({self.kind})"  # address and key may be values


class Notice(NamedTuple):
    """What there is to tell.

    Attributes:
        event: one of KINDS.
        profile: its name, `rotation` the rotation's own.
        secret: where it is kept, for people.
        rotator: its type.
        phase: where the rotation stands.
        error: why, for a failure; never a value.
        hint: what to do about it.
        at: seconds since the epoch.
        host: where this was found.
    """

    event: str
    profile: str
    rotation: str
    secret: str
    rotator: str
    phase: str
    error: str
    hint: str
    at: float
    host: str

    @property
    def sentence(self) -> str:
        """What happened, on one line."""
        text = f"{self.profile}/{self.rotation} {_SENTENCES[self.event]}"
        return f"{text}: {self.error}" if self.error else text


def deliver(notice: Notice, channel: Channel) -> None:
    """Send a notice.

    Args:
        notice: what to tell.
        channel: whom; its placeholders substituted.

    Raises:
        NoticeError: it was not taken.
    """
    if channel.kind == "command":
        _run(notice, channel)
        return
    address = channel.where
    assert isinstance(address, str)  # noqa: S101 - the policy has looked
    if channel.kind == "slack":
        text = f"{notice.sentence}\n{notice.hint}".rstrip()
        _post(channel.kind, address, {"text": text}, {})
        return
    body = {"schema": SCHEMA, **notice._asdict(), "text": notice.sentence}
    _post(channel.kind, address, body, {}, channel.key)


def signature(key: str, timestamp: int, body: bytes) -> str:
    """Return the value of `Envkit-Signature`."""
    import hmac

    signed = str(timestamp).encode() + b"." + body
    return (
        "sha256=" + hmac.new(key.encode("utf-8", "surrogateescape"), signed, "sha256").hexdigest()
    )


def _post(
    kind: str,
    address: str,
    document: Mapping[str, Any],
    headers: dict[str, str],
    key: str | None = None,
) -> None:
    import json
    import time
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    where = _checked_address(kind, address)
    body = json.dumps(document).encode()
    if key is not None:
        timestamp = int(time.time())
        headers["Envkit-Timestamp"] = str(timestamp)
        headers["Envkit-Signature"] = signature(key, timestamp, body)
    headers["Content-Type"] = "application/json"
    headers["User-Agent"] = "envkit"

    class _NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    handlers: list[Any] = [_NoRedirect]
    if where.startswith("http:"):  # what must not leave this machine takes no proxy
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - checked
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        with error:
            reason = f"it answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        reason = "no answer in time" if isinstance(cause, TimeoutError) else "it cannot be reached"
    raise NoticeError(f"cannot tell the {kind} at {where}: {reason}")


def _checked_address(kind: str, address: str) -> str:
    """Return scheme and host, for people: the rest of an address may be a secret.

    Raises:
        NoticeError: it is neither https nor on this machine.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or any(char <= " " for char in address):
        raise NoticeError(f"the address of the {kind} is not one", hint="write https://HOST/PATH")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_local(host)):
        raise NoticeError(
            f"the {kind} at {host} is not asked over https", hint="write https://HOST/PATH"
        )
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _is_local(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _run(notice: Notice, channel: Channel) -> None:
    from envkit._internal.program import ProgramError, run_command

    facts = {f"ENVKIT_{key.upper()}": str(value) for key, value in notice._asdict().items()}
    try:
        run_command(
            tuple(channel.where),
            facts,
            environment=channel.environment,
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except ProgramError as error:
        raise NoticeError(error.message, hint=error.hint) from None
