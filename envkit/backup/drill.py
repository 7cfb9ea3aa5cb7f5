"""Prove that a backup can be restored: resolve its profiles from it, in memory. Contacts no store.

    report = drill(backup)
    report.failures                       # variables without a valid value

Each required variable must have a value, of the type and form that its profile declares. Dynamic
secrets and variables of the process environment are in no backup: variables that need one are
counted apart.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from envkit.backup.errors import DrillError
from envkit.backup.replay import in_project, profile_of, replayed
from envkit.errors import AbsentError, EnvkitError, NeedFailedError, VariableFailure
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.backup.format import Backup, EnvironmentBackup


class Drilled(NamedTuple):
    """The result for one environment.

    Attributes:
        resolved: how many variables have a valid value.
        not_covered: the variables that need something that no backup has.
        failures: the variables that should have a value and do not.
    """

    name: str
    resolved: int
    not_covered: tuple[str, ...]
    failures: tuple[VariableFailure, ...]


class DrillReport(NamedTuple):
    """The result of a drill.

    Attributes:
        environments: one for each environment of the backup.
        at: when the drill ended, seconds since the epoch.
        age_seconds: of the backup.
        duration_seconds: how long it took to resolve everything.
    """

    environments: tuple[Drilled, ...]
    at: float
    age_seconds: float
    duration_seconds: float

    @property
    def failures(self) -> list[VariableFailure]:
        """The failures of all environments."""
        return [failure for one in self.environments for failure in one.failures]

    @property
    def error(self) -> DrillError | None:
        """All failures as one error."""
        if not self.failures:
            return None
        names = "+".join(one.name for one in self.environments if one.failures)
        return DrillError(names, self.failures)


def drill(backup: Backup, *, started: float | None = None) -> DrillReport:
    """Resolve the profiles of a backup from it.

    Args:
        backup: the decrypted backup.
        started: when the work began, on the monotonic clock; default: now.
    """
    started = time.monotonic() if started is None else started
    environments = tuple(_drilled(one) for one in backup.environments)
    now = time.time()
    return DrillReport(
        environments, now, max(0.0, now - backup.created_at), time.monotonic() - started
    )


def _drilled(environment: EnvironmentBackup) -> Drilled:
    try:
        profile = profile_of(environment)
        one = replayed(profile, environment)
    except EnvkitError as error:
        return Drilled(
            environment.name, 0, (), (VariableFailure("profile", "in the backup", error),)
        )
    prepared = one.prepared
    outcomes = {
        reference: outcome
        for source, references in prepared.plan.references.items()
        for reference, outcome in ask(prepared.sources[source], references).items()
    }
    found, failures = evaluate(prepared.plan, outcomes, prepared.locate)
    not_covered = {
        failure.name
        for failure in failures
        if failure.name in one.uncovered_names
        and isinstance(failure.error, AbsentError | NeedFailedError)
    }
    left = [
        _in_project(failure, profile.root)
        for failure in failures
        if failure.name not in not_covered
    ]
    left += [
        VariableFailure(", ".join(failed.names), failed.where, AbsentError(failed.message))
        for failed in environment.failed
        if not {failure.name for failure in left}.intersection(failed.names)
    ]
    return Drilled(environment.name, len(found), tuple(sorted(not_covered)), tuple(left))


def _in_project(failure: VariableFailure, root: str) -> VariableFailure:
    """Return a failure without the path of the temporary folder."""
    error = failure.error
    error.message = in_project(error.message, root)
    if error.hint and root in error.hint:
        error.hint = in_project(error.hint, root)
    return VariableFailure(failure.name, in_project(failure.location, root), error)
