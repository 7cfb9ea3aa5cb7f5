"""The places in stores that belong to an environment, and the sources that read and write them.

    asked = places(profile)
    prepared = open_places(profile, asked.references, environ=os.environ, deadline=deadline)

A backup has the places of all variables, of the secrets that the profile rotates, and of what the
rotations need themselves, such as the login of an admin.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from envkit.errors import EnvkitError, InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.resolution.failing_source import open_or_fail
from envkit.resolution.plan import Plan, plan
from envkit.resolution.prepare import PreparedProfile, require_trust
from envkit.resolution.settings import references_in
from envkit.rotation.rotated import find_rotations
from envkit.rotation_state.policy import policy
from envkit.rotation_state.stores.registry import reference_beside
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile

ENVIRONMENT = "env"  # the type of the source that reads the process environment: no store
_WITH_FIELDS = ("vault", "aws-secrets-manager")


class Places(NamedTuple):
    """The references of an environment.

    Attributes:
        plan: of all variables.
        names: the variables that use each reference, or `[rotation.NAME]` if there are none.
    """

    plan: Plan
    names: Mapping[Reference, tuple[str, ...]]

    @property
    def references(self) -> Mapping[str, tuple[Reference, ...]]:
        """The references by source."""
        found: dict[str, list[Reference]] = {}
        for reference in self.names:
            found.setdefault(reference.source, []).append(reference)
        return {source: tuple(refs) for source, refs in found.items()}


def places(profile: Profile) -> Places:
    """Return the places that a profile names. Does no I/O.

    Args:
        profile: a loaded profile.

    Raises:
        ProfileError: a rotation is not valid, or variables refer to each other in a cycle.
        ResolutionError: references name sources that the profile does not have.
    """
    planned = plan(profile, profile.variables)
    names: dict[Reference, dict[str, None]] = {}
    for user, reference in _of_variables(planned):
        names.setdefault(reference, {})[user] = None
        # without a field, only the whole secret has the name of its one field
        if profile.sources[reference.source].type in _WITH_FIELDS and reference.field is None:
            names.setdefault(reference._replace(field=WHOLE), {})[user] = None
    for user, reference in _of_rotations(profile):
        names.setdefault(reference, {user: None})
    return Places(planned, {reference: tuple(users) for reference, users in names.items()})


def _of_variables(planned: Plan) -> Iterator[tuple[str, Reference]]:
    for variable in planned.order:
        for references in variable.references.values():
            for reference in references:
                yield variable.name, reference


def _of_rotations(profile: Profile) -> Iterator[tuple[str, Reference]]:
    for name in profile.rotations:
        rotation = policy(profile, name)
        title = rotation.table.title
        yield title, rotation.secret
        place = rotation.table.place_of("target")
        for reference in sorted(references_in(profile, title, rotation.target, place), key=str):
            yield title, reference


def with_rotated_fields(
    found: Places, prepared: PreparedProfile, *, environ: Mapping[str, str], deadline: Deadline
) -> Places:
    """Add the other fields that a rotation changes together with one of the places.

    Args:
        found: the places.
        prepared: the profile with the opened sources of all places.
        environ: the process environment.
        deadline: nothing waits longer.
    """
    find = find_rotations(prepared.profile, environ=environ, deadline=deadline)
    names = dict(found.names)
    for reference, users in found.names.items():
        source = prepared.sources[reference.source]
        with suppress(EnvkitError):  # `envkit check` reports invalid rotations
            rotated = find(source, reference)
            if rotated is None or reference.version or reference.stage:
                continue
            for field in rotated.fields:
                names.setdefault(reference_beside(source, reference, field), users)
    return found._replace(names=names)


def open_places(
    profile: Profile,
    references: Mapping[str, tuple[Reference, ...]],
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> PreparedProfile:
    """Open the sources of references; one that cannot be opened fails each read instead.

    Raises:
        UntrustedError: the profile needs trust that the user has not given.
        ProfileError: a source is not valid.
    """
    require_trust(profile, references, environ, deadline)
    sources = {
        name: open_or_fail(profile, name, environ=environ, deadline=deadline) for name in references
    }
    planned = Plan(profile.name, (), (), references)
    return PreparedProfile(profile, planned, sources)


def refused_references(
    prepared: PreparedProfile, references: Mapping[str, Sequence[Reference]]
) -> dict[Reference, InvalidReferenceError]:
    """Return the references that are not valid for their stores. Does no I/O."""
    found = {}
    for source, asked in references.items():
        for reference in asked:
            try:
                prepared.sources[source].check(reference)
            except InvalidReferenceError as error:
                found[reference] = error
    return found


def without(
    references: Mapping[str, Sequence[Reference]], refused: Collection[Reference]
) -> dict[str, tuple[Reference, ...]]:
    """Return references by source, without some of them."""
    return {
        source: tuple(reference for reference in asked if reference not in refused)
        for source, asked in references.items()
    }
