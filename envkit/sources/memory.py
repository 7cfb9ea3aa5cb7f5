"""Secrets in the memory of this process, for tests of envkit and of plug-ins.

    [sources.vault]
    type = "memory"
    secrets = { db = { user = "app", password = "..." }, STRIPE_KEY = "..." }

A table is the secret at that path. A text is a field of the secret at the empty path, where
bare names are looked up. All versions are stored and numbered from 1. `reads` counts the
requests that a real store would have received.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import NamedTuple

from envkit.errors import ConflictError, InvalidReferenceError, NoVersionError
from envkit.secret import Secret
from envkit.sources.model import WHOLE, Absent, Reading, Version, pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import ClassVar

    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome, SourceContext


class _Kept(NamedTuple):
    fields: Mapping[str, object]
    created: float

    def __repr__(self) -> str:
        return "_Kept()"


class MemorySource:
    """A store in memory, safe to share between threads.

    Attributes:
        reads: how many secrets have been read so far.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {"secrets": dict}
    remote = False

    def __init__(self, context: SourceContext) -> None:
        self.name = context.name
        self.reads = 0
        self._lock = Lock()
        self._versions: dict[str, list[_Kept]] = {}
        secrets = context.settings.get("secrets", {})
        assert isinstance(secrets, dict)  # noqa: S101 - the registry has looked at the type
        bare = {}
        for path, content in secrets.items():
            if isinstance(content, dict):
                self.put(path, content)
            else:
                bare[path] = content
        if bare:
            self.put("", bare)

    def put(self, path: str, fields: Mapping[str, object], *, created: float | None = None) -> str:
        """Store a new version of a secret with exactly these fields.

        Args:
            path: the path of the secret.
            fields: all its fields.
            created: seconds since the epoch; default: now.

        Returns:
            the id of the version.
        """
        with self._lock:
            return self._append(path, fields, created)

    def check(self, ref: Reference) -> None:
        """Refuse a stage: versions in memory have numbers and no labels."""
        if ref.stage is not None:
            raise InvalidReferenceError(
                f"{ref} has a stage, but {self.name} has no stages", hint="use '?version='"
            )

    def locate(self, ref: Reference) -> str:
        """Return the reference as written in a profile."""
        return str(ref)

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read each distinct secret once."""
        with self._lock:
            self.reads += len({(ref.path, ref.version) for ref in refs})
            return {ref: self._outcome(ref) for ref in refs}

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one field by compare-and-set on the number of the latest version."""
        return self.write_group({ref: value}, expected=expected)

    def group(self, ref: Reference) -> str:
        """Return the path of the secret; see `GroupWrite`."""
        return ref.path

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove fields of one secret by a single compare-and-set."""
        for ref in values:
            self.check(ref)
            if ref.version is not None:
                raise InvalidReferenceError(f"{ref} is a pinned version, which cannot be written")
            if ref.field == WHOLE:
                raise InvalidReferenceError(f"{ref} is a whole secret; write one field at a time")
        with self._lock:
            return self._set(values, expected)

    def history(self, ref: Reference) -> Sequence[Version]:
        """Return all versions of a secret, newest first."""
        self.check(ref)
        with self._lock:
            versions = self._versions.get(ref.path, [])
            states = {len(versions): "current", len(versions) - 1: "previous"}
            return [
                Version(str(number), secret.created, None, states.get(number, "older"))
                for number, secret in reversed(list(enumerate(versions, start=1)))
            ]

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Set one field to its value in an earlier version."""
        self.check(ref)
        with self._lock:
            earlier = self._outcome(ref._replace(version=version))
            if isinstance(earlier, InvalidReferenceError):
                raise earlier
            if not isinstance(earlier, Reading):
                raise NoVersionError(f"{ref} has no value in version {version}")
            return self._set({ref: earlier.value}, expected)

    def _set(self, values: Mapping[Reference, Secret | None], expected: str | None) -> str:
        first = next(iter(values))
        versions = self._versions.get(first.path, [])
        newest = str(len(versions)) if versions else None
        if newest != expected:
            raise ConflictError(f"{first} has version {newest}, not {expected}")
        fields = dict(versions[-1].fields) if versions else {}
        for ref, value in values.items():
            field = ref.field
            if field is None:
                if len(fields) > 1:
                    pick_field(ref, fields)
                field = next(iter(fields), "value")
            if value is None:
                fields.pop(field, None)
            else:
                fields[field] = value.reveal()
        return self._append(first.path, fields)

    def _append(self, path: str, fields: Mapping[str, object], created: float | None = None) -> str:
        versions = self._versions.setdefault(path, [])
        versions.append(_Kept(dict(fields), time.time() if created is None else created))
        return str(len(versions))

    def _outcome(self, ref: Reference) -> Outcome:
        versions = self._versions.get(ref.path, [])
        number = ref.version or str(len(versions))
        known = {str(index): secret.fields for index, secret in enumerate(versions, start=1)}
        fields = known.get(number)
        if fields is None:
            return Absent()
        try:
            value = pick_field(ref, fields)
        except InvalidReferenceError as error:
            return error
        if isinstance(value, Absent):
            return value._replace(version=number)
        return Reading(Secret(value), number, str(ref))
