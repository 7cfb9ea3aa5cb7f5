"""Restore the secrets of a backup: read the stores, plan, then write what they lack.

    prepared = prepare_restore(backup, environ=os.environ)
    ...                                     # announce the access
    restoration = read(prepared)
    restoration.plan                        # to show to the user, who confirms it
    for step in restoration.steps:
        step.run()

Guarantees: each step is a compare-and-set of one secret or file. A value that is not the backup's
stays, unless the caller says `overwrite`. A rotated credential is written only after it has logged
in. One place that cannot be restored does not stop the others. To finish a restore that was
killed, run it again: what is there already is left alone.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS, Deadline
from envkit.backup.destinations import EnvironmentRestore, prepare_environment
from envkit.backup.errors import RestoreError
from envkit.backup.login_test import require_login
from envkit.backup.restore_plan import Action, Place, decide
from envkit.editing.find import EditableVariable
from envkit.editing.rotated import look
from envkit.editing.slots import StoreSlot, current_value, read_all
from envkit.editing.write import Write, grouped
from envkit.errors import (
    ConflictError,
    EnvkitError,
    InvalidReferenceError,
    UsageError,
    VariableFailure,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.fetch import fetch
from envkit.rotation.rotated import find_rotations
from envkit.rotation_state.stores.registry import reference_beside
from envkit.sources.model import Absent, Reading
from envkit.sources.protocols import WritableSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envkit.backup.format import Backup
    from envkit.backup.restore_plan import Wanted
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.rotated import FindRotation, RotatedValue
    from envkit.secret import Secret
    from envkit.sources.model import Outcome


class PlannedPlace(NamedTuple):
    """A place, and what is done with it.

    Attributes:
        login: proves that a rotated credential works; None if the value is not rotated.
    """

    place: Place
    action: Action
    login: Callable[[], None] | None = None

    def failure(self, error: EnvkitError) -> VariableFailure:
        """Return why the place was not restored."""
        return VariableFailure(", ".join(self.place.wanted.names), self.place.where, error)


class Step(NamedTuple):
    """The places of one secret or file, which are written together."""

    places: tuple[PlannedPlace, ...]
    deadline: Deadline

    def run(self) -> str | None:
        """Log in with what is rotated, then write all values.

        Returns:
            the new version.

        Raises:
            EnvkitError: a login or the write failed; nothing was written.
        """
        for login in dict.fromkeys(one.login for one in self.places if one.login is not None):
            login()
        [group] = grouped(_write(one) for one in self.places)
        try:
            return group.run(self.deadline)
        except ConflictError:
            # another process may have restored the same values
            slots = {one.place.slot: one for one in self.places if one.place.slot is not None}
            now = read_all(slots)
            if any(now[slot].value != one.place.wanted.value for slot, one in slots.items()):
                raise
            return next(iter(now.values())).version


class Restoration(NamedTuple):
    """A planned restore.

    Attributes:
        plan: every place, with what is done.
        steps: run them in this order.
        failures: why places cannot be restored.
    """

    plan: tuple[PlannedPlace, ...]
    steps: tuple[Step, ...]
    failures: tuple[VariableFailure, ...]
    deadline: Deadline

    @property
    def doubts(self) -> list[str]:
        """Why stores may be the wrong ones, each once."""
        return list(dict.fromkeys(one.place.doubt for one in self.plan if one.place.doubt))

    @property
    def changes(self) -> int:
        """How many places get another value."""
        return sum(len(step.places) for step in self.steps)

    def error(self, later: Iterable[VariableFailure] = ()) -> RestoreError | None:
        """Return these failures and those of the plan as one error."""
        failures = [*self.failures, *later]
        names = "+".join(dict.fromkeys(one.place.environment for one in self.plan))
        return RestoreError(names, failures) if failures else None


class PreparedRestore(NamedTuple):
    """What to restore, before a store was contacted."""

    parts: tuple[EnvironmentRestore, ...]
    environ: Mapping[str, str]
    deadline: Deadline

    @property
    def profiles(self) -> list[Profile]:
        """The profiles whose stores are written."""
        return [part.prepared.profile for part in self.parts]

    @property
    def names(self) -> list[str]:
        """The variables to restore, each once."""
        return list(
            dict.fromkeys(name for part in self.parts for one in part.wanted for name in one.names)
        )


def prepare_restore(
    backup: Backup,
    *,
    environments: Sequence[str] = (),
    to: str | None = None,
    only: Sequence[str] = (),
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedRestore:
    """Find the places of a backup in the stores of the current profiles; contact no store.

    Args:
        backup: the decrypted backup.
        environments: those of the backup to restore; default: all.
        to: another environment, which gets the values of the variables with the same names.
        only: globs; only variables that match one of them are restored.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together.
        environ: the process environment; default: `os.environ`.

    Raises:
        UsageError: the backup lacks an environment, `only` matches nothing, or `to` is given for
            several environments.
        ProfileError: a profile is missing or not valid.
        UntrustedError: a profile needs trust that the user has not given.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    chosen = list(backup.environments)
    if environments:
        known = {one.name: one for one in chosen}
        unknown = [name for name in environments if name not in known]
        if unknown:
            raise UsageError(
                f"the backup has no environment '{unknown[0]}'",
                hint=f"it has: {', '.join(backup.names)}",
            )
        chosen = [known[name] for name in dict.fromkeys(environments)]
    if to is not None and len(chosen) > 1:
        raise UsageError(
            f"the backup has several environments: {', '.join(backup.names)}",
            hint="choose the one to copy from: --env NAME",
        )
    folder = profiles_folder(profiles, environ)
    parts = [
        prepare_environment(
            one, load(to or one.name, folder), only, environ=environ, deadline=deadline
        )
        for one in chosen
    ]
    if only and not any(part.wanted or part.lacking for part in parts):
        raise UsageError(f"nothing in the backup matches {', '.join(only)}")
    return PreparedRestore(tuple(parts), environ, deadline)


