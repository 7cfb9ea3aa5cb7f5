"""The rotation record: the state of a rotation, without any value. Pure.

It is stored beside the secret, and is all that a scheduler knows. Version 3 is written.
Versions 1 and 2 are read as well: version 1 says neither the secret nor the target, and
neither of them has evidence of use. A record of any other version is refused, as an older
envkit refuses version 3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.errors import RotationError
from envkit.rotation_state.evidence import Evidence
from envkit.rotation_state.evidence import decode as decode_evidence
from envkit.rotation_state.evidence import encode as encode_evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 3
_READ = (1, 2, VERSION)
MAX_TIME = 1e11  # some three thousand years: what is later is no time


class Phase(StrEnum):
    """How far a rotation has got. The values are those of the stored record."""

    IDLE = "idle"  # no rotation is in progress
    CLAIMED = "claimed"  # by one process; the old value is saved, the new one is not made yet
    STAGED = "staged"  # the new value is durable as pending; no reader has it
    SET = "set"  # the target accepts the new value
    TESTED = "tested"  # the new value has logged in
    PROMOTED = "promoted"  # the store has the new value; `after` has not run yet
    GRACE = "grace"  # old and new both work until `retire_at`
    RETIRING = "retiring"  # the old value may be gone: no rollback from here
    REVERTING = "reverting"  # the store is to get the old value again
    REVERTED = "reverted"  # no reader can get the new value any more: it may be gone
    QUARANTINED = "quarantined"  # stopped until a person acts; the current value is untouched


AT_REST = (Phase.IDLE, Phase.QUARANTINED)
# fields whose name in the stored record is another one
_STORED_NAMES = {"owner": "holder", "notified": "told"}
_SINCE_VERSION_2 = frozenset(
    {
        "secret",
        "target",
        "target_description",
        "compromised",
        "retired_at",
        "issued",
        "extra_passwords",
    }
)
_SINCE_VERSION_3 = frozenset({"evidence"})
_AFTER_PROMOTE = (Phase.PROMOTED, Phase.GRACE, Phase.RETIRING)


class PendingValue(StrEnum):
    """The values that a rotation saves while it is in progress."""

    OLD = "old"
    ANNOUNCED = "announced"
    NEW = "new"
    FINAL = "final"


class Record(NamedTuple):
    """Where a rotation stands. Times are seconds since the epoch, UTC.

    Attributes:
        rotation: `prod/db-password`, the profile and the rotation's name.
        id: of this rotation, or of the last one; a new one for each.
        phase: how far it has got.
        secret: which value it is about, as the store names it; empty in version 1.
        plan: how it is rotated, so that no run resumes it in another way.
        target: a digest of the target that it is rotated at; empty in version 1, and for
            a rotation whose readers are the target.
        target_description: hosts, ports and users of the target, for people.
        asked: whether a person asked for it, so that it need not be due.
        compromised: whether the old credential is known to others: it gets no grace period,
            and its sessions end.
        attempt: how many new values were made for this rotation; a target that refuses
            one for good gets another.
        rejections: how often the target has refused the present one.
        tries: how often in a row the next step has failed.
        error: why it failed the last time: a step and a code; never a value.
        then: the phase that follows once the new value is undone: IDLE, QUARANTINED, or
            CLAIMED for another value; empty where it is not to be undone.
        owner: the host and process that is at work on it; empty for none. `holder` in the
            stored record.
        busy_until: when others may take over; without an owner, when it is tried again.
        started_at: when it was claimed.
        settle_seconds: how long readers take to know the announced value.
        settle_until: when all of them do.
        promoted_at: when readers got the new value; 0 before.
        retire_at: when the old credential may be removed; 0 before.
        last_rotated_at: when readers got the new value of the last rotation that
            succeeded; 0 for never.
        given_up_at: when a person last rolled a rotation back or aborted it.
        retired_at: when the last old credential was shown to be refused; 0 for never.
        issued: the SHA-256 of each password that was made and may still work at the target,
            the newest last.
        extra_passwords: how many passwords the user has at the target that envkit does not
            know, when it was last looked at.
        evidence: who uses the old credential, as far as looks at the target have shown.
        facts: what the rotator must know again after a crash; never a value.
        notified: when a notice was last sent, by the kind of event; `told` in the stored
            record.
    """

    rotation: str
    id: str = ""
    phase: Phase = Phase.IDLE
    secret: str = ""
    plan: str = ""
    target: str = ""
    target_description: str = ""
    asked: bool = False
    compromised: bool = False
    attempt: int = 0
    rejections: int = 0
    tries: int = 0
    error: str = ""
    then: str = ""
    owner: str = ""
    busy_until: float = 0.0
    started_at: float = 0.0
    settle_seconds: float = 0.0
    settle_until: float = 0.0
    promoted_at: float = 0.0
    retire_at: float = 0.0
    last_rotated_at: float = 0.0
    given_up_at: float = 0.0
    retired_at: float = 0.0
    issued: tuple[str, ...] = ()
    extra_passwords: int = 0
    evidence: Evidence = Evidence()
    facts: Mapping[str, str] = {}
    notified: Mapping[str, float] = {}

    @property
    def in_progress(self) -> bool:
        """Whether a rotation is in progress."""
        return self.phase not in AT_REST

    @property
    def only_claimed(self) -> bool:
        """Whether nothing has been made yet, so that it can begin again from another value."""
        return self.phase == Phase.CLAIMED and not self.attempt

    @property
    def reverting(self) -> bool:
        """Whether the rotation is being reverted, which it always completes."""
        return self.phase in (Phase.REVERTING, Phase.REVERTED)

    @property
    def after_promote(self) -> bool:
        """Whether a rotation is in progress whose new value is in the store for good."""
        return self.phase in _AFTER_PROMOTE

    @property
    def due_from(self) -> float:
        """From when the next due time counts; 0 for never.

        After a person has rolled a rotation back or aborted it, the next one waits for its
        next due time. It is overdue by `last_rotated_at` all the same.
        """
        if self.after_promote:
            return self.promoted_at
        return max(self.last_rotated_at, self.given_up_at)


def encode(record: Record) -> dict[str, object]:
    """Return a record as what JSON can hold."""
    fields = {
        **record._asdict(),
        "phase": str(record.phase),
        "then": str(record.then),
        "issued": list(record.issued),
        "evidence": encode_evidence(record.evidence),
        "facts": dict(record.facts),
        "notified": dict(record.notified),
    }
    stored = {_STORED_NAMES.get(name, name): value for name, value in fields.items()}
    return {"version": VERSION, **stored}


def decode(data: object) -> Record:
    """Return the record that `encode` made, of this version or an earlier one.

    Raises:
        RotationError: it is none, or of another version.
    """
    if not isinstance(data, dict):
        raise _broken("is not valid")
    version = data.get("version")
    if version not in _READ or isinstance(version, bool):
        raise RotationError(
            f"the rotation record has version {version!r}; this version of envkit reads 1 to "
            f"{VERSION}",
            hint="use the version of envkit that wrote it, or a newer one",
        )
    values = {
        name: _usable(data, name)
        for name in Record._fields
        if not (version == 1 and name in _SINCE_VERSION_2)
        and (version == VERSION or name not in _SINCE_VERSION_3)
    }
    record = Record(**values)
    return record._replace(phase=_phase(record.phase), then=_then(record))


def _usable(data: Mapping[str, object], name: str) -> Any:
    """Return one field of a stored record.

    Raises:
        RotationError: it is missing, or not of its type.
    """
    default, key = Record._field_defaults.get(name, ""), _STORED_NAMES.get(name, name)
    value: Any = data.get(key)
    usable = False
    if isinstance(default, Evidence):
        value = decode_evidence(value)
        usable = value is not None
    elif isinstance(default, bool):
        usable = isinstance(value, bool)
    elif isinstance(default, float):
        usable, value = _is_time(value), float(value) if _is_time(value) else value
    elif isinstance(default, int):
        usable = type(value) is int and 0 <= value < MAX_TIME
    elif isinstance(default, str):
        usable = isinstance(value, str)
    elif isinstance(default, tuple):
        usable = isinstance(value, list) and all(isinstance(item, str) for item in value)
        value = tuple(value) if usable else value
    elif isinstance(value, dict):
        of = _is_time if name == "notified" else lambda item: isinstance(item, str)
        usable = all(isinstance(item, str) and of(value[item]) for item in value)
    if not usable:
        raise _broken(f"has no valid '{key}'")
    return value


def _is_time(value: object) -> bool:
    # also false for NaN
    return type(value) in (int, float) and 0 <= value <= MAX_TIME  # type: ignore[operator]


def _phase(name: str) -> Phase:
    try:
        return Phase(name)
    except ValueError:
        raise _broken(f"has the unknown phase {name!r}") from None


def _then(record: Record) -> str:
    """Return the phase that follows a revert.

    Raises:
        RotationError: the record says that it is reverted, and not what comes next.
    """
    if not record.reverting:
        return record.then
    if record.then not in (Phase.IDLE, Phase.QUARANTINED, Phase.CLAIMED):
        raise _broken("has no valid 'then'")
    return Phase(record.then)


def _broken(how: str) -> RotationError:
    return RotationError(
        f"the rotation record {how}", hint="restore it, or remove it if no rotation is in progress"
    )
