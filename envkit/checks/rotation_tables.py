"""Check the tables `[rotation.*]`, and that the grace period outlasts the caches of programs.

This contacts no store and no target. Each table is checked by itself, so that an error in one does
not hide another. A table that several profiles inherit is reported once.
"""

from __future__ import annotations

from envkit._internal.clock import Deadline
from envkit.checks.inspection import placed
from envkit.checks.problem import Problem
from envkit.errors import (
    AbsentError,
    EnvkitError,
    ExtraMissingError,
    InvalidReferenceError,
    ProfileError,
    SourceError,
)
from envkit.resident.lifecycle import STOP_TIMEOUT_SECONDS
from envkit.resident.noticing import LOCAL_POLL_SECONDS, POLL_SECONDS
from envkit.resident.state import DEBOUNCE_SECONDS
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.rotation.catalog import Rotation, conflict_error
from envkit.rotation.jobs import open_job
from envkit.rotation.rotators.registry import build, check_evidence, context_of, rotator_type
from envkit.rotation.tools import missing_tools
from envkit.rotation_state.policy import policy
from envkit.rotation_state.retirement import RetireWhen

_MARGIN_SECONDS = 18.0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.checks.inspection import Inspection
    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Survey
    from envkit.rotation_state.policy import Policy


def find(inspection: Inspection, survey: Survey) -> Iterator[Problem]:
    """Yield the problems of rotation tables."""
    for profile in inspection.profiles:
        for name in profile.rotations:
            try:
                written = policy(profile, name)
                yield from _of_policy(written)
                yield from _cut_off(profile, written)
                yield from _without_after(written)
                yield from _missing_tools(written)
                _open(inspection, profile, written)
            except EnvkitError as error:
                yield _problem(profile, name, error)
    for group in survey.groups:
        yield from conflicts(group)


def conflicts(group: Sequence[Rotation]) -> Iterator[Problem]:
    """Yield contradictions between rotations of one secret."""
    first = group[0]
    for other in group[1:]:
        if not first.policy.same_as(other.policy):
            error = conflict_error(first, other)
            yield Problem(
                "rotation-conflict",
                error.message,
                hint=error.hint or "",
                environments=tuple(dict.fromkeys((first.profile.name, other.profile.name))),
            ).at(other.policy.place)


def _of_policy(policy: Policy) -> Iterator[Problem]:
    """Yield a problem if programs may cache an old value for longer than it is valid.

    Raises:
        ProfileError: the rotator does not exist, or does not accept these settings.
    """
    place_of = policy.table.place_of
    kind = rotator_type(policy.rotator, policy.strategy, place_of)
    field = policy.secret.field or policy.secret.path
    fields = kind.fields(field, policy.target)
    rotator = build(kind, context_of(policy, fields, Deadline(DEFAULT_TIMEOUT_SECONDS)), place_of)
    check_evidence(kind, policy)
    declared = policy.cache_age_seconds or 0.0
    cached = max(declared, getattr(rotator, "cache_age_seconds", 0.0))
    title = policy.table.title
    problem = Problem("short-grace", "", environments=(policy.profile,)).at(place_of("grace"))
    if not kind.overlap and declared:
        yield problem._replace(
            message=f"{title}: programs cache the value for {_duration(declared)}, and with the "
            f"rotator '{policy.rotator}' ({policy.strategy}) the old one stops working at once",
            hint="use a strategy with two users; or let 'after' restart the programs, and remove "
            "'cache_age'",
        )
    elif kind.overlap and policy.timing.grace_seconds < cached:
        yield problem._replace(
            message=f"{title}: programs cache the value for {_duration(cached)}, and the old one "
            f"works only {_duration(policy.timing.grace_seconds)} longer",
            hint=f'write grace = "{_duration(cached)}", or more',
        )


def _cut_off(profile: Profile, policy: Policy) -> Iterator[Problem]:
    """Yield a problem if a running program loses access before it can get the new value."""
    place_of, title = policy.table.place_of, policy.table.title
    problem = Problem("no-overlap", "", environments=(policy.profile,))
    kind = rotator_type(policy.rotator, policy.strategy, place_of)
    if not kind.overlap:
        yield problem._replace(
            message=f"{title}: with the rotator '{policy.rotator}' ({policy.strategy}) the old "
            "value stops working before any program has the new one",
            hint="use a strategy with two users, or envkit.live in the program",
        ).at(place_of("strategy"))
        return
    if policy.after or policy.cache_age_seconds is not None:
        return  # programs get the new value in another way
    grace = policy.timing.grace_seconds
    needed = _poll_seconds(profile, policy) + DEBOUNCE_SECONDS + STOP_TIMEOUT_SECONDS
    if policy.retire_when == RetireWhen.GRACE and grace <= needed:
        yield problem._replace(
            message=f"{title}: the old value works {_duration(grace)} longer, and 'envkit exec "
            f"--watch' may need {_duration(needed)} to restart a program",
            hint=f'write grace = "{_duration(needed + _MARGIN_SECONDS)}", or more',
        ).at(place_of("grace"))


def _poll_seconds(profile: Profile, policy: Policy) -> float:
    """Return how long a change of a value may go unnoticed."""
    source = profile.sources[policy.secret.source]
    default = LOCAL_POLL_SECONDS if source.type == "dotenv" else POLL_SECONDS
    return source.poll_seconds or default


def _without_after(policy: Policy) -> Iterator[Problem]:
    """Yield a problem if programs that read the value only at their start may be cut off."""
    waits = policy.retire_when != RetireWhen.GRACE
    if not (waits or policy.after) and policy.cache_age_seconds is None:
        yield Problem(
            "rotation-without-after",
            f"{policy.table.title}: programs that read the value only at their start fail once "
            "the old value is retired",
            hint="run them under 'envkit exec --watch' or use envkit.live, and write cache_age = "
            '"2m"; or write after = [["systemctl", "restart", "app"]]',
            environments=(policy.profile,),
        ).at(policy.place)


def _missing_tools(policy: Policy) -> Iterator[Problem]:
    """Yield the programs that are missing on this host; another host may run the rotation."""
    for missing in missing_tools(policy):
        yield Problem(
            "rotation-tools",
            f"{policy.table.title}: {missing.message}",
            hint=missing.hint or "",
            environments=(policy.profile,),
        ).at(policy.place)


def _open(inspection: Inspection, profile: Profile, policy: Policy) -> None:
    """Check whether the store can save the rotation record, as far as possible without a login.

    Raises:
        EnvkitError: it cannot.
    """
    rotation = Rotation(policy, profile, (profile.name,), "")
    try:
        open_job(rotation, environ=inspection.environ, deadline=Deadline(DEFAULT_TIMEOUT_SECONDS))
    except (AbsentError, SourceError) as error:
        if isinstance(error, ProfileError):
            raise
        # it cannot be opened here; the checks of values and states report that


def _problem(profile: Profile, name: str, error: EnvkitError) -> Problem:
    table = profile.rotations[name]
    code, key = "rotation-invalid", "secret"
    if isinstance(error, ExtraMissingError):
        code, key = "rotation-unchecked", "schedule"
    elif isinstance(error, InvalidReferenceError):
        code = "reference-invalid"
    found = placed(code, error.message, "", hint=error.hint)._replace(environments=(profile.name,))
    if found.file:
        return found
    found = found._replace(message=f"{table.title}: {error.message}")
    return found.at(table.place_of(key))


def _duration(seconds: float) -> str:
    """Return a duration as profiles have it: `90m`, and not `1h30m`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length:g}{unit}"
    return f"{seconds:g}s"
