"""Run rotations: one with its hooks, audit record and notices, or many in parallel.

    outcomes = run_all(collected.rotations, lambda one: run_rotation(one, environ=os.environ))

A rotation that fails or is slow does not affect others. Hooks receive names, never values. Each
run that did something is recorded in the audit log. Any number of hosts may run at once, since
the second one finds the claim of the first.
"""

from __future__ import annotations

import time

from envkit._internal.clock import Deadline
from envkit._internal.parallel import QuickHandover, map_parallel
from envkit.audit.log import OK
from envkit.audit.session import Access, outcome_of
from envkit.errors import AuditError, ProfileError, UnavailableError
from envkit.resolution.settings import references_in, substitute_settings
from envkit.rotation.engine import advance
from envkit.rotation.hooks import TIMEOUT_SECONDS as HOOK_SECONDS
from envkit.rotation.hooks import run_hook
from envkit.rotation.identity import target_digest
from envkit.rotation.machine import Request
from envkit.rotation.notify import notify
from envkit.rotation.outcome import attempt, failed
from envkit.rotation.rotators.registry import build, check_evidence, context_of, rotator_type
from envkit.rotation.step_context import AnotherTargetError, Job
from envkit.rotation.tools import missing_tools
from envkit.rotation_state.due import next_due, retirement_of
from envkit.rotation_state.retirement import LOOK_SECONDS
from envkit.rotation_state.stores.registry import open_store, value_field
from envkit.sources.registry import current_guard, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envkit.errors import EnvkitError
    from envkit.rotation.catalog import Rotation
    from envkit.rotation.outcome import Outcome
    from envkit.rotation.protocols import Rotator, RotatorContext
    from envkit.rotation_state.evidence import Sightings
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.store import RotationStore
    from envkit.sources.protocols import Source

CONCURRENCY = 3  # never slower than 1: see tests/bench/rotate.py
_LOGINS = frozenset({"dsn", "url"})  # keys of `target` with an admin's login
SPARE_SECONDS = 60.0  # for opening, hooks and notices, on top of the rotation's own timeout


def _ignore(_step: str, _reason: str) -> None:
    pass


