"""Compare a backup with the stores as they are now. Writes nothing.

    prepared = prepare_verify(backup, profiles=None, environ=os.environ)
    compared = compare(backup, prepared)

The profiles of the working tree say where to look, and a backup does not: its sender is unknown. A
secret that they name and the backup lacks is reported too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS
from envkit.backup.collect import PreparedBackup, collect, prepare_backup
from envkit.backup.errors import VerifyIncompleteError
from envkit.errors import AbsentError, VariableFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envkit.backup.format import Backup, EnvironmentBackup, SavedSecret
    from envkit.profile.placeholder import Reference


class State(StrEnum):
    """How a secret of a backup compares with its store."""

    SAME = "same"
    CHANGED = "changed"  # the store has another value
    GONE = "gone"  # the store no longer has it
    NEW = "new"  # the backup does not have it
    UNUSED = "unused"  # the profile no longer reads the place, and envkit has not looked there
    UNKNOWN = "unknown"  # the store could not be read


class Compared(NamedTuple):
    """One place, in the backup and in its store.

    Attributes:
        names: the variables that use it.
        version: in the backup.
        current_version: in the store.
    """

    environment: str
    names: tuple[str, ...]
    where: str
    state: State
    version: str | None
    current_version: str | None


class Comparison(NamedTuple):
    """The result of a comparison.

    Attributes:
        failures: why some places could not be compared.
    """

    environments: tuple[str, ...]
    places: tuple[Compared, ...]
    failures: tuple[VariableFailure, ...]

    @property
    def error(self) -> VerifyIncompleteError | None:
        """All failures as one error."""
        if not self.failures:
            return None
        return VerifyIncompleteError("+".join(self.environments), self.failures)


def prepare_verify(
    backup: Backup,
    *,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedBackup:
    """Open the sources of the environments of a backup; see `prepare_backup`."""
    return prepare_backup(
        backup.names,
        profiles=profiles,
        timeout_seconds=timeout_seconds,
        environ=environ,
    )


def compare(backup: Backup, prepared: PreparedBackup) -> Comparison:
    """Read the stores, and compare them with a backup."""
    now = collect(prepared)
    before = {
        profile.name: one
        for one in backup.environments
        for profile in prepared.profiles
        if one.name in (profile.name, *profile.aliases)  # it may have been renamed
    }
    found = [
        compared
        for one in now.backup.environments
        for compared in compare_environment(before[one.name], one, now.asked[one.name])
    ]
    # what is missing now is "gone", or was never there
    failures = [one for one in now.failures if not isinstance(one.error, AbsentError)]
    return Comparison(tuple(backup.names), tuple(found), tuple(failures))


def compare_environment(
    before: EnvironmentBackup, now: EnvironmentBackup, asked: Collection[Reference]
) -> Iterator[Compared]:
    """Compare two backups of one environment. Pure.

    Args:
        before: the backup.
        now: what the stores have.
        asked: the places that the profile names now.
    """
    ours = {one.reference: one for one in before.secrets}
    theirs = {one.reference: one for one in now.secrets}
    for reference, old in ours.items():
        new = theirs.get(reference)
        if old.value is None and (new is None or new.value is None):
            continue
        yield Compared(
            now.name,
            old.names,
            old.where if new is None else new.where,
            _state(old, new) if reference in asked else State.UNUSED,
            old.version,
            None if new is None else new.version,
        )
    for reference, new in theirs.items():
        if reference not in ours and new.value is not None:
            yield Compared(now.name, new.names, new.where, State.NEW, None, new.version)


def _state(old: SavedSecret, new: SavedSecret | None) -> State:
    if new is None:
        return State.UNKNOWN
    if new.value is None:
        return State.GONE
    if old.value is None:
        return State.NEW
    return State.SAME if old.value == new.value else State.CHANGED
