"""Resolve the profiles of a backup from nothing but the backup.

    prepared = replayed(profile_of(environment), environment).prepared
    [outcomes] = fetch([prepared], deadline)

To be parsed, the files of the profiles are written to a private folder, in memory where the system
has one. They are what the repository has. The values of the backup stay in the memory of the
process. If it is killed while it parses, the next drill or restore wipes the folder.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.os_errors import reason_of
from envkit._internal.private_folder import private_folder
from envkit.backup.errors import BackupDamagedError
from envkit.backup.places import ENVIRONMENT
from envkit.errors import EnvkitError, SourceError, UsageError
from envkit.profile.discovery import FOLDER
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from envkit.resolution.prepare import PreparedProfile
from envkit.sources.model import Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import ClassVar

    from envkit.backup.format import EnvironmentBackup, SavedSecret
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome

_MEMORY = "/dev/shm"  # noqa: S108 - the folder below it is private
_PREFIX = "envkit-backup-"


class Replayed(NamedTuple):
    """A profile of a backup, prepared to be read from the backup.

    Attributes:
        uncovered: references that no backup has: the process environment, dynamic secrets.
    """

    prepared: PreparedProfile
    uncovered: frozenset[Reference]

    @property
    def uncovered_names(self) -> frozenset[str]:
        """The variables that are built from one of them, directly or not."""
        found: set[str] = set()
        for variable in self.prepared.plan.order:
            references = {ref for refs in variable.references.values() for ref in refs}
            if not references.isdisjoint(self.uncovered) or not found.isdisjoint(
                variable.variables.values()
            ):
                found.add(variable.name)
        return frozenset(found)


class BackupSource:
    """A source whose store is a backup.

    Args:
        name: of the source in the profile.
        saved: what the backup has.
        uncovered: references that no backup has.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}
    remote: ClassVar[bool] = False

    def __init__(
        self, name: str, saved: Mapping[Reference, SavedSecret], uncovered: Collection[Reference]
    ) -> None:
        self.name = name
        self._saved = saved
        self._uncovered = uncovered

    def check(self, ref: Reference) -> None:
        """Accept every reference: the profile was valid when the backup was made."""

    def locate(self, ref: Reference) -> str:
        """Return the place in the store that the backup was made of."""
        return self._saved[ref].where if ref in self._saved else str(ref)

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Return what the backup has."""
        return {ref: self._outcome(ref) for ref in refs}

    def _outcome(self, ref: Reference) -> Outcome:
        saved = self._saved.get(ref)
        if saved is None:
            if ref in self._uncovered:
                return Absent()
            return SourceError(
                f"the backup does not have {ref}: it could not be read when the backup was made"
            )
        if saved.value is None:
            return Absent("it was not there when the backup was made", saved.version)
        return Reading(saved.value, saved.version, saved.where)


def profile_of(environment: EnvironmentBackup) -> Profile:
    """Load the profile of a backup; its files are gone when this returns.

    Raises:
        BackupDamagedError: the name of a file is a path, or no name at all.
        ProfileError: the profile is not valid for this version of envkit.
        UsageError: the files cannot be written.
    """
    for name in environment.profiles:
        if os.path.basename(name) != name or name in ("", ".", "..") or "\0" in name:
            raise BackupDamagedError("a profile of the backup has a name that no file can have")
    memory = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    try:
        with private_folder(_PREFIX, memory) as root:
            return _loaded(environment, os.path.realpath(root))
    except OSError as error:
        raise UsageError(
            f"cannot write the profiles of the backup to {memory or 'a temporary folder'}: "
            f"{reason_of(error)}",
            hint="free space there",
        ) from None


def _loaded(environment: EnvironmentBackup, root: str) -> Profile:
    folder = os.path.join(root, FOLDER)
    os.mkdir(folder, 0o700)
    for name, text in environment.profiles.items():
        with open(os.path.join(folder, name), "x", encoding="utf-8") as file:
            file.write(text)
    try:
        return load(environment.name, folder)
    except EnvkitError as error:  # the folder is gone when a person reads the message
        error.message = in_project(error.message, root)
        raise


def in_project(text: str, root: str) -> str:
    """Return a text without the path of the temporary folder."""
    return text.replace(f"{os.path.realpath(root)}{os.sep}", "")


def replayed(profile: Profile, environment: EnvironmentBackup) -> Replayed:
    """Prepare all variables of a profile of a backup.

    Raises:
        ProfileError: the profile is not valid for this version of envkit.
    """
    planned = plan(profile, profile.variables)
    saved = {one.reference: one for one in environment.secrets}
    uncovered = {one.reference for one in environment.left_out}
    for name, references in planned.references.items():
        if profile.sources[name].type == ENVIRONMENT:
            uncovered.update(references)
    sources = {name: BackupSource(name, saved, uncovered) for name in planned.references}
    return Replayed(PreparedProfile(profile, planned, sources), frozenset(uncovered))
