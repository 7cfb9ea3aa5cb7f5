"""Rotate a list of keys in one field: the first one signs or encrypts, all of them verify.

    target = { kind = "fernet", cache_age = "15m" }

    [old]              before
    [old, new]         all readers learn the new key, but none uses it yet
    [new, old]         once no cache is older: the new key signs, both verify
    [new]              after the grace period, which is as long as a token lives

At every moment, each reader knows the key that any other reader signs with. The list is JSON or
separated by commas, and does not change its form. `MultiFernet` accepts such a list; for HS256,
sign with the first key and try all of them.

The readers are the target: only `prepare` and `test` do anything. Both check every key of the
list.
"""

from __future__ import annotations

import json
from typing import ClassVar

from envkit.errors import ProfileError, RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators import generate
from envkit.rotation.rotators.opaque import JSON_LIST, form_of
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields

FERNET, HS256 = "fernet", "hs256"
DEFAULT_CACHE_AGE_SECONDS = 900.0
FERNET_BYTES = 32
# RFC 7518, 3.2: a key must have at least the size of the hash
HS256_LEAST_BYTES = 32
HS256_LENGTH = 43  # of the url-safe alphabet: 258 bits
_LIST_HINT = 'store them separated by commas, or as JSON: ["newest", "older"]'


class KeyringRotator:
    """Rotates a list of keys; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "kind": str,
        "cache_age": str,
        "keep": int,
    }
    required: ClassVar[frozenset[str]] = frozenset()
    overlap = True

    def __init__(self, context: RotatorContext) -> None:
        self._context = context
        self._field = context.fields[0]
        self._kind = str(context.target.get("kind", FERNET))
        if self._kind not in (FERNET, HS256):
            raise ProfileError(
                f"'target.kind' is unknown: {self._kind!r}", hint=f"write {FERNET} or {HS256}"
            )
        if self._kind == FERNET and context.generate:
            raise ProfileError("a Fernet key has a fixed form", hint="remove 'generate'")
        if self._kind == HS256:
            length, _ = generate.form(context.generate, HS256_LENGTH)
            if length < HS256_LEAST_BYTES:
                raise ProfileError(
                    f"a key for HS256 needs {HS256_LEAST_BYTES} characters or more",
                    hint="increase 'generate.length'",
                )
        keep = context.target.get("keep", 0)
        if not isinstance(keep, int) or keep < 0:
            raise ProfileError(
                "'target.keep' must be a number of keys", hint="write keep = 0, or more"
            )
        self._keep = keep
        self.cache_age_seconds = _seconds(context.target.get("cache_age"))

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:  # noqa: ARG004
        """Return the field of the list."""
        return (field,)

    def describe_target(self) -> str:
        """Return nothing: the readers are the target."""
        return ""

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check that the secret is a list of valid keys, and that the first one can sign."""
        keys = self._keys(current)
        forms = {form_of(text.reveal()) for text in (current[self._field], *keys)}
        if strange := forms - {"", JSON_LIST}:
            raise RotationError(
                f"the secret is not a list of keys but {min(strange)}", hint=_LIST_HINT
            )
        self._check(keys)
        return {}

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Create a key, and the three lists that the rotation publishes."""
        old = self._keys(current)
        new = self._new_key()
        known, used, last = [*old, new], [new, *old], [new, *old[: self._keep]]
        return Created(
            self._written(current, used),
            announced=self._written(current, known) if self.cache_age_seconds else None,
            settle_seconds=self.cache_age_seconds,
            final=self._written(current, last) if last != used else None,
        )

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the readers are the target."""

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Sign with the new key, and verify with the list; also verify what the old key signs."""
        self._check(self._keys(new))

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether all keys of the list are valid."""
        try:
            self._check(self._keys(fields))
        except RotationError:
            return False
        return True

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the old key still verifies."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the last list that readers get no longer has the old key."""

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: there is no server to ask."""
        return True

    def _new_key(self) -> Secret:
        if self._kind == HS256:
            return generate.generated(self._context.generate, HS256_LENGTH)
        import base64
        import secrets

        key = base64.urlsafe_b64encode(secrets.token_bytes(FERNET_BYTES)).decode()
        return Secret(key)

    def _keys(self, fields: Fields) -> list[Secret]:
        if self._field not in fields:
            raise RotationError(f"the secret has no field '{self._field}'")
        text = fields[self._field].reveal().strip()
        keys = _from_json(text) if text.startswith("[") else text.split(",")
        if not keys or not all(isinstance(key, str) and key.strip() for key in keys):
            raise RotationError(
                "the secret is not a list of keys",
                hint=_LIST_HINT,
            )
        return [Secret(key.strip()) for key in keys]

    def _written(self, like: Fields, keys: Sequence[Secret]) -> Fields:
        """Return the field with these keys, in its present form."""
        texts = [key.reveal() for key in keys]
        if like[self._field].reveal().lstrip().startswith("["):
            return {self._field: Secret(json.dumps(texts))}
        if any("," in text for text in texts):
            raise RotationError(
                "a key with a comma does not fit a list that is separated by commas",
                hint="remove the comma from 'generate.characters', or store the list as JSON",
            )
        return {self._field: Secret(",".join(texts))}

    def _check(self, keys: Sequence[Secret]) -> None:
        if self._kind == FERNET:
            _check_fernet(keys)
        else:
            _check_hs256(keys)


def _check_fernet(keys: Sequence[Secret]) -> None:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    try:
        found = [Fernet(key.to_bytes()) for key in keys]
        for one in found:
            MultiFernet(found).decrypt(one.encrypt(b"envkit"))
    except (ValueError, InvalidToken):  # its text quotes the key
        raise RotationError(
            "the secret has a key that is not a Fernet key",
            hint="write kind = \"hs256\" in 'target' if they are to sign JWTs",
        ) from None


def _check_hs256(keys: Sequence[Secret]) -> None:
    """Check the key that signs; an older key, which only verifies, may be shorter."""
    if len(keys[0].to_bytes()) < HS256_LEAST_BYTES:
        raise RotationError(
            f"the first key is shorter than the {HS256_LEAST_BYTES} bytes that HS256 needs",
            hint='store a longer one first, as in "newest,older"',
        )


def _from_json(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _seconds(setting: object) -> float:
    from envkit.profile.value_types import duration_seconds

    if setting is None:
        return DEFAULT_CACHE_AGE_SECONDS
    try:
        return duration_seconds(str(setting))
    except ValueError:
        raise ProfileError(
            "'target.cache_age' is not a duration", hint='write: cache_age = "15m"'
        ) from None
