"""Find the rotations that replace leaked values. Reads no store."""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import EnvkitError
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from envkit.rotation.rotated import find_rotations
from envkit.scan.found import FindingCode
from envkit.scan.values import Owner
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.scan.found import Finding


class Leaked(NamedTuple):
    """What replaces leaked values.

    Attributes:
        rotations: the full name of each rotation -> the first finding of a value that it changes.
        by_hand: the variables that no rotation changes.
        errors: why the rotations of other variables cannot be found.
    """

    rotations: Mapping[str, Finding]
    by_hand: tuple[Owner, ...]
    errors: tuple[EnvkitError, ...]


def rotations_of(
    findings: Iterable[Finding], folder: str, *, environ: Mapping[str, str], deadline: Deadline
) -> Leaked:
    """Return the rotations of the values that were found.

    Args:
        findings: of a scan; tokens are left out.
        folder: the folder of profiles.
        environ: the process environment.
        deadline: when the whole operation must be done.
    """
    first: dict[Owner, Finding] = {}
    for finding in findings:
        if finding.code is FindingCode.VALUE:
            for environment in finding.environments:
                first.setdefault(Owner(environment, finding.variable), finding)
    rotations: dict[str, Finding] = {}
    by_hand = []
    errors: dict[str, EnvkitError] = {}
    for owner, finding in first.items():
        try:
            profile = load(owner.environment, folder)
            names = list(_names(profile, owner.variable, environ, deadline))
        except EnvkitError as error:
            errors[error.message] = error
            continue
        for name in names:
            rotations.setdefault(name, finding)
        if not names:
            by_hand.append(owner)
    return Leaked(rotations, tuple(by_hand), tuple(errors.values()))


def _names(
    profile: Profile, variable: str, environ: Mapping[str, str], deadline: Deadline
) -> Iterator[str]:
    """Yield the rotations of the secrets from which a variable is computed."""
    find = find_rotations(profile, environ=environ, deadline=deadline)
    for source_name, references in plan(profile, [variable]).references.items():
        try:
            source = open_source(
                profile, source_name, environ=environ, deadline=deadline, locating=True
            )
        except EnvkitError:
            continue  # `envkit check` reports it; the value was not read from there
        for reference in references:
            rotated = find(source, reference)
            if rotated is not None:
                yield rotated.policy.full_name
