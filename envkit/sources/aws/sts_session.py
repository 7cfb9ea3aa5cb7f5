"""Temporary credentials of a role or of an MFA login, which are used until they end.

Without this, each process that looks for changes would assume the role again; and an MFA code
is good for one login.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from time import monotonic
from typing import NamedTuple

from envkit.sources.model import LoginWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SESSION_NAME = "envkit"
MARGIN_SECONDS = 60.0  # a request that is sent later might arrive too late
NEVER = float("inf")
LIMIT = 32  # of sessions that a process shares; the oldest is forgotten first
_ENVIRONMENT = ("AWS_", "HOME")  # what botocore reads begins so

_sessions: dict[bytes, StsSession] = {}
_lock = threading.Lock()


class StsSession(NamedTuple):
    """The credentials of one login.

    Attributes:
        key_id: of the access key; so are `secret` and `token`.
        ends_at: on the monotonic clock.
        due_at: when to warn that it will end; infinite if the login can be repeated.
    """

    key_id: str
    secret: str
    token: str
    ends_at: float
    due_at: float

    def __repr__(self) -> str:
        return "StsSession()"

    @property
    def usable(self) -> bool:
        """Whether it can be used for another request."""
        return self.ends_at - monotonic() > MARGIN_SECONDS

    def credentials(self) -> dict[str, str]:
        """Return them as `create_client` takes them."""
        return {
            "aws_access_key_id": self.key_id,
            "aws_secret_access_key": self.secret,
            "aws_session_token": self.token,
        }


def login_request(settings: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Return the operation of STS that logs in, and its parameters without an MFA code."""
    serial, role = settings.get("mfa_serial"), settings.get("role_arn")
    parameters: dict[str, object] = {} if serial is None else {"SerialNumber": serial}
    if role is None:
        return "get_session_token", parameters
    parameters["RoleArn"] = role
    parameters["RoleSessionName"] = settings.get("role_session_name", SESSION_NAME)
    if external_id := settings.get("external_id"):
        parameters["ExternalId"] = external_id
    return "assume_role", parameters


def session_of(answer: Mapping[str, Any], *, once: bool) -> StsSession:
    """Return the session that STS has granted.

    Args:
        answer: of STS.
        once: whether the login cannot be repeated.
    """
    from datetime import UTC, datetime

    found = answer["Credentials"]
    now = monotonic()
    left = (found["Expiration"] - datetime.now(UTC)).total_seconds()
    due_at = now + left / 2 if once else NEVER
    keys = found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
    return StsSession(*keys, ends_at=now + left, due_at=due_at)


def ending(source: str, session: StsSession) -> LoginWarning:
    """Return the warning about a session that will end, when there will be no other."""
    minutes = int((session.ends_at - monotonic()) / 60)
    return LoginWarning(
        f"the session of '{source}' expires in {minutes} minutes, and the next login needs a new "
        "MFA code",
        f"restart the app with a new code before that, or use a role without MFA for "
        f"[sources.{source}]",
    )


class TemporaryLogin:
    """The temporary credentials of one source, if its settings ask for some.

    Args:
        name: of the source, for messages.
        settings: of the source.
        environ: as of `SecretsManager`.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._name = name
        self._settings = settings
        self._environ = environ
        self._session: StsSession | None = None
        self._sharing = False

    def share(self) -> None:
        """Use those of this process from now on."""
        self._sharing = True

    def usable(self) -> StsSession | None:
        """Return the session that can be used; None if there must be a login."""
        found = self._session or (_sessions.get(self._key()) if self._sharing else None)
        if found is None or not found.usable:
            return None
        self._session = found
        return found

    def minutes_left(self) -> int | None:
        """Return how long the session lasts; None if there is none."""
        return None if self._session is None else int((self._session.ends_at - monotonic()) / 60)

    def remember(self, session: StsSession | None) -> None:
        """Store a new session; None forgets one that AWS does not accept."""
        self._session = session
        if self._sharing:
            _share(self._key(), session)

    def state(self) -> dict[str, object]:
        """Return the session for another process; empty if there is none."""
        found = self._session
        if found is None:
            return {}
        return {"identity": self._key(), "session": tuple(found), "due_at": found.due_at}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Use what `state` of another process returned, if the settings are the same."""
        if state and state["identity"] == self._key():
            self._session = StsSession(*state["session"])

    def renew(self) -> LoginWarning | None:
        """Return a warning, once, if the session will end and the login cannot be repeated."""
        found = self._session
        if found is None or found.due_at > monotonic():
            return None
        self._session = found._replace(due_at=NEVER)
        return ending(self._name, found)

    def _key(self) -> bytes:
        return login_key(self._settings, self._environ)


def login_key(settings: Mapping[str, Any], environ: Mapping[str, str]) -> bytes:
    """Return a key that differs for each login and contains no credential."""
    of_aws = sorted((k, v) for k, v in os.environ.items() if k.startswith(_ENVIRONMENT))
    told = (sorted(settings.items()), environ.get("AWS_REGION"), of_aws)
    return sha256(repr(told).encode(errors="surrogateescape")).digest()


def _share(key: bytes, session: StsSession | None) -> None:
    with _lock:
        _sessions.pop(key, None)
        if session is not None:
            _sessions[key] = session
        while len(_sessions) > LIMIT:
            del _sessions[next(iter(_sessions))]
