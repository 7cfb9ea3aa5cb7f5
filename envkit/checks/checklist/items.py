"""Turn facts into the items of a checklist. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from envkit.checks.checklist.model import Item, ItemKind, ItemState
from envkit.checks.problem import listed
from envkit.comparison.model import CellState, DiffStatus
from envkit.errors import LeaseNeededError
from envkit.rotation.status import ALARMS, RotationState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envkit.access.rules import Rules
    from envkit.audit.verify import Verdict
    from envkit.backup.drill_state import LastDrill
    from envkit.comparison.model import Cell, EnvDiff
    from envkit.rotation.status import RotationStatus

DAY_SECONDS = 86_400.0
MOST_DRILL_DAYS = 30  # older than this, a drill no longer proves that a restore works
_OK, _WARNING = ItemState.OK, ItemState.WARNING
_FAILED, _NONE = ItemState.FAILED, ItemState.NOT_CONFIGURED


def variables(diff: EnvDiff | None, environment: str) -> Item:
    """Return whether an environment has all variables of the previous one, and its own secrets.

    Args:
        diff: the previous environment and this one, in this order, without what the team accepts;
            None if no previous one was named.
        environment: the name of this one.
    """
    kind = ItemKind.VARIABLES
    if diff is None:
        hint = f"add --previous NAME, the environment that you deploy to before {environment}"
        return Item(kind, _NONE, "no environment to compare with", hint=hint)
    previous = diff.environments[0]
    failed: list[str] = []
    noted: list[str] = []
    for entry in diff.entries:
        before, now = entry.cells
        if now.state is CellState.UNREADABLE and now.code != LeaseNeededError.code:
            failed.append(f"{entry.name} cannot be read: {now.reason}")
        elif _has(before) and now.state in (CellState.ABSENT, CellState.UNDECLARED):
            failed.append(f"{entry.name} is missing")
        elif DiffStatus.REUSED in entry.statuses:
            failed.append(f"{entry.name} has a secret of {previous}")
        elif before.state is CellState.UNREADABLE and before.code != LeaseNeededError.code:
            noted.append(f"{entry.name} cannot be read in {previous}: {before.reason}")
    hint = f"run: envkit diff {previous} {environment}"
    if failed:
        count = _count(len(failed), "variable needs", "variables need")
        return Item(kind, _FAILED, f"{count} attention", (*failed, *noted), hint)
    if noted:
        return Item(kind, _WARNING, f"{previous} cannot be read completely", tuple(noted), hint)
    names = sum(_has(entry.cells[1]) for entry in diff.entries)
    text = f"{_count(names, 'variable is', 'variables are')} set; none of {previous} is missing"
    return Item(kind, _OK, text)


def _has(cell: Cell) -> bool:
    return cell.state in (CellState.VALUE, CellState.UNREADABLE)


def rotation(statuses: Sequence[RotationStatus], broken: Mapping[str, str], now: float) -> Item:
    """Return whether the secrets of an environment are rotated when they are due.

    Args:
        statuses: the status of each rotation.
        broken: the errors of rotations that are not valid, by name.
        now: seconds since the epoch.
    """
    kind, hint = ItemKind.ROTATION, "run: envkit rotate status"
    if not statuses and not broken:
        return Item(kind, _NONE, "no secret is rotated", hint="add a table [rotation.NAME]")
    alarms = [one for one in statuses if one.state in ALARMS]
    failed = [f"{one.rotation} is {one.state}" + _because(one.error) for one in alarms]
    failed += [f"{name}: {error}" for name, error in broken.items()]
    if failed:
        count = _count(len(failed), "rotation needs", "rotations need")
        return Item(kind, _FAILED, f"{count} attention", tuple(failed), hint)
    due = [one.rotation for one in statuses if one.state == RotationState.DUE]
    if due:
        return Item(kind, _WARNING, f"{listed(due)} {_is(due)} due", hint="run: envkit rotate")
    oldest = min(one.last_rotated_at for one in statuses)
    text = f"{_count(len(statuses), 'secret is', 'secrets are')} rotated on schedule"
    never = [one.rotation for one in statuses if not one.last_rotated_at]
    if never:
        return Item(kind, _WARNING, f"{listed(never)} {_was(never)} never rotated", hint=hint)
    return Item(kind, _OK, f"{text}; the oldest value is {_days(now - oldest)} old")


def backup(drill: LastDrill | None, made: Collection[str], now: float) -> Item:
    """Return whether a backup of envkit was restored in a drill, and how long ago.

    A file that decrypts proves no sender: anyone who knows the recipient can write one.

    Args:
        drill: the last one on this host.
        made: the SHA-256 of each backup that envkit has made on this host.
        now: seconds since the epoch.
    """
    kind = ItemKind.BACKUP
    hint = "run: envkit backup drill FILE --identity ID"
    if drill is None:
        first = "run: envkit backup, then: envkit backup drill FILE --identity ID"
        return Item(kind, _NONE, "no drill of a backup has run on this host", hint=first)
    text = (
        f"a backup of {_day(drill.backup_created_at)} was restored in a drill on {_day(drill.at)}"
    )
    if drill.failures:
        names = f"{listed(drill.failures)} had no value"
        return Item(kind, _FAILED, f"{text}, and it failed: {names}", hint=hint)
    age = now - min(drill.at, drill.backup_created_at)
    if age < -DAY_SECONDS:
        return Item(kind, _WARNING, f"{text}, which is in the future", hint=hint)
    if age > MOST_DRILL_DAYS * DAY_SECONDS:
        more = f"more than {MOST_DRILL_DAYS} days ago"
        return Item(kind, _WARNING, f"{text}: {more}", hint=hint)
    details = (f"sha256 of the backup: {drill.sha256}",)
    if drill.sha256 not in made:
        who = "it is not one of those made on this host" if made else "no record says who made it"
        hint = "find the SHA-256 in the audit log of its host: envkit audit show --format json"
        return Item(kind, _WARNING, f"{text}, but {who}", details, hint)
    count = _count(drill.resolved, "variable", "variables")
    return Item(kind, _OK, f"{text}: {count}", details)


def access(rules: Rules | None, error: str = "", fix: str | None = None) -> Item:
    """Return whether the use of an environment by people needs a reason and is reported.

    Args:
        rules: of its profile; None if they are not valid.
        error: why they are not valid.
        fix: how to correct them.
    """
    kind = ItemKind.ACCESS
    if rules is None:
        return Item(kind, _FAILED, error, hint=fix or "correct the table [access]")
    has_reason, is_reported = rules.profile.protected, bool(rules.channels)
    parts = [
        "people give a reason" if has_reason else "no reason is required",
        f"each use is reported to {_count(len(rules.channels), 'channel', 'channels')}"
        if is_reported
        else "uses are not reported",
        f"people use it {rules.hours.text}" if rules.hours else "people use it at any time",
    ]
    if not has_reason and not is_reported and not rules.hours:
        text = "people use it without a reason, unreported, at any time"
        hint = "add [access] to the profile, with 'reason' and 'notify'"
        return Item(kind, _NONE, text, hint=hint)
    lacking = [
        key for key, is_set in (("reason", has_reason), ("notify", is_reported)) if not is_set
    ]
    hint = f"add {' and '.join(repr(key) for key in lacking)} to [access]" if lacking else ""
    state = _OK if has_reason and is_reported else _WARNING
    details = ("the policies of the store decide who can read: run envkit access",)
    return Item(kind, state, "; ".join(parts), details, hint)


def audit(destination: str, verdict: Verdict | None, error: str) -> Item:
    """Return whether uses are recorded, and whether the chain of records is intact.

    Args:
        destination: `off`, `syslog` or the path of the log.
        verdict: of the file; None if it was not verified.
        error: why the file could not be read.
    """
    kind = ItemKind.AUDIT
    if destination == "off":
        return Item(kind, _NONE, "ENVKIT_AUDIT is off", hint="unset ENVKIT_AUDIT")
    if destination == "syslog":
        text = "records go to the system log, whose chain envkit cannot verify"
        return Item(kind, _WARNING, text, hint="verify it where it is collected")
    if verdict is None:
        return Item(kind, _FAILED, error, hint="run: envkit audit verify")
    if not verdict.records and not verdict.problems:
        text = f"there is no record in {destination}"
        return Item(kind, _WARNING, text, hint="use the environment once, then check again")
    if verdict.problems:
        count = _count(len(verdict.problems), "problem", "problems")
        return Item(
            kind, _FAILED, f"{count} in {destination}", verdict.problems, "run: envkit audit verify"
        )
    text = f"{_count(verdict.records, 'record', 'records')} in {destination}, intact"
    return Item(kind, _OK, text, (*verdict.notes, f"the anchor is {verdict.last}"))


def notifications(channels: int, errors: Sequence[str] | None) -> Item:
    """Return whether the channels of an environment were tried.

    Args:
        channels: how many it has.
        errors: of the channels that failed; None if none was tried.
    """
    kind = ItemKind.NOTIFICATIONS
    count = _count(channels, "channel", "channels")
    if not channels:
        return Item(kind, _NONE, "there is no channel", hint="add 'notify' to [access]")
    if errors is None:
        was = "was" if channels == 1 else "were"
        return Item(kind, _WARNING, f"{count} {was} not tried", hint="add --send-test")
    if errors:
        hint = "correct the channel, then run the command again"
        return Item(kind, _FAILED, f"{len(errors)} of {count} failed", tuple(errors), hint)
    return Item(kind, _OK, f"{count} accepted a test")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _is(words: Sequence[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _was(words: Sequence[str]) -> str:
    return "was" if len(words) == 1 else "were"


def _because(error: str) -> str:
    return f": {error}" if error else ""


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _days(seconds: float) -> str:
    return _count(int(seconds // DAY_SECONDS), "day", "days")
