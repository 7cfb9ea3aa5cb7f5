"""Map references to secrets in Secrets Manager, batch reads, and check settings. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit._internal.names import odd_character
from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

BATCH_SIZE = 20  # the limit of the service
ARN_SUFFIX_LENGTH = 7  # a hyphen and six characters, added by AWS; a partial ARN lacks them

_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+=.@-")
_LENGTH = 512
_VERSION_LENGTHS = range(32, 65)


_REGION = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)
_ZONE = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9][a-z]", re.ASCII)
# setting -> its pattern, and the error if it does not match
_FORMS = {
    "role_arn": (
        re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII),
        "is not the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME",
    ),
    "role_session_name": (
        re.compile(r"[\w+=,.@-]{2,64}", re.ASCII),
        "is not 2 to 64 letters, digits and +=,.@-_",
    ),
    "external_id": (
        re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII),
        "is not 2 or more letters, digits and +=,.@:/-_",
    ),
    "mfa_serial": (re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII), "is not the ARN of a device"),
    "mfa_token": (re.compile(r"\d{6}", re.ASCII), "is not six digits"),
}
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Key(NamedTuple):
    """The secret version of one read; a single read serves all its fields."""

    secret_id: str  # name or ARN
    version: str | None = None
    stage: str | None = None

    @property
    def is_arn(self) -> bool:
        """Whether the secret is identified by its ARN."""
        return self.secret_id.startswith("arn:")

    @property
    def region(self) -> str | None:
        """The region in the ARN; None for a name."""
        return self.secret_id.split(":")[3] if self.is_arn else None


def key_of(ref: Reference, prefix: str) -> Key:
    """Return the key of a reference; `/NAME` and ARNs ignore the prefix, no path is the prefix."""
    if ref.path.startswith("arn:"):
        secret_id = ref.path
    elif ref.path.startswith("/"):
        secret_id = ref.path[1:]
    elif ref.path:
        secret_id = prefix + ref.path
    else:
        secret_id = prefix.removesuffix("/")
    return Key(secret_id, ref.version, ref.stage)


def secret_name(key: Key) -> str:
    """Return the name of the secret of a key, or its complete or partial ARN.

    An ARN that ends in a hyphen and six characters counts as complete, as in AWS itself.

    Reference: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
    """
    if not key.is_arn:
        return key.secret_id
    name = key.secret_id.split(":", 6)[-1]
    added = name[-ARN_SUFFIX_LENGTH:]
    is_whole = len(added) == ARN_SUFFIX_LENGTH and added[0] == "-" and added[1:].isalnum()
    return name[:-ARN_SUFFIX_LENGTH] if is_whole else name


def where(source: str, key: Key, field: str | None = None) -> str:
    """Return the full location as a reference that does not depend on a prefix."""
    path = f"/{key.secret_id}" if key.secret_id.startswith("/") else key.secret_id
    return str(Reference(source, path, field, key.version, key.stage))


def check_key(ref: Reference, key: Key) -> None:
    """Raise `InvalidReferenceError` if Secrets Manager cannot have such a secret."""
    source = f"[sources.{ref.source}]"
    if not key.secret_id:
        raise InvalidReferenceError(
            f"{ref} names no secret: {source} has no prefix",
            hint=f"set {source} prefix, or write {ref.source}:NAME#FIELD",
        )
    if key.is_arn:
        parts = key.secret_id.split(":")
        if len(parts) != 7 or (parts[2], parts[5]) != ("secretsmanager", "secret"):
            raise InvalidReferenceError(
                f"{ref} is not the ARN of a secret",
                hint="write: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
            )
    elif len(key.secret_id) > _LENGTH or not _CHARACTERS.issuperset(key.secret_id):
        raise InvalidReferenceError(
            f"{ref} is not the name of a secret",
            hint=f"use at most {_LENGTH} letters, digits and /_+=.@-",
        )
    if key.version is not None and key.stage is not None:
        raise InvalidReferenceError(
            f"{ref} pins a version and a stage", hint="remove '?version=' or '?stage='"
        )
    if key.version is not None and len(key.version) not in _VERSION_LENGTHS:
        raise InvalidReferenceError(
            f"{ref} pins a version id that AWS does not use",
            hint="use ?stage=AWSPREVIOUS, or an id that "
            "'aws secretsmanager list-secret-version-ids' shows",
        )


def into_calls(keys: list[Key]) -> list[list[Key]]:
    """Group keys into calls; several keys form a batch, and a single key is read on its own.

    A batch cannot pin versions, and AWS rejects a batch that names a secret twice. An ARN
    that may be the same secret as one of the names is read separately.
    """
    names = {key.secret_id for key in keys}
    together: list[Key] = []
    alone: list[Key] = []
    for key in keys:
        tail = key.secret_id.rpartition(":")[2]
        twice = key.is_arn and not names.isdisjoint((tail, tail[:-ARN_SUFFIX_LENGTH]))
        (alone if key.version or key.stage or twice else together).append(key)
    batches = [
        together[start : start + BATCH_SIZE] for start in range(0, len(together), BATCH_SIZE)
    ]
    return batches + [[key] for key in alone]


def malformed(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each malformed setting and what is wrong with it, without its text."""
    for key, (form, problem) in _FORMS.items():
        text = settings.get(key)
        if text and not form.fullmatch(text):
            yield key, _odd(text) or problem
    if (region := settings.get("region")) and (problem := no_region(region)):
        yield "region", problem
    if (url := settings.get("endpoint_url")) is not None and (problem := no_server(url)):
        yield "endpoint_url", problem


def no_region(text: str) -> str:
    """Return why a text is not a region; empty if it is one."""
    if not _REGION.fullmatch(text):
        return _odd(text) or "is not the name of a region"
    if _ZONE.fullmatch(text):
        return f"is an availability zone of the region {text[:-1]}"
    lower = text.lower()
    return "" if text == lower else f"has capital letters, and regions are written as {lower}"


def no_server(url: str) -> str:
    """Return why a text is not the URL of an endpoint; empty if it is one."""
    from urllib.parse import urlsplit

    if odd := _odd(url):
        return odd
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    return "" if fits else "is not the URL of a server: https://HOST"


def odd_credential(*credentials: str | None) -> tuple[str, str] | None:
    """Return the variable of a credential that no request can contain, and its odd character."""
    for name, text in zip(_CREDENTIALS, credentials, strict=True):
        if text and (odd := odd_character(text)):
            return name, odd
    return None


def _odd(text: str) -> str:
    odd = odd_character(text)
    return f"contains {odd}" if odd else ""
