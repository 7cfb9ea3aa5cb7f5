"""The rotation record: the state of a rotation, without any value. Pure.

The record is stored beside the secret, and is all that a scheduler knows about a rotation.
envkit writes version 3. It also reads versions 1 and 2: version 1 has neither the secret nor the
target, and neither of them has evidence of use. Any other version is refused, as an older envkit
refuses version 3.
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
MAX_TIME = 1e11  # some three thousand years: a later time is invalid


class Phase(StrEnum):
    """How far a rotation has got. The values are those of the stored record."""

    IDLE = "idle"  # no rotation is in progress
    CLAIMED = "claimed"  # one process works on it and has saved the old value; no new value yet
    STAGED = "staged"  # the new value is stored as pending; no reader has it
    SET = "set"  # the target accepts the new value
    TESTED = "tested"  # a login with the new value has succeeded
    PROMOTED = "promoted"  # the store has the new value; `after` has not run yet
    GRACE = "grace"  # old and new both work until `retire_at`
    RETIRING = "retiring"  # the old value may be gone: rollback is no longer possible
    REVERTING = "reverting"  # the store is about to get the old value back
    REVERTED = "reverted"  # readers can no longer get the new value: it may be gone
    QUARANTINED = "quarantined"  # stopped until a person acts; the current value is untouched


AT_REST = (Phase.IDLE, Phase.QUARANTINED)
# fields that have another name in the stored record
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
    """The state of a rotation. Times are seconds since the epoch, UTC.

    Attributes:
        rotation: the names of the profile and the rotation, `prod/db-password`.
        id: of this rotation, or of the last one; each rotation gets a new one.
        phase: how far the rotation has got.
        secret: the rotated value, as the store names it; empty in version 1.
        plan: how the secret is rotated. Every run must resume the rotation in the same way.
        target: a digest of the target where the secret is rotated; empty in version 1, and
            for a rotation whose readers are the target.
        target_description: hosts, ports and users of the target, for people.
        asked: whether a person requested the rotation, so that it need not be due.
        compromised: whether others know the old credential: it gets no grace period, and
            its sessions are ended.
        attempt: how many new values this rotation has created. If the target rejects one for
            good, the rotation creates another.
        rejections: how often the target has rejected the present value.
        tries: how often in a row the next step has failed.
        error: why the step failed the last time: a step and a code, never a value.
        then: the phase that follows a revert: IDLE, QUARANTINED, or CLAIMED to try another
            value; empty if there is no revert.
        owner: the host and process that works on the rotation; empty if there is none. The
            stored record calls it `holder`.
        busy_until: when other processes may take over; without an owner, when to try again.
        started_at: when the rotation was claimed.
        settle_seconds: how long it takes until all readers know the announced value.
        settle_until: when all readers know it.
        promoted_at: when readers got the new value; 0 before.
        retire_at: when the old credential may be removed; 0 before.
        last_rotated_at: when readers got the new value of the last rotation that
            succeeded; 0 means never.
        given_up_at: when a person last rolled a rotation back or aborted it.
        retired_at: when an old credential was last confirmed to be refused; 0 means never.
        issued: the SHA-256 of each password that envkit created and that may still work at
            the target, newest last.
        extra_passwords: how many passwords the user had at the target that envkit did not
            create, at the last look.
        evidence: who uses the old credential, as far as looks at the target have shown.
        facts: what the rotator needs to know again after a crash, never a value.
        notified: when a notice was last sent, by kind of event. The stored record calls it
            `told`.
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
        """Whether no new value exists yet, so that the rotation can restart from another value."""
        return self.phase == Phase.CLAIMED and not self.attempt

    @property
    def reverting(self) -> bool:
        """Whether the rotation is being reverted. A revert always runs to completion."""
        return self.phase in (Phase.REVERTING, Phase.REVERTED)

    @property
    def after_promote(self) -> bool:
        """Whether a rotation is in progress and its new value is in the store for good."""
        return self.phase in _AFTER_PROMOTE

    @property
    def due_from(self) -> float:
        """The time from which the next due time is counted; 0 means never.

        After a person has rolled a rotation back or aborted it, the next one waits for its
        next due time. Whether it is overdue still depends on `last_rotated_at`.
        """
        if self.after_promote:
            return self.promoted_at
        return max(self.last_rotated_at, self.given_up_at)


def encode(record: Record) -> dict[str, object]:
    """Return a record as values that JSON supports."""
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
    """Return the record from the output of `encode`, of this version or an earlier one.

    Raises:
        RotationError: the data is not a record, or has another version.
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
        RotationError: the field is missing or has the wrong type.
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
        RotationError: the record is in a revert but does not name the next phase.
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
