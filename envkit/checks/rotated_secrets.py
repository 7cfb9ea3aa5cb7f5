"""Find rotations of secrets that no profile uses.

Such a secret is unused, or is read without envkit. All profiles are considered, not only the
checked ones. If one cannot be planned, nothing is reported, because it might use the secret.
"""

from __future__ import annotations

from envkit._internal.clock import Deadline
from envkit.checks.problem import Problem
from envkit.errors import EnvkitError, ProfileError
from envkit.profile.model import placeholders
from envkit.profile.placeholder import Reference
from envkit.resolution.plan import plan
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.rotation.catalog import store_key
from envkit.rotation.rotators.registry import rotator_type
from envkit.sources.model import WHOLE
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from envkit.checks.inspection import Inspection
    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Rotation, Survey

    Place: TypeAlias = tuple[object, str]  # a store, and the place of a value in it


def find(inspection: Inspection, survey: Survey) -> Iterator[Problem]:
    """Yield the rotations of secrets that no variable of any profile uses."""
    try:
        used = {
            place for profile in survey.profiles for place in _places(profile, inspection.environ)
        }
    except EnvkitError:
        return
    checked = {profile.name for profile in inspection.profiles}
    for group in survey.groups:
        rotation = group[0]
        policy = rotation.policy
        if used.isdisjoint(_rotated(rotation)):
            yield Problem(
                "rotation-unused",
                f"{policy.table.title} rotates {rotation.location}, and no variable uses it",
                hint="use its placeholder in a variable, or remove the rotation",
                environments=tuple(name for name in rotation.shared if name in checked),
            ).at(policy.place)


def _places(profile: Profile, environ: Mapping[str, str]) -> Iterator[Place]:
    """Yield the places of all values that a profile reads, also to log in or to rotate."""
    named = [ref for refs in plan(profile, profile.variables).references.values() for ref in refs]
    for settings in (
        *(spec.settings for spec in profile.sources.values()),
        *(table.settings for table in profile.rotations.values()),
    ):
        operands = (placeholder.operand for placeholder in placeholders(settings))
        named += [operand for operand in operands if isinstance(operand, Reference)]
    for name in dict.fromkeys(ref.source for ref in named):
        source = open_source(
            profile,
            name,
            environ=environ,
            deadline=Deadline(DEFAULT_TIMEOUT_SECONDS),
            locating=True,
        )
        store = store_key(profile, name)
        for ref in named:
            if ref.source == name:
                location = source.locate(ref._replace(version=None, stage=None))
                yield store, location.removeprefix(f"{name}:")


def _rotated(rotation: Rotation) -> Iterator[Place]:
    """Yield each place that a rotation changes, and the places that contain it."""
    policy = rotation.policy
    store = store_key(rotation.profile, policy.secret.source)
    location = rotation.location.removeprefix(f"{policy.secret.source}:")
    yield store, location
    secret, found, field = location.rpartition("#")
    if not found:
        return
    yield store, secret
    yield store, f"{secret}#{WHOLE}"
    try:
        kind = rotator_type(policy.rotator, policy.strategy, policy.table.place_of)
    except ProfileError:
        return  # the check of the table reports it
    for changed in kind.fields(field, policy.target):
        yield store, f"{secret}#{changed}"
