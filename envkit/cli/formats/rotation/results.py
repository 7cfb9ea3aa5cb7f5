"""The outcomes of `envkit rotate`, as text and as JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from envkit.cli.error_text import print_error
from envkit.cli.formats.rotation.moments import before, iso, moment, since
from envkit.cli.output import Cell, on_terminal, print_table
from envkit.errors import RotationError
from envkit.rotation.outcome import OutcomeStatus, blocked_hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from envkit.errors import EnvkitError
    from envkit.rotation.outcome import Outcome

_STYLES = {
    OutcomeStatus.ROTATED: "green",
    OutcomeStatus.IN_GRACE: "green",
    OutcomeStatus.WAITING: "green",
    OutcomeStatus.ROLLED_BACK: "yellow",
    OutcomeStatus.ABORTED: "yellow",
    OutcomeStatus.STOPPED: "yellow",
    OutcomeStatus.REFUSED: "red",
    OutcomeStatus.QUARANTINED: "red",
    OutcomeStatus.FAILED: "red",
    OutcomeStatus.BLOCKED: "red",
    OutcomeStatus.IN_USE: "yellow",
}
_SENTENCES = {
    OutcomeStatus.ROTATED: "the store has the new value, and the old one no longer works",
    OutcomeStatus.ROLLED_BACK: "the new value no longer works",
    OutcomeStatus.ABORTED: "the new value was discarded",
}
_KEPT = (OutcomeStatus.IN_USE, OutcomeStatus.BLOCKED)
_QUIET = (
    OutcomeStatus.NOT_DUE,
    OutcomeStatus.BUSY,
    OutcomeStatus.WAITING,
    OutcomeStatus.IN_GRACE,
    OutcomeStatus.IN_USE,
)


class OverdueError(RotationError):
    """A rotation was due, but has not run within its window and grace period."""

    code = "rotation-overdue"


class Report(NamedTuple):
    """The result of a run.

    Attributes:
        outcomes: the outcomes of the rotations.
        broken: the errors of profiles and rotations that could not run, by name.
        overdue: the full names of overdue rotations.
        named: whether the user named the rotations; all of them are then shown.
    """

    outcomes: Sequence[Outcome]
    broken: Mapping[str, EnvkitError]
    overdue: AbstractSet[str]
    named: bool = False

    @property
    def exit_status(self) -> int:
        """1 if a rotation needs attention, else 0."""
        return int(bool(self.broken or self.overdue) or not all(one.ok for one in self.outcomes))


def show(report: Report) -> None:
    """Print a line for each rotation; if not on a terminal, only for those that matter.

    Cron sends a mail if there is any output. So without a terminal, rotations that are not due,
    run elsewhere, or only wait are not printed.
    """
    now = time.time()
    chatty = on_terminal() or report.named
    shown = [one for one in report.outcomes if chatty or _matters(one, report)]
    if on_terminal() and not report.named and not any(map(_is_due, report.outcomes)):
        shown = [one for one in shown if one.status != OutcomeStatus.NOT_DUE]
        _print_next(report, now)
    print_table(
        ("ROTATION", "OUTCOME", "WHAT"),
        [
            [
                Cell(one.rotation, "bold"),
                Cell(_word(one, report), "red" if one.rotation in report.overdue else _style(one)),
                what(one, now),
            ]
            for one in shown
        ],
    )
    for one in report.outcomes:
        if not one.ok and one.error is not None:
            print_error(one.error, message=f"{one.rotation}: {one.error.message}")
    for name, error in report.broken.items():
        print_error(error, message=f"{name}: {error.message}")
    kept = {one.rotation: one.record for one in report.outcomes if one.status in _KEPT}
    for name in sorted(report.overdue):
        hint = f"run: envkit rotate {name}"
        if name in kept:
            hint = blocked_hint(name, kept[name])
        print_error(OverdueError(f"{name} is overdue", hint=hint))


def what(outcome: Outcome, now: float) -> str:
    """Return the outcome as a sentence for people."""
    record = outcome.record
    if outcome.status in _SENTENCES:
        return outcome.reason or _SENTENCES[outcome.status]
    if outcome.status == OutcomeStatus.IN_GRACE and record is not None:
        return (
            f"the store has the new value; the old one works until {before(record.retire_at, now)}"
        )
    if outcome.status in _KEPT and record is not None and record.evidence.seen_at:
        return f"{outcome.reason}, last seen {before(record.evidence.seen_at, now)}"
    if outcome.status == OutcomeStatus.NOT_DUE and outcome.until:
        return f"due {moment(outcome.until)}, {since(outcome.until, now)}"
    if outcome.status == OutcomeStatus.FAILED and outcome.until:
        again = since(outcome.until, now)
        return f"{outcome.reason}; again {'in a moment' if again == 'now' else again}"
    return outcome.reason or (outcome.error.message if outcome.error else "")


def document(report: Report) -> dict[str, Any]:
    """Return the report as JSON data."""
    return {
        "schema": "envkit.rotate/1",
        "ok": report.exit_status == 0,
        "rotations": [
            {
                "rotation": one.rotation,
                "outcome": one.status,
                "overdue": one.rotation in report.overdue,
                "reason": one.reason,
                "until": iso(one.until),
                "step": one.step,
                "phase": one.record.phase if one.record else None,
                "last_rotated_at": iso(one.record.last_rotated_at) if one.record else None,
                "changed": one.changed,
                **_error(one.error),
            }
            for one in report.outcomes
        ],
        "broken": [{"name": name, **_error(error)} for name, error in report.broken.items()],
    }


def _error(error: EnvkitError | None) -> dict[str, str | None]:
    if error is None:
        return {"error": None, "code": None, "hint": None}
    return {"error": error.message, "code": error.code, "hint": error.hint}


def _matters(outcome: Outcome, report: Report) -> bool:
    return outcome.status not in _QUIET or outcome.changed or outcome.rotation in report.overdue


def _is_due(outcome: Outcome) -> bool:
    return outcome.status != OutcomeStatus.NOT_DUE


def _print_next(report: Report, now: float) -> None:
    waiting = [one for one in report.outcomes if one.status == OutcomeStatus.NOT_DUE and one.until]
    if waiting:
        first = min(waiting, key=lambda one: one.until)
        when = f"{moment(first.until)}, {since(first.until, now)}"
        print(f"nothing is due; next is {first.rotation}: {when}")


def _word(outcome: Outcome, report: Report) -> str:
    return "overdue" if outcome.rotation in report.overdue and outcome.ok else outcome.status


def _style(outcome: Outcome) -> str:
    return _STYLES.get(outcome.status, "")
