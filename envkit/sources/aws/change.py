"""Write and restore values of one secret, starting from its current content."""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import ConflictError, InvalidReferenceError, NoVersionError
from envkit.sources.aws import write as aws_write
from envkit.sources.aws.names import where
from envkit.sources.aws.secret_version import change_all, differ_elsewhere, pick
from envkit.sources.model import Absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret
    from envkit.sources.aws.client import SecretsManager
    from envkit.sources.aws.names import Key
    from envkit.sources.aws.secret_version import SecretVersion


class Change(NamedTuple):
    """A change of one secret.

    Attributes:
        manager: sends the requests.
        read: reads one secret or version.
        source: the name of the source, for messages.
        key: the secret.
    """

    manager: SecretsManager
    read: Callable[[Key], SecretVersion | Absent]
    source: str
    key: Key

    def write(self, values: Mapping[Reference, Secret | None], expected: str | None) -> str:
        """Set or remove values; see `GroupWrite.write_group`."""
        place, name = where(self.source, self.key), self.key.secret_id
        if expected is None:
            if self.key.is_arn:
                raise InvalidReferenceError(
                    f"{place} is an ARN, and AWS assigns one when it creates a secret",
                    hint=f"create the secret by its name: {self.source}:/NAME",
                )
            return aws_write.create(self.manager, name, change_all(values, None, place), place)
        content = change_all(values, self._current(expected), place)
        return aws_write.replace(self.manager, name, content, place, expected=expected)

    def restore(self, ref: Reference, version: str, expected: str | None) -> str:
        """Bring back the value of an earlier version; see `VersionedSource.restore`."""
        place = where(self.source, self.key)
        earlier = self.read(self.key._replace(version=version))
        current = self._current(expected)
        if isinstance(earlier, Absent):
            raise NoVersionError(f"{place} has no version {version}: {earlier.reason}")
        value = pick(ref, earlier, place)
        if isinstance(value, Absent):
            raise NoVersionError(f"{place} has no value in version {version}: {value.reason}")
        if not differ_elsewhere(ref.field, current, earlier):
            name = self.key.secret_id
            aws_write.make_current(self.manager, name, place, version=version, expected=expected)
            return version
        return self.write({ref: value}, expected)

    def _current(self, expected: str | None) -> SecretVersion:
        """Return the current content of the secret.

        Raises:
            ConflictError: that is not the expected version.
        """
        place = where(self.source, self.key)
        current = self.read(self.key)
        if isinstance(current, Absent):
            raise ConflictError(f"cannot write {place}: {current.reason}")
        if current.version != expected:
            raise aws_write.changed_meanwhile(place)
        return current
