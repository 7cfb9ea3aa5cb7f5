"""`envkit rotate` itself: run the rotations that are due, or the named ones."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from envkit._internal.clock import Deadline
from envkit.access.admission import OutsideHoursError
from envkit.arguments import timeout_seconds
from envkit.audit.session import Access
from envkit.cli.command_help import DefaultCommand
from envkit.cli.commands.rotate.asking import (
    ask_reason_for,
    confirm_compromised,
    confirm_protected,
    confirm_retire,
    require_one,
)
from envkit.cli.commands.rotate.orphaned import finish_all, named
from envkit.cli.commands.rotate.selection import (
    Environments,
    collected_from,
    orphans_of,
    require_some,
    show_statuses,
)
from envkit.cli.complete import rotations as complete_rotations
from envkit.cli.formats.rotation import results, statuses
from envkit.cli.interaction.progress import Bar
from envkit.cli.interaction.trusting import split_by_trust
from envkit.cli.output import print_json
from envkit.cli.parameters import (
    BreakGlass,
    Profiles,
    Reason,
    TextFormat,
    TextFormatted,
    Timeout,
    Yes,
)
from envkit.errors import AuditError, ProfileError, ReasonMissingError, UntrustedError, UsageError
from envkit.rotation.catalog import pick
from envkit.rotation.jobs import run_all, run_rotation
from envkit.rotation.machine import Request
from envkit.rotation.orphans import Found, status_of_orphan
from envkit.rotation.status import RotationState, broken
from envkit.rotation.status_reading import read_statuses
from envkit.rotation_state.due import is_overdue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.errors import EnvkitError
    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation.outcome import Outcome

EXAMPLE = "envkit rotate --env prod db-password"

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...",
        help="Rotations to run now, such as db-password or prod/db-password.",
        autocompletion=complete_rotations,
        show_default=False,
    ),
]


# what refuses one profile and not the others
_REFUSALS = (AuditError, OutsideHoursError, ProfileError, ReasonMissingError, UntrustedError)


class NowCommand(DefaultCommand):
    """Shows the subcommands of `envkit rotate` in its help."""

    subcommands = {  # noqa: RUF012 - nothing changes it
        "status": "Show the state of every rotation.",
        "serve": "Run rotations when they are due, until stopped.",
        "simulate": "Show when rotations would run, and what they would cost.",
    }


def now(  # noqa: PLR0917 - typer names them
    names: Names = None,
    env: Environments = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Run every rotation now, whatever its schedule.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would happen, without changing anything.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Restore the old value, while it still works.")
    ] = False,
    abort: Annotated[
        bool, typer.Option("--abort", help="Discard a new value that apps cannot read yet.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume unfinished rotations now, without starting new ones."
        ),
    ] = False,
    compromised: Annotated[
        bool,
        typer.Option(
            "--compromised",
            help="Replace a leaked value now, without a grace period, and end its sessions. Needs "
            "one NAME and --reason.",
        ),
    ] = False,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire",
            help="Retire the old value now, although programs may use it. Needs a NAME.",
        ),
    ] = False,
    yes: Yes = False,
    format_: TextFormatted = TextFormat.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Rotate the secrets that are due, in every profile.

    Named rotations run now. Unfinished rotations are resumed. You can run this from cron every
    minute, on any number of hosts at once.
    """
    requested = _requested(
        names,
        everything=everything,
        rollback=rollback,
        abort=abort,
        resume=resume,
        compromised=compromised,
        retire=retire,
        plan=plan,
    )
    environ = os.environ
    if compromised:
        require_one(names, reason, environ)
    deadline = Deadline(timeout_seconds(timeout))
    finishing = requested if names and requested in (Request.ABORT, Request.RESUME) else None
    collected = collected_from(
        env, profiles, environ, deadline, may_be_none=bool(finishing) or plan
    )
    chosen = list(collected.rotations)
    orphans = Found((), ())
    if plan or finishing:
        orphans = orphans_of(collected, env, profiles, environ, deadline)
        require_some([*chosen, *orphans.orphans], collected, env)
        if finishing and (orphaned := named(orphans.orphans, names or (), chosen)):
            reason = ask_reason_for([one.profile for one in orphaned], reason, environ)
            done = finish_all(
                orphaned, finishing, reason=reason, environ=environ, break_glass=break_glass
            )
            return _show(results.Report(done, {}, set(), named=True), (), format_)
    if names:
        chosen = _named(collected, names)
        collected = collected._replace(broken={})
    looking = plan or (resume and not names)
    chosen, untrusted = split_by_trust(chosen, reading=plan)
    collected = collected._replace(broken={**collected.broken, **untrusted})
    deadline.restart()
    if looking:
        found = read_statuses(
            chosen, environ=environ, now=time.time(), deadline=deadline, writable=plan
        )
        if plan:
            found += [] if names else [status_of_orphan(one) for one in orphans.orphans]
            found += broken(collected)
            describe = partial(statuses.planned, asked=requested == Request.ROTATE)
            return show_statuses(
                found,
                as_json=format_ is TextFormat.JSON,
                describe=describe,
                not_looked_at=() if names else orphans.not_looked_at,
            )
        open_ = {
            one.rotation for one in found if one.started_at or one.state == RotationState.UNREADABLE
        }
        chosen = [one for one in chosen if one.full_name in open_]
    if compromised:
        confirm_compromised(chosen[0], yes=yes)
    elif retire:
        confirm_retire(chosen, environ=environ, deadline=deadline, yes=yes)
    elif requested is None and not env:
        confirm_protected(chosen, environ=environ, deadline=deadline, yes=yes)
    reason = ask_reason_for([one.profile for one in chosen], reason, environ)
    chosen, refused = _allowed(chosen, reason, environ, break_glass=break_glass)
    collected = collected._replace(broken={**collected.broken, **refused})
    run = _run(chosen, requested, reason, environ, break_glass=break_glass)
    overdue = {
        outcome.rotation
        for rotation, outcome in zip(chosen, run.outcomes, strict=True)
        if is_overdue(rotation.policy, outcome.record, time.time())
    }
    report = results.Report(
        run.outcomes, collected.broken, overdue, named=bool(names) or everything
    )
    return _show(report, run.warnings, format_)


