"""Read the status of rotations from their stores, without changing anything.

    for status in read_statuses(collected.rotations, environ=os.environ, now=time(), ...):
        print(status.rotation, status.state)

No request goes to a target, and no value is returned. Each file, secret and mount is read once,
however many rotations it has; remote ones are read in parallel. Each source checks once which
secrets may be written. A source that cannot be read does not affect the others.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TypeVar

from envkit._internal.parallel import map_parallel
from envkit.errors import AbsentError, EnvkitError, ProtocolError, UnavailableError
from envkit.rotation.jobs import open_job
from envkit.rotation.machine import StepKind, decide, observe
from envkit.rotation.outcome import how_to_begin
from envkit.rotation.status import (
    RotationState,
    RotationStatus,
    status_of,
    unreadable,
)
from envkit.rotation.tools import missing_tools
from envkit.sources.protocols import WriteCheck
from envkit.sources.registry import open_source, store_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.rotation.catalog import Rotation
    from envkit.rotation.machine import Decision
    from envkit.rotation_state.store import Snapshot
    from envkit.sources.protocols import Source

R = TypeVar("R")

MAX_PARALLEL = 16
_LOCAL = "on this machine"  # one thread reads all local sources: more would be slower


def read_statuses(
    rotations: Sequence[Rotation],
    *,
    environ: Mapping[str, str],
    now: float,
    deadline: Deadline,
    writable: bool = False,
) -> list[RotationStatus]:
    """Read statuses like `read_each`; an error becomes the status of its rotation."""
    found = read_each(rotations, environ=environ, now=now, deadline=deadline, writable=writable)
    return [
        one if isinstance(one, RotationStatus) else unreadable(rotation, one)
        for rotation, one in zip(rotations, found, strict=True)
    ]


def read_each(
    rotations: Sequence[Rotation],
    *,
    environ: Mapping[str, str],
    now: float,
    deadline: Deadline,
    writable: bool = False,
) -> list[RotationStatus | EnvkitError]:
    """Read the status of each rotation; return the error of each that cannot be read.

    Args:
        rotations: from `collect`.
        environ: the process environment.
        now: seconds since the epoch.
        deadline: when the whole operation must be done.
        writable: whether to check as well that this host could run the rotations: write the
            secrets, and run the programs.
    """
    reader = _Reader(environ, now, deadline, writable=writable)
    reader.read(rotations)
    # the secret may have been read before a step of another process, and the record after it:
    # a refusal counts only if it repeats with the same record
    again = [one for one in rotations if one.full_name in reader.refused]
    if again:
        second = _Reader(environ, now, deadline, writable=writable)
        second.refused_before = reader.refused
        second.read(again)
        reader.found.update(second.found)
    late = UnavailableError("no answer in time", hint="set a longer --timeout")
    return [reader.found.get(one.full_name, late) for one in rotations]


class _Reader:
    """Reads each file, secret and mount once, for one pass over all rotations.

    Attributes:
        found: the results, by the full names of the rotations.
        refused: the record versions of the rotations that need a person's decision.
        refused_before: `refused` of an earlier pass.
    """

    def __init__(
        self, environ: Mapping[str, str], now: float, deadline: Deadline, *, writable: bool
    ) -> None:
        self.found: dict[str, RotationStatus | EnvkitError] = {}
        self.refused: dict[str, str | None] = {}
        self.refused_before: Mapping[str, str | None] = {}
        self._environ = environ
        self._now = now
        self._deadline = deadline
        self._writable = writable
        self._already_read: dict[object, Any] = {}

    def read(self, rotations: Sequence[Rotation]) -> None:
        """Read all rotations; those that are late are missing from `found`."""
        sources: dict[object, _SharedSource | EnvkitError] = {}
        together: dict[object, list[tuple[Rotation, _SharedSource]]] = {}
        for rotation in rotations:
            key = _source_key(rotation)
            if key not in sources:
                sources[key] = self._open(rotation)
            shared = sources[key]
            if isinstance(shared, EnvkitError):
                self.found[rotation.full_name] = shared
                continue
            secret = rotation.location.rpartition("#")[0] or rotation.location
            place = (key, secret) if shared.source.remote else _LOCAL
            together.setdefault(place, []).append((rotation, shared))

        def read_group(group: list[tuple[Rotation, _SharedSource]]) -> None:
            for rotation, shared in group:
                if self._deadline.expired:
                    return
                self.found[rotation.full_name] = shared.call(
                    partial(self._read_or_error, rotation, shared)
                )

        map_parallel(read_group, together.values(), workers=MAX_PARALLEL, deadline=self._deadline)
        for source in sources.values():
            if isinstance(source, _SharedSource):
                self.found.update(source.check_writes())

    def _open(self, rotation: Rotation) -> _SharedSource | EnvkitError:
        try:
            source = open_source(
                rotation.profile,
                rotation.policy.secret.source,
                environ=self._environ,
                deadline=self._deadline,
                already_read=self._already_read,
            )
        except EnvkitError as error:
            return error
        return _SharedSource(source)

    def _read_or_error(
        self, rotation: Rotation, shared: _SharedSource
    ) -> RotationStatus | EnvkitError:
        try:
            return self._read_one(rotation, shared)
        except EnvkitError as error:
            return error
        except Exception as error:  # noqa: BLE001 - its text may contain a value
            return ProtocolError(f"reading it failed: {type(error).__name__}")

    def _read_one(self, rotation: Rotation, shared: _SharedSource) -> RotationStatus:
        job = open_job(
            rotation, environ=self._environ, deadline=self._deadline, source=shared.source
        )
        seen = job.store.read()
        found = status_of(rotation, seen.record, self._now)
        if seen.record is not None and (other := job.mismatch(seen.record)) is not None:
            return _failing(found, other.reason, other.hint)
        if found.started_at:
            return self._unless_stopped(found, seen)
        if not seen.current or job.store.fields[0] not in seen.current:
            raise AbsentError(
                "the secret is missing",
                hint=how_to_begin(rotation.full_name, str(rotation.policy.secret)),
            )
        if self._writable:
            if shared.checker is None:
                job.store.check()
            for missing in missing_tools(rotation.policy):
                return _cannot_run(found, missing)
            shared.unchecked.append(rotation)
        return found

    def _unless_stopped(self, found: RotationStatus, seen: Snapshot) -> RotationStatus:
        """Report a secret whose content stops its rotation."""
        decision = decide(observe(seen, now=self._now, due_at=found.due_at))
        if decision.step != StepKind.REFUSE:
            return found
        name = found.rotation
        self.refused[name] = seen.record_version
        if self.refused_before.get(name, "") != seen.record_version:
            return found
        return _failing(found, decision.reason, _advice(decision, name))


class _SharedSource:
    """A source that several rotations are read from.

    Attributes:
        source: the source.
        checker: the same source if it is remote and can check many secrets at once, or None.
        unchecked: the rotations that `check_writes` still has to check.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.checker: WriteCheck | None = None
        if source.remote and isinstance(source, WriteCheck):
            self.checker = source
        self.unchecked: list[Rotation] = []
        self._lock = threading.Lock()
        self._used = False

    def call(self, read: Callable[[], R]) -> R:
        """Return the result of `read`. The first call, which logs in, runs alone."""
        if not self._used:
            with self._lock:
                if not self._used:
                    try:
                        return read()
                    finally:
                        self._used = True
        return read()

    def check_writes(self) -> dict[str, EnvkitError]:
        """Check all `unchecked` rotations with one request; return the errors by full name."""
        rotations = self.unchecked
        if self.checker is None or not rotations:
            return {}
        try:
            refused = self.checker.check_write([one.policy.secret for one in rotations])
        except EnvkitError as error:
            return {one.full_name: error for one in rotations}
        return {
            one.full_name: refused[one.policy.secret]
            for one in rotations
            if one.policy.secret in refused
        }


def _source_key(rotation: Rotation) -> object:
    """Return a key that is equal for all rotations that are read from one source."""
    profile, name = rotation.profile, rotation.policy.secret.source
    spec = profile.sources[name]
    own = "" if spec.type in ("vault", "aws-secrets-manager") else profile.name
    places = tuple(repr(spec.settings.get(key)) for key in ("mount", "prefix"))
    return store_identity(profile, name), places, name, profile.root, own


def _cannot_run(found: RotationStatus, error: EnvkitError) -> RotationStatus:
    """Return the status of a rotation that this host cannot run."""
    graver = (RotationState.QUARANTINED, RotationState.OVERDUE)
    state = found.state if found.state in graver else RotationState.FAILING
    return found._replace(state=state, error=error.message, hint=error.hint or "")


def _failing(found: RotationStatus, error: str, hint: str) -> RotationStatus:
    return found._replace(state=RotationState.FAILING, error=error, hint=hint, stopped=True)


def _advice(decision: Decision, name: str) -> str:
    option = f"--{decision.advice} " if decision.advice else ""
    return f"run: envkit rotate {option}{name}"
