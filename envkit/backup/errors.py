"""The errors of backups."""

from __future__ import annotations

from envkit.errors import ConflictError, EnvkitError, ResolutionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.errors import VariableFailure

_CONFLICT = ConflictError.exit_status


class BackupDamagedError(EnvkitError):
    """A file is not a backup, or is no longer the one that was written."""

    code = "backup-damaged"
    exit_status = 1


class BackupKeyError(EnvkitError):
    """The identity cannot be read, or the backup was not encrypted for it."""

    code = "backup-identity"
    exit_status = 6


class BackupIncompleteError(ResolutionError):
    """Some secrets could not be backed up; the error lists all of them."""

    code = "backup-incomplete"
    _SUMMARY = "cannot back up {count} of {environment}"


class VerifyIncompleteError(ResolutionError):
    """Some secrets could not be compared with a backup; the error lists all of them."""

    code = "verify-incomplete"
    _SUMMARY = "cannot compare {count} of {environment} with the backup"


class DrillError(ResolutionError):
    """Some variables have no valid value in a backup; the error lists all of them."""

    code = "drill-failed"
    exit_status = 1
    _SUMMARY = "the backup does not give {count} of {environment} a valid value"

    def __init__(self, environment: str, failures: Sequence[VariableFailure]) -> None:
        super().__init__(environment, failures)
        self.exit_status = type(self).exit_status  # not that of the failures


class RestoreError(ResolutionError):
    """Some secrets were not restored; the error lists all of them. All others were."""

    code = "restore-incomplete"
    _SUMMARY = "cannot restore {count} of {environment}"

    def __init__(self, environment: str, failures: Sequence[VariableFailure]) -> None:
        super().__init__(environment, failures)
        if {failure.error.exit_status for failure in failures} == {_CONFLICT}:
            self.exit_status = _CONFLICT