def _show(report: results.Report, warnings: Iterable[EnvkitError], format_: TextFormat) -> int:
    """Print the outcomes and return the exit status."""
    if format_ is TextFormat.JSON:
        print_json(results.document(report))
    else:
        results.show(report)
    for error in warnings:
        print(f"envkit: warning: {error.message}", file=sys.stderr)
    return report.exit_status


class _Run(NamedTuple):
    outcomes: list[Outcome]
    warnings: list[EnvkitError]


def _requested(
    names: Sequence[str] | None,
    *,
    everything: bool,
    rollback: bool,
    abort: bool,
    resume: bool,
    compromised: bool,
    retire: bool,
    plan: bool,
) -> Request | None:
    flags = [
        (requested, flag)
        for given, requested, flag in (
            (everything, Request.ROTATE, "--all"),
            (rollback, Request.ROLLBACK, "--rollback"),
            (abort, Request.ABORT, "--abort"),
            (resume, Request.RESUME, "--resume"),
            (compromised, Request.COMPROMISED, "--compromised"),
            (retire, Request.RETIRE, "--retire"),
        )
        if given
    ]
    if len(flags) > 1:
        raise UsageError(
            f"cannot combine {flags[0][1]} and {flags[1][1]}", hint="leave one of them out"
        )
    if plan and flags and not everything:
        raise UsageError(
            f"cannot combine --plan and {flags[0][1]}",
            hint=f"leave {flags[0][1]} out: --plan takes names or --all",
        )
    if everything and names:
        raise UsageError("cannot combine --all and a name", hint="leave one of them out")
    if (rollback or abort or retire) and not names:
        raise UsageError(
            f"{flags[0][1]} needs a name", hint=f"run: envkit rotate {flags[0][1]} db-password"
        )
    return flags[0][0] if flags else Request.ROTATE if names else None


def _named(collected: Collected, names: Sequence[str]) -> list[Rotation]:
    """Return the rotations with these names; raise the error of a broken one."""
    try:
        return pick(collected.rotations, names, also=NowCommand.subcommands)
    except UsageError:
        for name in names:
            for broken_name, error in collected.broken.items():
                profile, _, rotation = broken_name.partition("/")
                if name in (broken_name, rotation) or name.startswith(f"{profile}/"):
                    raise error from None
        raise


def _allowed(
    rotations: list[Rotation],
    reason: str | None,
    environ: Mapping[str, str],
    *,
    break_glass: bool,
) -> tuple[list[Rotation], dict[str, EnvkitError]]:
    """Return the rotations that may run, and the errors of the other profiles by name.

    Raises:
        ReasonMissingError: all profiles are protected, and no reason is given.
        OutsideHoursError: a person uses all profiles outside their hours.
        UntrustedError: the user does not trust the channels of all profiles.
        AuditError: all profiles are protected, and the log cannot be written.
    """
    guarded = {one.profile.name: one.profile for one in rotations if one.profile.guarded}
    refused: dict[str, EnvkitError] = {}

    def allow(profiles: Iterable[Profile]) -> None:
        access = Access("rotate", reason=reason, environ=environ, break_glass=break_glass)
        access.allow(profiles, ())

    for name, profile in guarded.items():
        try:
            allow([profile])
        except _REFUSALS as error:
            refused[name] = error
    allowed = [one for one in rotations if one.profile.name not in refused]
    if refused and not allowed:
        allow(guarded.values())
    return allowed, refused


def _run(
    rotations: Sequence[Rotation],
    requested: Request | None,
    reason: str | None,
    environ: Mapping[str, str],
    *,
    break_glass: bool,
) -> _Run:
    """Run rotations. Ctrl-C stops each after its current step; a second Ctrl-C stops at once."""
    warnings: list[EnvkitError] = []
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    finished = 0
    try:
        with Bar() as bar:

            def done(_: Outcome) -> None:
                nonlocal finished
                finished += 1
                bar.show("rotating", finished, len(rotations))

            def run_one(rotation: Rotation) -> Outcome:
                return run_rotation(
                    rotation,
                    environ=environ,
                    requested=requested,
                    reason=reason,
                    break_glass=break_glass,
                    progress=lambda step, _: bar.show(
                        f"{rotation.full_name}: {step}", finished, len(rotations)
                    ),
                    stopping=lambda: bool(stopped),
                    warn=warnings.append,
                )

            return _Run(run_all(rotations, run_one, done=done), warnings)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