def read(prepared: PreparedRestore, *, overwrite: bool = False) -> Restoration:
    """Read the stores and decide what to write.

    Args:
        prepared: the result of `prepare_restore`.
        overwrite: whether to replace values that are not the backup's.
    """
    answers = fetch([part.prepared for part in prepared.parts], prepared.deadline)
    plan: list[PlannedPlace] = []
    seen: set[object] = set()
    for part, outcomes in zip(prepared.parts, answers, strict=True):
        found = _Environment(part, outcomes, prepared)
        for one in found.planned(overwrite=overwrite):
            key = found.key(one.place)
            if key not in seen:
                seen.add(key)
                plan.append(one)
    failures = [failure for part in prepared.parts for failure in part.lacking]
    failures += [
        one.failure(one.place.obstacle)
        for one in plan
        if one.action == Action.FAILED and one.place.obstacle is not None
    ]
    written = [one for one in plan if one.action in (Action.RESTORE, Action.REPLACE)]
    steps = [
        Step(tuple(written[index] for index in group.indexes), prepared.deadline)
        for group in grouped(_write(one) for one in written)
    ]
    return Restoration(tuple(plan), tuple(steps), tuple(failures), prepared.deadline)


class _Environment:
    """The places of one environment."""

    def __init__(
        self,
        part: EnvironmentRestore,
        outcomes: Mapping[Reference, Outcome],
        prepared: PreparedRestore,
    ) -> None:
        self._part = part
        self._outcomes = outcomes
        self._deadline = prepared.deadline
        self._environ = prepared.environ
        self._find: FindRotation = find_rotations(
            part.prepared.profile, environ=prepared.environ, deadline=prepared.deadline
        )
        self._logins: dict[str, Callable[[], None]] = {}

    def key(self, place: Place) -> object:
        """Return a key that two environments share if they name the same place of one store."""
        prepared, name = self._part.prepared, place.wanted.reference.source
        source = prepared.sources.get(name)
        shared = source is not None and source.remote
        return (prepared.store(name) if shared else place.environment), place.where

    def planned(self, *, overwrite: bool) -> list[PlannedPlace]:
        """Return the places, with what is done."""
        found = []
        for place in self._places():
            action = decide(place, overwrite=overwrite)
            login = None
            if action in (Action.RESTORE, Action.REPLACE):
                place, login = self._rotated(place)  # noqa: PLW2901 - the same place
                action = decide(place, overwrite=overwrite)
            found.append(PlannedPlace(place, action, login))
        return found

    def _places(self) -> list[Place]:
        prepared = self._part.prepared
        found = []
        for wanted in self._part.wanted:
            reference = self._with_value(wanted)
            source = prepared.sources.get(reference.source)
            name = prepared.profile.name
            outcome = self._outcomes.get(reference)
            if source is None or outcome is None:
                error = wanted.obstacle or InvalidReferenceError(
                    f"{name} has no source '{reference.source}'",
                    hint=f"add a table [sources.{reference.source}] with its type",
                )
                found.append(Place(name, wanted, wanted.where, None, None, error))
                continue
            where, obstacle, current = source.locate(reference), wanted.obstacle, None
            try:
                current = current_value(outcome)
            except EnvkitError as error:
                obstacle = obstacle or error
            slot = None
            if isinstance(source, WritableSource):
                slot = StoreSlot(source, reference)
            elif obstacle is None:
                obstacle = InvalidReferenceError(
                    f"envkit cannot write to {where}", hint=f"restore it in {where} yourself"
                )
            doubt = outcome.doubt if isinstance(outcome, Absent) else ""
            found.append(Place(name, wanted, where, slot, current, obstacle, doubt=doubt))
        return found

    def _with_value(self, wanted: Wanted) -> Reference:
        """Return the first reference of a looked-up variable that has a value, or the first."""
        for reference in (wanted.reference, *wanted.others):
            if isinstance(self._outcomes.get(reference), Reading):
                return reference
        return wanted.reference

    def _rotated(self, place: Place) -> tuple[Place, Callable[[], None] | None]:
        """Return the place with its rotation, if it has one that permits the restore."""
        slot, current = place.slot, place.current
        assert slot is not None  # noqa: S101 - it is about to be written
        assert current is not None  # noqa: S101
        editable = EditableVariable(", ".join(place.wanted.names), (), slot, current)
        try:
            rotated = look(editable, self._find, self._deadline)
            if rotated is None:
                return place, None
            place = place._replace(rotation=rotated.value.full_name)
            if rotated.error is not None:
                raise rotated.error
            rotated.refuse_in_progress()
        except EnvkitError as error:
            return place._replace(obstacle=error), None
        return place, self._login(rotated.value, slot)

    def _login(self, rotated: RotatedValue, slot: StoreSlot) -> Callable[[], None]:
        def value_of(field: str) -> Secret | None:
            beside = reference_beside(slot.source, slot.reference, field)
            return self._part.values.get(beside)

        def login() -> None:
            require_login(
                rotated,
                value_of,
                profile=self._part.prepared.profile,
                environ=self._environ,
            )

        return self._logins.setdefault(f"{rotated.full_name} {slot.reference.path}", login)


def _write(one: PlannedPlace) -> Write:
    assert one.place.slot is not None  # noqa: S101 - `decide` has looked
    assert one.place.current is not None  # noqa: S101
    return Write(one.place.slot, one.place.current, one.place.wanted.value)
