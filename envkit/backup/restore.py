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
from envkit.backup.current_places import CurrentPlaces
from envkit.backup.destinations import EnvironmentRestore, prepare_environment
from envkit.backup.errors import RestoreError
from envkit.backup.restore_plan import Action, PlannedPlace
from envkit.editing.slots import read_all
from envkit.editing.write import Write, grouped
from envkit.errors import (
    ConflictError,
    UsageError,
    VariableFailure,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.fetch import fetch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.backup.format import Backup
    from envkit.profile.model import Profile


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
        logins = dict.fromkeys(one.login for one in self.places if one.login is not None)
        for login in logins:
            login()
        if logins:
            self.deadline.restart()  # a target may be slow
        version = None
        try:
            for group in grouped(_write(one) for one in self.places):
                version = group.run(self.deadline)
        except ConflictError:
            # another process may have restored the same values
            slots = {one.place.slot: one for one in self.places if one.place.slot is not None}
            now = read_all(slots)
            if any(now[slot].value != one.place.wanted.value for slot, one in slots.items()):
                raise
            version = next(iter(now.values())).version
        return version


class Restoration(NamedTuple):
    """A planned restore.

    Attributes:
        plan: every place, with what is done.
        steps: run them in this order.
        failures: why places cannot be restored.
    """

    environments: tuple[str, ...]
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
        return RestoreError("+".join(self.environments), failures) if failures else None


class PreparedRestore(NamedTuple):
    """What to restore, before a store was contacted."""

    parts: tuple[EnvironmentRestore, ...]
    environ: Mapping[str, str]
    deadline: Deadline

    def __repr__(self) -> str:
        return f"PreparedRestore({[profile.name for profile in self.profiles]})"

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
                hint=f"choose from: {', '.join(backup.names)}",
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
            one,
            load(one.name if to is None else to, folder),
            only,
            environ=environ,
            deadline=deadline,
        )
        for one in chosen
    ]
    if only and not any(part.wanted or part.unused or part.lacking for part in parts):
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
        found = CurrentPlaces(part, outcomes, prepared.environ, prepared.deadline)
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
    names = dict.fromkeys(profile.name for profile in prepared.profiles)
    return Restoration(tuple(names), tuple(plan), tuple(steps), tuple(failures), prepared.deadline)


def _write(one: PlannedPlace) -> Write:
    assert one.place.slot is not None  # noqa: S101 - `decide` has looked
    assert one.place.current is not None  # noqa: S101
    return Write(one.place.slot, one.place.current, one.place.wanted.value)
