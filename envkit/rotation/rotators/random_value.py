"""Rotate a random value that only its readers know, with the previous value in a second field.

    target = { previous_field = "KEY_PREVIOUS" }      # the default

    KEY = old, KEY_PREVIOUS = older         before
    KEY = new, KEY_PREVIOUS = old           readers accept both
    KEY = new, KEY_PREVIOUS = new           after the grace period

In the end both fields have the new value: a reader that checks with both needs no special
case, and never checks with an empty key.

`previous_field = ""` stores no previous value. The readers are the target. A value that is more
than a secret, such as a URL, is refused: the random value would replace all of it.

Use `keyring` for a value that is used before all readers have it, such as a key to sign with.
"""

from __future__ import annotations

from typing import ClassVar

from envkit.errors import ProfileError, RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.generate import generated
from envkit.rotation.rotators.opaque import require_opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields
    from envkit.secret import Secret


class RandomRotator:
    """Rotates a random value; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {"previous_field": str}
    required: ClassVar[frozenset[str]] = frozenset()
    overlap = True

    def __init__(self, context: RotatorContext) -> None:
        self._context = context
        self._field, *previous = self.fields(context.fields[0], context.target)
        self._previous = previous[0] if previous else None

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the value's field, and that of the previous value if it is stored.

        Raises:
            ProfileError: the two fields are the same.
        """
        suffix = "_PREVIOUS" if field == field.upper() else "_previous"
        previous = str(target.get("previous_field", field + suffix))
        if previous == field:
            raise ProfileError(
                "'target.previous_field' is the field of the value itself",
                hint=f'write: previous_field = "{field}{suffix}"',
            )
        return (field, previous) if previous else (field,)

    def describe_target(self) -> str:
        """Return nothing: the readers are the target."""
        return ""

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check that there is a value, and that it is nothing but a secret."""
        require_opaque(self._value(current))
        return {}

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Generate a value."""
        value = generated(self._context.generate)
        if self._previous is None:
            return Created({self._field: value})
        return Created(
            {self._field: value, self._previous: self._value(current)},
            final={self._field: value, self._previous: value},
        )

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the readers are the target."""

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Check that there is a value."""
        self._value(new)

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether there is a value: there is no server to ask."""
        return self._field in fields

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the last fields that readers get no longer have the old value."""

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: there is no server to ask."""
        return True

    def _value(self, fields: Fields) -> Secret:
        if self._field not in fields:
            raise RotationError(f"the secret has no field '{self._field}'")
        return fields[self._field]
