"""Find the rotation that changes a value, in any profile and spelling. Reads no store.

    find = find_rotations(profile, environ=os.environ, deadline=deadline)
    rotated = find(source, reference)

The rotations of the profile itself come first; those of other profiles are loaded only if none of
these changes the value. Two values are the same if they have the same store, secret and field.
A secret of AWS may be named by its name or its ARN, and a `.env` file by any path.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit.errors import EnvkitError, ProfileError
from envkit.rotation.catalog import store_key, survey
from envkit.rotation.rotators.registry import rotator_type
from envkit.rotation_state.policy import policy
from envkit.rotation_state.rotated import RotatedValue
from envkit.rotation_state.stores.registry import value_field
from envkit.sources.aws.names import ARN_SUFFIX_LENGTH
from envkit.sources.protocols import GroupWrite
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.rotated import FindRotation
    from envkit.sources.protocols import Source

_FILES = "a file, wherever it is named"


class _Place(NamedTuple):
    """The place of fields of one secret.

    Attributes:
        store: a key that all sources of the same store share.
        secrets: the names that the secret may have there.
        fields: an empty name means the whole secret, or its only field.
    """

    store: object
    secrets: frozenset[str]
    fields: frozenset[str]

    def may_have(self, field: str) -> bool:
        return field in self.fields or "" in {field, *self.fields}

    def meets(self, other: _Place) -> bool:
        return (
            self.store == other.store
            and not self.secrets.isdisjoint(other.secrets)
            and all(map(self.may_have, other.fields))
        )


class _Found(NamedTuple):
    """Rotations with the places that they change, and the error of a rotation that is invalid."""

    rotations: list[tuple[_Place, RotatedValue]]
    error: EnvkitError | None


def find_rotations(
    profile: Profile, *, environ: Mapping[str, str], deadline: Deadline
) -> FindRotation:
    """Return a function that finds the rotation of a value, from its source and reference.

    The function raises `EnvkitError` if a rotation of the profile is invalid, since that one
    might be the rotation of the value.

    Args:
        profile: the profile of the sources.
        environ: the process environment.
        deadline: when the whole operation must be done.
    """
    own = _own(profile, environ, deadline)
    others: list[_Found] = []

    def find(source: Source, ref: Reference) -> RotatedValue | None:
        if not isinstance(source, GroupWrite):
            return None  # the store does not support rotation
        try:
            field = value_field(source, ref)
        except ProfileError:
            field = ""

        def meeting(found: _Found) -> RotatedValue | None:
            # compare the name of the field first: finding the place may require reading a file
            candidates = [one for one in found.rotations if one[0].may_have(field)]
            if not candidates:
                return None
            place = _place(profile, source, ref, [field])
            return next((value for changed, value in candidates if changed.meets(place)), None)

        if (value := meeting(own)) is not None:
            return value
        if own.error is not None:
            raise own.error
        if not others:
            others.append(_of_others(profile, environ, deadline))
        return meeting(others[0])

    return find


def _own(profile: Profile, environ: Mapping[str, str], deadline: Deadline) -> _Found:
    found = _Found([], None)
    for name in profile.rotations:
        try:
            written = policy(profile, name)
            found.rotations.append(_rotation(profile, written, environ, deadline))
        except EnvkitError as error:
            found = found._replace(error=error)
    return found


def _of_others(profile: Profile, environ: Mapping[str, str], deadline: Deadline) -> _Found:
    """Return the rotations of the other profiles; other checks report their errors."""
    found = _Found([], None)
    surveyed = survey(os.path.dirname(profile.path), environ=environ, deadline=deadline)
    for rotation in (rotation for group in surveyed.groups for rotation in group):
        if rotation.profile.path == profile.path:
            continue
        try:
            found.rotations.append(_rotation(rotation.profile, rotation.policy, environ, deadline))
        except EnvkitError:
            continue
    return found


def _rotation(
    profile: Profile, written: Policy, environ: Mapping[str, str], deadline: Deadline
) -> tuple[_Place, RotatedValue]:
    ref = written.secret
    source = open_source(profile, ref.source, environ=environ, deadline=deadline, locating=True)
    kind = rotator_type(written.rotator, written.strategy, written.table.place_of)
    fields = kind.fields(value_field(source, ref), written.target)
    return _place(profile, source, ref, fields), RotatedValue(written, fields)


def _place(profile: Profile, source: Source, ref: Reference, fields: Iterable[str]) -> _Place:
    assert isinstance(source, GroupWrite)  # noqa: S101 - as `value_field` says
    secret = source.group(ref)
    secrets = {secret}
    if secret.startswith("arn:"):  # with or without the suffix that AWS adds to the name
        name = secret.rpartition(":")[2]
        secrets = {name, name[:-ARN_SUFFIX_LENGTH]}
    local = profile.sources[ref.source].type == "dotenv"
    store = _FILES if local else store_key(profile, ref.source)
    return _Place(store, frozenset(secrets), frozenset(fields))
