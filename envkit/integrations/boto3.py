"""A boto3 session whose clients sign with the current access key of a live environment.

    session = envkit.integrations.boto3.session(live)
    s3 = session.client("s3")                 # create clients once, and keep them

Guarantees: key id, secret and token of one signature come from one read. A request that
AWS refuses because of its key is signed and sent again if the store has another key.

Reference: https://docs.aws.amazon.com/boto3/latest/guide/credentials.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    Credentials,
    ReadOnlyCredentials,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envkit.resident.live import Live, Snapshot

METHOD = "envkit"  # how botocore calls the origin of these credentials
# of a key that is unknown, inactive or replaced; each service has its own word
REFUSALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_SIGNED_WITH = "envkit_signed_with"  # in the context of a request: a snapshot


def session(
    live: Live,
    *,
    access_key: str = "AWS_ACCESS_KEY_ID",
    secret_key: str = "AWS_SECRET_ACCESS_KEY",  # noqa: S107 - the name of a variable
    token: str | None = None,
    **more: Any,
) -> boto3.Session:
    """Return a session of boto3 that never signs with a replaced key.

    Args:
        live: the live environment.
        access_key: the variable with the id of the access key.
        secret_key: the variable with the secret access key.
        token: the variable with a session token, if there is one.
        more: arguments of `boto3.Session`, such as `region_name`.
    """
    names = [access_key, secret_key, *([token] if token else [])]
    core = botocore.session.get_session()
    core.register_component("credential_provider", CredentialResolver([_Provider(live, names)]))
    core.register("before-sign", _note_snapshot(live))
    core.register("needs-retry", _retry_refused(live, names))  # type: ignore[arg-type]
    return boto3.Session(botocore_session=core, **more)


class _LiveCredentials(Credentials):
    """Credentials that are read anew for each signature."""

    def __init__(self, live: Live, names: Sequence[str]) -> None:
        self._live = live
        self._names = tuple(names)
        self.method = METHOD
        self.account_id = None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        environment = self._live.snapshot().environment
        key, secret, *token = (environment[name].reveal() for name in self._names)
        return ReadOnlyCredentials(key, secret, token[0] if token else None)

    @property
    def access_key(self) -> str:  # type: ignore[override]
        return self.get_frozen_credentials().access_key or ""

    @property
    def secret_key(self) -> str:  # type: ignore[override]
        return self.get_frozen_credentials().secret_key or ""

    @property
    def token(self) -> str | None:  # type: ignore[override]
        return self.get_frozen_credentials().token


class _Provider(CredentialProvider):
    METHOD = METHOD
    CANONICAL_NAME = None

    def __init__(self, live: Live, names: Sequence[str]) -> None:
        super().__init__()
        self._credentials = _LiveCredentials(live, names)

    def load(self) -> Credentials:
        return self._credentials


def _note_snapshot(live: Live) -> Callable[..., None]:
    """Return what notes, before a request is signed, which values will be used.

    If another thread reads newer ones before the signature, the request has them, and the note
    is of the older ones: then a refusal is retried with the same key, once for each change.
    """

    def note(request: Any, **_: object) -> None:
        request.context[_SIGNED_WITH] = live.snapshot()

    return note


def _retry_refused(live: Live, names: Sequence[str]) -> Callable[..., int | None]:
    """Return what asks the stores for another key if AWS refused the one of a request."""

    def retry_after_seconds(
        response: tuple[Any, Mapping[str, Any]] | None, request_dict: Mapping[str, Any], **_: object
    ) -> int | None:
        code = "" if response is None else response[1].get("Error", {}).get("Code", "")
        refused: Snapshot | None = request_dict["context"].get(_SIGNED_WITH)
        if code not in REFUSALS or refused is None:
            return None
        return None if next(live.newer(refused, names), None) is None else 0

    return retry_after_seconds
