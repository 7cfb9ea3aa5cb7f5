"""Look at the target who still uses the old credential, and save the evidence.

One run looks once, in the grace period and after it. A look that fails is saved as such: it is
no evidence that the credential is unused, and `rotation_state.retirement` keeps it then. What a
record needs of it is saved by compare-and-set, at a bounded pace, without an owner: a process
that retires the credential meanwhile is not disturbed, and its own write makes ours a conflict.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from envkit._internal.clock import Deadline
from envkit._internal.parallel import call_in_time
from envkit.errors import EnvkitError, RotationError
from envkit.rotation.machine import NEW_VALUES, Decision, Request, StepKind, published_value
from envkit.rotation.step_context import AnotherTargetError, StepContext
from envkit.rotation_state.evidence import (
    Evidence,
    Usage,
    after_failure,
    after_look,
    as_of,
    merged,
    worth_saving,
)
from envkit.rotation_state.record import Phase
from envkit.rotation_state.retirement import Retirement, block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation.step_context import RunContext
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Snapshot

LOOK_TIMEOUT_SECONDS = 10.0
CLEAN_UP_SHARE = 0.2  # part of it in which a rotator ends what it has started
SAVE_PACE_SECONDS = 60.0  # between two writes of the same evidence, unless the store says more
# these need no evidence
_WHATEVER_IS_SEEN = (Request.RETIRE, Request.COMPROMISED, Request.ROLLBACK, Request.ABORT)


class Looks:
    """The evidence of one run.

    Attributes:
        retirement: how the run retires the old credential.
    """

    def __init__(self, retirement: Retirement) -> None:
        self.retirement = retirement
        self._found: Evidence | None = None

    def taken(self, context: RunContext, seen: Snapshot) -> Snapshot:
        """Return the snapshot with the evidence of this run; look and save if needed.

        Raises:
            ConflictError: another process has advanced the rotation.
            EnvkitError: the evidence cannot be saved.
        """
        record = seen.record
        if record is None or not self._matters(context, seen):
            return seen
        if self._found is None:
            try:
                self._found = _look(context, seen, self._before(context, record))
            except AnotherTargetError:
                self.retirement = Retirement()  # the step that retires says what is wrong
                return seen
            if context.job.sightings is not None:
                context.job.sightings.note(record.id, self._found)
        found, now = self._found, context.clock()
        saved = as_of(record.evidence, now)
        if saved.tried_at > found.tried_at:  # another process has looked meanwhile
            found = merged(saved, found)._replace(error=found.error or saved.error)
        looked = record._replace(evidence=found)
        if now >= record.retire_at and block(looked, self.retirement, now) is None:
            return seen._replace(record=looked)  # the step that retires saves it
        # what a run does not save, the next one does not know: with a short grace period, it
        # could believe that the last sighting was longer ago than the quiet time
        pace = min(SAVE_PACE_SECONDS, self.retirement.quiet_seconds / 2)
        pace = getattr(context.job.store, "save_pace_seconds", pace)
        times = record.promoted_at, record.retire_at
        if worth_saving(record.evidence, found, *times, pace_seconds=pace):
            return context.job.store.save(seen, looked, seen.pending)
        return seen._replace(record=looked)

    @staticmethod
    def _before(context: RunContext, record: Record) -> Evidence:
        saved, sightings = record.evidence, context.job.sightings
        known = saved if sightings is None else sightings.of(record.id, saved)
        return as_of(known, context.clock())

    def _matters(self, context: RunContext, seen: Snapshot) -> bool:
        record = seen.record
        return (
            self.retirement.waits
            and record is not None
            and record.phase == Phase.GRACE
            and not record.owner
            and not record.compromised
            and context.requested not in _WHATEVER_IS_SEEN
            and published_value(seen.current, seen.pending) in NEW_VALUES
        )


def _look(context: RunContext, seen: Snapshot, before: Evidence) -> Evidence:
    """Return the evidence after one look.

    Raises:
        AnotherTargetError: the profile names another target than the rotation was begun with.
    """
    hidden = _hidden(context, seen)
    seconds = context.deadline.remaining_seconds(LOOK_TIMEOUT_SECONDS)
    spare_seconds = CLEAN_UP_SHARE * seconds
    deadline = Deadline(seconds - spare_seconds)
    step = StepContext(context._replace(deadline=deadline), seen, Decision(StepKind.WAIT), 0.0)

    def look() -> Usage:
        rotator, record = step.rotator, step.record
        found: Usage = rotator.in_use(seen.old, record.facts)  # type: ignore[attr-defined]
        return found

    result = call_in_time(look, deadline, spare_seconds=spare_seconds)
    error, now = result.error, context.clock()
    if result.late:
        return after_failure(before, "the target did not answer in time", now)
    if error is None:
        return after_look(before, result.value, now, hidden)
    if isinstance(error, AnotherTargetError) or not isinstance(error, Exception):
        raise error
    if not isinstance(error, EnvkitError):  # its text may hold a value
        error = RotationError(f"the look failed: {type(error).__name__}")
    return after_failure(before, error.message, now, hidden)


def _hidden(context: RunContext, seen: Snapshot) -> list[str]:
    """Return the values that must not appear in the evidence: old and new, and their passwords."""
    field = context.job.store.fields[0]
    values = [one[field].reveal() for one in seen.pending.values() if field in one]
    passwords = []
    for value in values:
        try:
            password = urlsplit(value).password or ""
        except ValueError:
            continue
        passwords += [password, unquote(password)]
    texts = [text for text in (*values, *passwords) if text]
    # PostgreSQL shows what is not ASCII as `\x..`, and before version 16 as `?`
    return texts + [_in_ascii(text, form) for text in texts for form in ("\\x{:02x}", "?")]


def _in_ascii(text: str, form: str) -> str:
    """Return a text with each byte that is not printable ASCII in another form."""
    octets = text.encode("utf-8", "replace")
    return "".join(chr(one) if 32 <= one < 127 else form.format(one) for one in octets)
