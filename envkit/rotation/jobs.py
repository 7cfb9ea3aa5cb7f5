"""Run rotations: one with its hooks, audit record and notices, or many in parallel.

    outcomes = run_all(collected.rotations, lambda one: run_rotation(one, environ=os.environ))

What always holds: a rotation that fails or takes long does not affect others; hooks get names
and never values; each run that did something is recorded in the audit log; any number of
hosts may run at once, since the second one finds the claim of the first.
"""

from __future__ import annotations

import json
import time
from hashlib import sha256

from envkit._internal.clock import Deadline
from envkit._internal.parallel import map_parallel
from envkit.audit.log import OK
from envkit.audit.session import Access, outcome_of
from envkit.errors import AuditError, ProfileError, UnavailableError
from envkit.resolution.settings import references_in, substitute_settings
from envkit.rotation.engine import advance
from envkit.rotation.hooks import TIMEOUT_SECONDS as HOOK_SECONDS
from envkit.rotation.hooks import run_hook
from envkit.rotation.machine import Request
from envkit.rotation.notify import notify
from envkit.rotation.outcome import OutcomeStatus, attempt, failed
from envkit.rotation.rotators.registry import build, context_of, rotator_type
from envkit.rotation.step_context import AnotherTargetError, Job
from envkit.rotation_state.due import next_due
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
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.store import RotationStore

CONCURRENCY = 8
# keys of `target` that say how it is treated, and not which one it is
_TARGET_OPTIONS = frozenset({"replicas", "save", "server", "terminate", "verify_current"})
SPARE_SECONDS = 60.0  # for opening, hooks and notices, beyond the time of the rotation itself


def _ignore(_step: str, _reason: str) -> None:
    pass


def run_rotation(
    rotation: Rotation,
    *,
    environ: Mapping[str, str],
    requested: Request | None = None,
    reason: str | None = None,
    progress: Callable[[str, str], None] = _ignore,
    stopping: Callable[[], bool] = lambda: False,
    warn: Callable[[EnvkitError], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Advance one rotation as far as it goes now, log it, and send its notices.

    Args:
        rotation: one of `collect`.
        environ: the process environment.
        requested: what a person asked for; None for what is due.
        reason: why, for the audit log; a protected profile needs one.
        progress: called before each step with its name and the reason.
        stopping: asked between steps; once it says yes, the rotation is left to the next
            run.
        warn: called with each notice that could not be delivered.
        clock: seconds since the epoch.

    Raises:
        UntrustedError: the user has not allowed what the rotation would run or send.
        ReasonMissingError: the profile is protected, and no reason is given.
        AuditError: the profile is protected, and the log cannot be written.
    """
    policy = rotation.policy
    if (guard := current_guard()) is not None:
        guard.check_rotation(rotation.profile, policy.name)
    access = Access("rotate", reason=reason, environ=environ)
    access.allow([rotation.profile], [policy.name])
    deadline = Deadline(policy.timeout_seconds)
    job = None

    def run() -> Outcome:
        nonlocal job
        try:
            job = open_job(rotation, environ=environ, deadline=deadline)
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
    # a run that only lost the race for the claim has done nothing
    if outcome.changed or (outcome.step and outcome.error is not None):
        result = OK if outcome.error is None else outcome_of(outcome.error)
        try:
            access.record([policy.name], {}, result)
        except AuditError as not_logged:
            # what was done is done, and has to be told; that it is not logged is a failure
            warn(not_logged)
            if outcome.ok:
                outcome = outcome._replace(status=OutcomeStatus.FAILED, error=not_logged)
    store = None if job is None else job.store
    for error in notify(rotation, outcome, store, environ=environ, now=clock()):
        warn(error)
    return outcome


def open_job(rotation: Rotation, *, environ: Mapping[str, str], deadline: Deadline) -> Job:
    """Open what a rotation is made with; no store and no target is asked yet.

    Raises:
        ProfileError: a key of the rotation is not what its rotator or store takes.
        ExtraMissingError: a package is not installed.
        EnvkitError: the source cannot be opened.
    """
    policy, profile = rotation.policy, rotation.profile
    place_of = policy.table.place_of
    source = open_source(profile, policy.secret.source, environ=environ, deadline=deadline)
    kind = rotator_type(policy.rotator, policy.strategy, place_of)
    fields = kind.fields(value_field(source, policy.secret), policy.target)
    context = context_of(policy, fields, deadline)
    build(kind, context, place_of)  # tells what is wrong before anything is asked
    known: list[RotatorContext] = []

    def open_rotator(*, deadline: Deadline, **given: Any) -> Rotator:
        if not known:  # asked for once in a run, and only in one that does something
            written = (profile, f"{policy.table.title} target", policy.target, place_of("target"))
            filled = substitute_settings(*written, environ=environ, deadline=deadline)
            own_login = policy.secret in references_in(*written)
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
        overlap=kind.overlap,
        before=_hook(rotation, "before", policy.before, deadline),
        after=_hook(rotation, "after", policy.after, deadline) if policy.after else None,
        reopen_store=reopen_store,
    )


def target_digest(policy: Policy) -> str:
    """Return the digest by which a record knows the target of a rotation.

    It is one of the table `target` as it is written, without what does not say which target
    it is. Empty where nothing says so.
    """
    named = {key: value for key, value in policy.target.items() if key not in _TARGET_OPTIONS}
    if not named:
        return ""
    return sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()


def _without_target(rotation: Rotation, *, environ: Mapping[str, str], deadline: Deadline) -> Job:
    """Open what a rotation is aborted with where the profile does not say how it is made.

    Raises:
        EnvkitError: its secret cannot be reached.
    """
    policy = rotation.policy
    source = open_source(rotation.profile, policy.secret.source, environ=environ, deadline=deadline)

    def reopen_store(fields: tuple[str, ...]) -> RotationStore:
        return open_store(source, policy.secret, fields, deadline)

    def no_rotator(**_: object) -> Rotator:
        raise AnotherTargetError("the profile does not say how it is rotated")

    return Job(
        policy.full_name,
        reopen_store((value_field(source, policy.secret),)),
        no_rotator,
        due=lambda _record, now: now,
        reopen_store=reopen_store,
    )


def run_all(
    rotations: Sequence[Rotation],
    run_one: Callable[[Rotation], Outcome],
    *,
    concurrency: int = CONCURRENCY,
    done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Run rotations side by side and return what became of each, in their order.

    Args:
        rotations: of `collect`.
        run_one: runs one of them; what it raises is that one's failure.
        concurrency: how many at once.
        done: called with each outcome as it comes, from several threads.
    """

    def run(rotation: Rotation) -> Outcome:
        outcome = attempt(rotation.full_name, lambda: run_one(rotation))
        done(outcome)
        return outcome

    longest = max((one.policy.timeout_seconds for one in rotations), default=0.0) + SPARE_SECONDS
    rounds = -(-len(rotations) // concurrency)
    results = map_parallel(
        run, rotations, workers=concurrency, deadline=Deadline(longest * max(rounds, 1))
    )
    outcomes = []
    for rotation, result in zip(rotations, results, strict=True):
        error: BaseException | None = result.error
        if result.late:
            error = UnavailableError("the rotation was not over in time; it goes on the next time")
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
