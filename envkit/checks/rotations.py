"""The checks of rotations; their modules are imported only if a profile has a rotation."""

from __future__ import annotations

from envkit.sources.registry import current_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.inspection import Inspection
    from envkit.checks.problem import Problem
    from envkit.rotation.catalog import Survey

# the codes that only the stores can decide
OF_STORES = (
    *("rotation-overdue", "rotation-quarantined", "rotation-stopped"),
    *("rotation-unreadable", "rotation-failing", "rotation-blocked"),
    *("rotation-orphaned", "unknown-passwords"),
)


def refuse_untrusted(survey: Survey | None) -> None:
    """Check that the user trusts what reading the rotation records needs.

    Raises:
        UntrustedError: they do not.
    """
    guard = current_guard()
    if guard is None or survey is None:
        return
    firsts = [group[0] for group in survey.groups]
    refused = guard.before_rotations(
        [(one.profile, one.policy.name) for one in firsts], reading=True
    )
    for error in refused.values():
        raise error


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield the problems of rotation tables."""
    if inspection.rotations is not None:
        from envkit.checks import rotation_tables

        yield from rotation_tables.find(inspection, inspection.rotations)


def find_unused(inspection: Inspection) -> Iterator[Problem]:
    """Yield the rotations of secrets that no variable of any profile uses."""
    if inspection.rotations is not None:
        from envkit.checks import rotated_secrets

        yield from rotated_secrets.find(inspection, inspection.rotations)


def find_late(inspection: Inspection) -> Iterator[Problem]:
    """Yield the rotations that are overdue or stuck, according to their stores."""
    if inspection.rotations is not None and inspection.deadline is not None:
        from envkit.checks import rotation_states

        yield from rotation_states.find(inspection, inspection.rotations, inspection.deadline)
