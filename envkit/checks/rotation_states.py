"""Find rotations that are overdue or stuck, or whose state cannot be read.

Their records are read from the stores in parallel. Rotations whose records cannot be read for the
same reason are reported as one problem.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

from envkit.checks.inspection import placed
from envkit.checks.problem import Problem, code_of, listed
from envkit.checks.rotation_tables import conflicts
from envkit.errors import AbsentError, AuthError, EnvkitError, ProfileError, SourceError
from envkit.rotation.orphans import find_orphans, status_of_orphan
from envkit.rotation.status import RotationState, unknown_passwords
from envkit.rotation.status_reading import read_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envkit._internal.clock import Deadline
    from envkit.checks.inspection import Inspection
    from envkit.profile.location import Location
    from envkit.rotation.catalog import Survey
    from envkit.rotation.status import RotationStatus


class _Unread(NamedTuple):
    """A rotation whose record cannot be read, and why."""

    name: str
    place: Location
    environments: tuple[str, ...]
    error: EnvkitError


def find(inspection: Inspection, survey: Survey, deadline: Deadline) -> Iterator[Problem]:
    """Yield the rotations that are overdue or stuck, according to their stores."""
    inspection.progress("reading rotations", 0, 0)
    rotations = [
        group[0]
        for group in survey.groups
        if group[0].policy.secret.source not in inspection.replaced and not any(conflicts(group))
    ]
    found = read_each(rotations, environ=inspection.environ, now=time.time(), deadline=deadline)
    checked = {profile.name: profile for profile in inspection.profiles}
    unread = []
    for rotation, one in zip(rotations, found, strict=True):
        environments = tuple(name for name in rotation.shared if name in checked)
        place = rotation.policy.place
        if isinstance(one, EnvkitError):
            unread.append(_Unread(rotation.full_name, place, environments, one))
        else:
            for problem in _of_status(one):
                yield problem._replace(environments=environments).at(place)
    for full_name, error in survey.broken.items():
        environment, _, name = full_name.partition("/")
        place = checked[environment].rotations[name].place_of("secret")
        if isinstance(error, AbsentError):  # a value that the source needs to log in is absent
            error = AuthError(error.message, hint=error.hint)  # noqa: PLW2901
        if isinstance(error, SourceError):
            unread.append(_Unread(full_name, place, (environment,), error))
    yield from _unreadable(unread, inspection.root)
    yield from _orphaned(inspection, survey, deadline)


def _of_status(status: RotationStatus) -> Iterator[Problem]:
    name, why = status.rotation, f": {status.error}" if status.error else ""
    hint = status.hint
    if status.state == RotationState.OVERDUE:
        since = datetime.fromtimestamp(status.overdue_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        yield Problem("rotation-overdue", f"{name} has been overdue since {since}{why}", hint=hint)
    elif status.state == RotationState.QUARANTINED:
        yield Problem("rotation-quarantined", f"{name} is quarantined{why}", hint=hint)
    elif status.state == RotationState.BLOCKED:
        yield Problem("rotation-blocked", f"{name} cannot retire its old value{why}", hint=hint)
    elif status.stopped:
        yield Problem(
            "rotation-stopped", f"{name} has stopped and needs your decision{why}", hint=hint
        )
    elif status.state == RotationState.FAILING:
        yield Problem("rotation-failing", f"{name} failed and will be retried{why}", hint=hint)
    if status.extra_passwords:
        yield Problem(
            "unknown-passwords",
            f"the user of {name} has {unknown_passwords(status.extra_passwords)}",
            hint="find out who set them at the target, and remove them there",
        )


def _orphaned(inspection: Inspection, survey: Survey, deadline: Deadline) -> Iterator[Problem]:
    """Yield the unfinished rotations that no profile declares."""
    checked = {profile.name: profile for profile in inspection.profiles}
    found = find_orphans(survey, environ=inspection.environ, deadline=deadline)
    for orphan in found.orphans:
        profile = checked.get(orphan.profile.name)
        if profile is None:
            continue
        status = status_of_orphan(orphan)
        yield Problem(
            "rotation-orphaned",
            f"{orphan.name} of {orphan.location}: {status.error}",
            hint=status.hint,
            environments=(profile.name,),
        )


def _unreadable(unread: Iterable[_Unread], root: str) -> Iterator[Problem]:
    together: dict[tuple[str, str], list[_Unread]] = {}
    for one in unread:
        if not isinstance(one.error, ProfileError) or isinstance(one.error, SourceError):
            together.setdefault((_code(one.error), one.error.message), []).append(one)
    for (code, message), same in together.items():
        problem = placed(code, message, "", root=root, hint=same[0].error.hint)
        problem = problem if problem.file else problem.at(same[0].place)
        yield problem._replace(
            message=f"cannot read the state of {listed(one.name for one in same)}: "
            f"{problem.message}",
            environments=tuple(dict.fromkeys(env for one in same for env in one.environments)),
        )


def _code(error: EnvkitError) -> str:
    of_the_store = isinstance(error, AbsentError | SourceError)
    return code_of(error) if of_the_store else "rotation-unreadable"
