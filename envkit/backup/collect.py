"""Read every secret behind some profiles, for a backup.

    prepared = prepare_backup(["prod"], profiles=None, environ=os.environ)
    ...                                    # announce the access
    collected = collect(prepared)
    collected.backup
    collected.error                        # names what could not be read

Guarantees: a secret that cannot be read is in `error` and in the backup itself, so that no backup
has a silent hole. Dynamic secrets, which only exist while they are used, and values of the process
environment are left out, and named.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from envkit import __version__
from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS, Deadline
from envkit.backup.encrypted_files import encrypted_references
from envkit.backup.errors import BackupIncompleteError
from envkit.backup.format import Backup, EnvironmentBackup, Failed, LeftOut, SavedSecret
from envkit.backup.places import (
    ENVIRONMENT,
    Places,
    open_places,
    places,
    refused_references,
    with_rotated_fields,
    without,
)
from envkit.errors import (
    AbsentError,
    EnvkitError,
    InvalidReferenceError,
    LeaseNeededError,
    VariableFailure,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.profile.toml_file import read_text
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import named
from envkit.sources.model import Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome

_DYNAMIC = "a dynamic secret, which its store creates for each use"
_OF_PROCESS = "a variable of the process environment, and in no store"


class PreparedBackup(NamedTuple):
    """Environments to back up, before a store was contacted.

    Attributes:
        folder: the folder of profiles.
        parts: for each environment, its places and the opened sources.
    """

    folder: str
    parts: tuple[tuple[Places, PreparedProfile], ...]
    environ: Mapping[str, str]
    deadline: Deadline

    def __repr__(self) -> str:
        return f"PreparedBackup({[profile.name for profile in self.profiles]})"

    @property
    def profiles(self) -> list[Profile]:
        """The profiles."""
        return [prepared.profile for _, prepared in self.parts]

    @property
    def names(self) -> list[str]:
        """The variables of all environments, each once."""
        return list(dict.fromkeys(name for found, _ in self.parts for name in found.plan.selected))


class Collected(NamedTuple):
    """A backup, and what it should have and does not.

    Attributes:
        failures: by environment.
        asked: by environment, the places that its profile names.
    """

    backup: Backup
    failures: tuple[VariableFailure, ...]
    asked: Mapping[str, Collection[Reference]]

    @property
    def error(self) -> BackupIncompleteError | None:
        """All failures as one error."""
        if not self.failures:
            return None
        return BackupIncompleteError("+".join(self.backup.names), self.failures)

    @property
    def versions(self) -> dict[str, list[str]]:
        """The versions of the secrets behind each variable, for the audit log."""
        found: dict[str, list[str]] = {}
        for saved in self.backup.secrets():
            for name in saved.names if saved.version else ():
                found.setdefault(name, []).append(str(saved.version))
        return found


def prepare_backup(
    environments: Sequence[str] = (),
    *,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedBackup:
    """Load profiles and open the sources of all their secrets; contact no store.

    Args:
        environments: names or aliases of profiles; default: `ENVKIT_ENV`.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together.
        environ: the process environment; default: `os.environ`.

    Raises:
        UsageError: no environment is given.
        ProfileError: a profile is missing or not valid.
        ResolutionError: references name sources that a profile does not have.
        UntrustedError: a profile needs trust that the user has not given.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    folder = profiles_folder(profiles, environ)
    loaded = {profile.path: profile for profile in _loaded(environments, folder, environ)}
    parts = []
    for profile in loaded.values():
        found = places(profile)
        prepared = open_places(profile, found.references, environ=environ, deadline=deadline)
        parts.append((found, prepared))
    return PreparedBackup(os.path.realpath(folder), tuple(parts), environ, deadline)


def collect(prepared: PreparedBackup, *, now: float | None = None) -> Collected:
    """Read the secrets of prepared environments.

    Args:
        prepared: the result of `prepare_backup`.
        now: seconds since the epoch; default: the time.
    """
    parts = [
        (with_rotated_fields(found, one, environ=prepared.environ, deadline=prepared.deadline), one)
        for found, one in prepared.parts
    ]
    refused = [refused_references(one, found.references) for found, one in parts]
    valid = [
        one.reading(without(found.references, invalid))
        for (found, one), invalid in zip(parts, refused, strict=True)
    ]
    answers = fetch(valid, prepared.deadline)
    environments = []
    failures: list[VariableFailure] = []
    for (found, one), outcomes, invalid in zip(parts, answers, refused, strict=True):
        environment, failed = _environment(found, one, {**outcomes, **invalid})
        environments.append(environment)
        failures += failed
    backup = Backup(
        int(time.time() if now is None else now),
        __version__,
        os.uname().nodename,
        prepared.folder,
        tuple(environments),
    )
    asked = {one.profile.name: found.names.keys() for found, one in parts}
    return Collected(backup, tuple(failures), asked)


def _loaded(environments: Sequence[str], folder: str, environ: Mapping[str, str]) -> list[Profile]:
    return [load(name, folder) for name in named(environments, environ)]


def _environment(
    found: Places, prepared: PreparedProfile, outcomes: Mapping[Reference, Outcome]
) -> tuple[EnvironmentBackup, list[VariableFailure]]:
    """Return what a backup has of one environment, and what it lacks."""
    profile = prepared.profile
    saved: list[SavedSecret] = []
    left_out: list[LeftOut] = []
    failures: list[VariableFailure] = []
    nowhere = _missing(found, prepared, outcomes)
    missing = {failure.name for failure in nowhere}
    of_process: set[str] = set()
    encrypted = encrypted_references(prepared.reading(found.references))
    for reference, names in found.names.items():
        outcome, where = outcomes[reference], prepared.locate(reference)
        store = profile.sources[reference.source].type
        if isinstance(outcome, LeaseNeededError):
            left_out.append(LeftOut(names, reference, where, _DYNAMIC))
        elif isinstance(outcome, EnvkitError):
            failures.append(VariableFailure(", ".join(names), where, outcome))
        elif store == ENVIRONMENT:
            if isinstance(outcome, Reading) or missing.intersection(names):
                left_out.append(LeftOut(names, reference, where, _OF_PROCESS))
                of_process.update(names)
        else:
            value = outcome.value if isinstance(outcome, Reading) else None
            sealed = value is not None and reference in encrypted
            saved.append(
                SavedSecret(names, reference, where, store, outcome.version, value, sealed)
            )
    failures += [failure for failure in nowhere if failure.name not in of_process]
    return (
        EnvironmentBackup(
            profile.name,
            {os.path.basename(path): read_text(path) for path in profile.files},
            tuple(saved),
            tuple(left_out),
            tuple(
                Failed(tuple(one.name.split(", ")), one.location, one.error.code, one.error.message)
                for one in failures
            ),
        ),
        failures,
    )


def _missing(
    found: Places, prepared: PreparedProfile, outcomes: Mapping[Reference, Outcome]
) -> list[VariableFailure]:
    """Return the required variables that no store has, and those that may be in another store."""
    usable = {
        reference: Absent() if isinstance(outcome, LeaseNeededError) else outcome
        for reference, outcome in outcomes.items()
    }
    _, failures = evaluate(found.plan, usable, prepared.locate)
    dynamic = {
        name
        for reference, outcome in outcomes.items()
        if isinstance(outcome, LeaseNeededError)
        for name in found.names[reference]
    }
    known = {outcome.message for outcome in usable.values() if isinstance(outcome, EnvkitError)}
    return [
        failure
        for failure in failures
        if isinstance(failure.error, AbsentError | InvalidReferenceError)
        and failure.name not in dynamic
        and failure.error.message not in known
    ]
