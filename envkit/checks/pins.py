"""Find placeholders that pin a version that is no longer the newest."""

from __future__ import annotations

from envkit.checks.inspection import newest
from envkit.checks.problem import Problem
from envkit.sources.model import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.inspection import Inspection

_SHORT = 8  # longest version number that people count by; versions of AWS and of files are longer


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield each pinned reference whose secret has a newer version."""
    for answer in inspection.answers:
        profile = answer.prepared.profile
        for variable in answer.prepared.plan.order:
            for reference in (ref for refs in variable.references.values() for ref in refs):
                if reference.version is None:
                    continue
                pinned = answer.outcomes[reference]
                now = answer.outcomes[newest(reference)]
                if not isinstance(pinned, Reading) or not isinstance(now, Reading):
                    continue  # `values` reports the failure, or the version was deleted on purpose
                if now.version != pinned.version:
                    known = now.version is not None and len(now.version) <= _SHORT
                    version = f"version {now.version}" if known else "a newer one"
                    yield Problem(
                        "stale-pin",
                        f"{variable.name} reads {reference}, but the store has {version}",
                        hint="pin the new version, or remove the pin",
                        environments=(profile.name,),
                        variables=(variable.name,),
                    ).at(variable.declaration.location)