def run_rotation(
    rotation: Rotation,
    *,
    environ: Mapping[str, str],
    requested: Request | None = None,
    reason: str | None = None,
    break_glass: bool | None = None,
    progress: Callable[[str, str], None] = _ignore,
    stopping: Callable[[], bool] = lambda: False,
    warn: Callable[[EnvkitError], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
    sightings: Sightings | None = None,
) -> Outcome:
    """Advance one rotation as far as possible now, log it, and send its notices.

    Args:
        rotation: from `collect`.
        environ: the process environment.
        requested: what a person requested; None to run only if it is due.
        reason: for the audit log; a protected profile needs one.
        break_glass: whether a person rotates outside the hours of the profile; None if no
            person can have started this run, as in a scheduler.
        progress: called before each step with its name and the reason.
        stopping: called between steps; if it returns true, the next run resumes the
            rotation.
        warn: called with the error of each notice that could not be delivered, and of an
            audit record that could not be written.
        clock: returns seconds since the epoch.
        sightings: what earlier runs of this process have seen; None for a single run.

    Raises:
        UntrustedError: the user has not trusted the commands or channels of the rotation.
        ReasonMissingError: the profile is protected, and no reason is given.
        OutsideHoursError: a person started it outside the hours of the profile.
        AuditError: the profile is protected, and the log cannot be written. After the
            rotation has run, this is only a warning.
    """
    policy = rotation.policy
    if (guard := current_guard()) is not None:
        guard.check_rotation(rotation.profile, policy.name)
    access = Access(
        "rotate",
        reason=reason,
        environ=environ,
        break_glass=bool(break_glass),
        service=break_glass is None,
        warn=warn,
    )
    access.allow([rotation.profile], [policy.name])
    deadline = Deadline(policy.timeout_seconds)
    job = None

    def run() -> Outcome:
        nonlocal job
        try:
            job = open_job(rotation, environ=environ, deadline=deadline)
            job = job._replace(sightings=sightings)
        except ProfileError:
            if requested != Request.ABORT:
                raise
            job = _without_target(rotation, environ=environ, deadline=deadline)
        return advance(
            job,
            deadline=deadline,
            requested=requested,
            clock=clock,
            progress=progress,
            stopping=stopping,
        )

    outcome = attempt(rotation.full_name, run)
    # a run that only lost the race for the claim did nothing
    if outcome.changed or (outcome.step and outcome.error is not None):
        result = OK if outcome.error is None else outcome_of(outcome.error)
        try:
            access.record([policy.name], {}, result)
        except AuditError as not_logged:  # the rotation has run: send its notices anyway
            warn(not_logged)
    store = None if job is None else job.store
    for error in notify(rotation, outcome, store, environ=environ, now=clock()):
        warn(error)
    return outcome


def open_job(
    rotation: Rotation,
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    source: Source | None = None,
) -> Job:
    """Open everything that a rotation needs, without a request to its store or target.

    Args:
        rotation: from `collect`.
        environ: the process environment.
        deadline: when the whole operation must be done.
        source: the source of the secret, if it is already open.

    Raises:
        ProfileError: the rotator or the store does not accept a key of the rotation.
        ExtraMissingError: a package is not installed.
        EnvkitError: the source cannot be opened.
    """
    policy, profile = rotation.policy, rotation.profile
    place_of = policy.table.place_of
    if source is None:
        source = open_source(profile, policy.secret.source, environ=environ, deadline=deadline)
    kind = rotator_type(policy.rotator, policy.strategy, place_of)
    fields = kind.fields(value_field(source, policy.secret), policy.target)
    context = context_of(policy, fields, deadline)
    build(kind, context, place_of)  # reports invalid settings before any request
    check_evidence(kind, policy)
    known: list[RotatorContext] = []

    def open_rotator(*, deadline: Deadline, **given: Any) -> Rotator:
        if not known:  # resolved once in a run, and only if a step needs the target
            written = (profile, f"{policy.table.title} target", policy.target, place_of("target"))
            filled = substitute_settings(*written, environ=environ, deadline=deadline)
            logins = {key: text for key, text in policy.target.items() if key in _LOGINS}
            own_login = policy.secret in references_in(profile, "target", logins, written[3])
            known.append(context._replace(target=filled, own_login=own_login))
        return build(kind, known[0]._replace(deadline=deadline, **given), place_of)

    def reopen_store(fields: tuple[str, ...]) -> RotationStore:
        return open_store(source, policy.secret, fields, deadline)

    changed = " and ".join(fields) if fields[0] else "the secret"
    return Job(
        policy.full_name,
        reopen_store(fields),
        open_rotator,
        due=lambda record, now: next_due(policy, record, now).starts,
        plan=f"{policy.rotator} ({policy.strategy}) of {changed}",
        target=target_digest(policy),
        grace_seconds=policy.timing.grace_seconds,
        retirement=retirement_of(policy, getattr(kind, "look_seconds", LOOK_SECONDS)),
        overlap=kind.overlap,
        check=lambda: _refuse_missing_tools(policy),
        before=_hook(rotation, "before", policy.before, deadline),
        after=_hook(rotation, "after", policy.after, deadline) if policy.after else None,
        reopen_store=reopen_store,
        secret=str(policy.secret),
    )


def _without_target(rotation: Rotation, *, environ: Mapping[str, str], deadline: Deadline) -> Job:
    """Open a job that can only abort, for a profile that no longer defines how to rotate.

    Raises:
        EnvkitError: the secret cannot be reached.
    """
    policy = rotation.policy
    source = open_source(rotation.profile, policy.secret.source, environ=environ, deadline=deadline)

    def reopen_store(fields: tuple[str, ...]) -> RotationStore:
        return open_store(source, policy.secret, fields, deadline)

    def no_rotator(**_: object) -> Rotator:
        raise AnotherTargetError("the profile does not declare how to rotate it")

    return Job(
        policy.full_name,
        reopen_store((value_field(source, policy.secret),)),
        no_rotator,
        due=lambda _record, now: now,
        reopen_store=reopen_store,
    )


def _refuse_missing_tools(policy: Policy) -> None:
    for missing in missing_tools(policy):
        raise missing


def run_all(
    rotations: Sequence[Rotation],
    run_one: Callable[[Rotation], Outcome],
    *,
    concurrency: int = CONCURRENCY,
    done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Run rotations in parallel and return their outcomes, in the order of the rotations.

    Args:
        rotations: from `collect`.
        run_one: runs one rotation; an exception counts as the failure of that rotation.
        concurrency: how many run at once.
        done: called with each outcome as soon as it is known, from several threads.
    """

    def run(rotation: Rotation) -> Outcome:
        outcome = attempt(rotation.full_name, lambda: run_one(rotation))
        done(outcome)
        return outcome

    longest = max((one.policy.timeout_seconds for one in rotations), default=0.0) + SPARE_SECONDS
    rounds = -(-len(rotations) // concurrency)
    with QuickHandover():
        results = map_parallel(
            run, rotations, workers=concurrency, deadline=Deadline(longest * max(rounds, 1))
        )
    outcomes = []
    for rotation, result in zip(rotations, results, strict=True):
        error: BaseException | None = result.error
        if result.late:
            error = UnavailableError("the rotation did not finish in time; the next run resumes it")
        if isinstance(error, Exception):
            outcomes.append(failed(rotation.full_name, error))
        else:
            outcomes.append(result.value)
    return outcomes


def _hook(
    rotation: Rotation, when: str, commands: Sequence[Sequence[str]], deadline: Deadline
) -> Callable[[], None]:
    policy = rotation.policy
    facts = {
        "ENVKIT_PROFILE": policy.profile,
        "ENVKIT_ROTATION": policy.name,
        "ENVKIT_SECRET": str(policy.secret),
        "ENVKIT_ROTATOR": policy.rotator,
        "ENVKIT_HOOK": when,
    }

    def run() -> None:
        for command in commands:
            run_hook(
                command,
                facts,
                environment=policy.environment,
                timeout_seconds=deadline.remaining_seconds(HOOK_SECONDS),
            )

    return run
