"""What a reference names in Secrets Manager, and which reads are one request. Pure."""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference

BATCH_SIZE = 20  # the service's limit
ARN_SUFFIX_LENGTH = 7  # the hyphen and six characters that AWS adds; a partial ARN lacks them

_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+=.@-")
_LENGTH = 512
_VERSION_LENGTHS = range(32, 65)


class Key(NamedTuple):
    """What one read is of: however many fields are asked, it is read once."""

    secret_id: str  # name or ARN
    version: str | None = None
    stage: str | None = None

    @property
    def is_arn(self) -> bool:
        """Whether the secret is named by its ARN."""
        return self.secret_id.startswith("arn:")

    @property
    def region(self) -> str | None:
        """The region in the ARN; None for a name."""
        return self.secret_id.split(":")[3] if self.is_arn else None


def key_of(ref: Reference, prefix: str) -> Key:
    """Return what `ref` names: `/NAME` and an ARN ignore the prefix, no path is the prefix."""
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
    """Return the name of a secret that a key names, or its ARN, whole or in part.

    An ARN that ends in a hyphen and six characters is a whole one: so AWS reads it as well.

    Reference: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
    """
    if not key.is_arn:
        return key.secret_id
    name = key.secret_id.split(":", 6)[-1]
    added = name[-ARN_SUFFIX_LENGTH:]
    is_whole = len(added) == ARN_SUFFIX_LENGTH and added[0] == "-" and added[1:].isalnum()
    return name[:-ARN_SUFFIX_LENGTH] if is_whole else name


def where(source: str, key: Key, field: str | None = None) -> str:
    """Return the place in full, as a reference that no prefix changes."""
    path = f"/{key.secret_id}" if key.secret_id.startswith("/") else key.secret_id
    return str(Reference(source, path, field, key.version, key.stage))


def check_key(ref: Reference, key: Key) -> None:
    """Raise `InvalidReferenceError` when Secrets Manager could not hold what `ref` names."""
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
                hint="write arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
            )
    elif len(key.secret_id) > _LENGTH or not _CHARACTERS.issuperset(key.secret_id):
        raise InvalidReferenceError(
            f"{ref} is not the name of a secret",
            hint=f"use at most {_LENGTH} letters, digits and /_+=.@-",
        )
    if key.version is not None and key.stage is not None:
        raise InvalidReferenceError(
            f"{ref} pins a version and a stage", hint="drop one of '?version=' and '?stage='"
        )
    if key.version is not None and len(key.version) not in _VERSION_LENGTHS:
        raise InvalidReferenceError(
            f"{ref} pins a version that AWS cannot have",
            hint="use ?stage=AWSPREVIOUS, or an id that "
            "'aws secretsmanager list-secret-version-ids' shows",
        )


def into_calls(keys: list[Key]) -> list[list[Key]]:
    """Return the keys of each call; several are a batch, one is read by itself.

    A batch has no pins, and AWS refuses one that names a secret twice: an ARN that may
    be one of the names stays out of it.
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
