"""What is known of the last drill of each environment, for the deployment checklist and alarms.

The file `backup-drills.json` in envkit's state folder, mode 0600, contains no value:

    {
      "version": 1,
      "drills": [
        {
          "folder": "/srv/shop/profiles",     # of the profiles, when the backup was made
          "environment": "prod",
          "at": 1796008800.0,                 # when the drill ended, seconds since the epoch
          "backup_created_at": 1796004000,    # when the backup was made
          "duration_seconds": 0.4,
          "sha256": "...",                    # of the backup's file
          "file": "/backup/prod.age",
          "resolved": 12,                     # variables with a valid value
          "failures": []                      # the names of those without
        }
      ]
    }

There is one entry for each folder and environment: that of the last drill, failed or not.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from envkit._internal.paths import state_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.backup.drill import DrillReport
    from envkit.backup.format import Backup

FILE = "backup-drills.json"
VERSION = 1
METRICS = "# HELP envkit_backup_drill_success"  # how the metrics begin
_LIMIT_BYTES = 4 * 1024 * 1024
_LOCK_SECONDS = 5
_LATEST = 253_402_300_800  # the end of the year 9999, after which there is no date


class LastDrill(NamedTuple):
    """The last drill of one environment; see the keys of the file."""

    folder: str
    environment: str
    at: float
    backup_created_at: int
    duration_seconds: float
    sha256: str
    file: str
    resolved: int
    failures: tuple[str, ...]


def save_drill(
    report: DrillReport, backup: Backup, *, file: str, sha256: str, environ: Mapping[str, str]
) -> None:
    """Save the result of a drill, in place of the last one of each environment.

    Raises:
        LockedError: another process has the lock of the file.
        OSError: the file cannot be written.
    """
    from envkit._internal.file_lock import locked
    from envkit._internal.writing.atomic_write import write_own

    new = [
        LastDrill(
            backup.folder,
            one.name,
            report.at,
            backup.created_at,
            round(report.duration_seconds, 3),
            sha256,
            os.path.realpath(file),
            one.resolved,
            tuple(failure.name for failure in one.failures),
        )
        for one in report.environments
    ]
    folder = os.path.realpath(state_folder(environ))
    path = os.path.join(folder, FILE)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with locked(path, timeout_seconds=_LOCK_SECONDS, follow=False):
        drills = {(one.folder, one.environment): one for one in [*last_drills(environ), *new]}
        document = {"version": VERSION, "drills": [one._asdict() for one in drills.values()]}
        write_own(path, (json.dumps(document, indent=2) + "\n").encode())


def last_drills(environ: Mapping[str, str]) -> list[LastDrill]:
    """Return the last drill of each environment; none if the file is missing or not valid."""
    from envkit._internal.files import read_own
    from envkit.errors import EnvkitError

    path = os.path.join(os.path.realpath(state_folder(environ)), FILE)
    try:
        document = json.loads(read_own(path, _LIMIT_BYTES)[0])
        if document["version"] != VERSION:
            return []
        return [_last_drill(**entry) for entry in document["drills"]]
    except (OSError, EnvkitError, ValueError, TypeError, KeyError, RecursionError):
        return []


def last_drill(folder: str, environment: str, environ: Mapping[str, str]) -> LastDrill | None:
    """Return the last drill of an environment on this host; None if there was none.

    Args:
        folder: the folder of profiles.
        environment: the name of the profile.
        environ: the process environment.
    """
    wanted = (os.path.realpath(folder), environment)
    drills = last_drills(environ)
    return next((one for one in drills if (one.folder, one.environment) == wanted), None)


def _last_drill(**entry: Any) -> LastDrill:
    """Return an entry of the file; raise if a key is missing, unknown, or not valid."""
    if not isinstance(entry["failures"], list):
        raise TypeError
    entry["failures"] = tuple(entry["failures"])
    found = LastDrill(**entry)
    numbers = (found.at, found.backup_created_at, found.duration_seconds, found.resolved)
    texts = (found.folder, found.environment, found.sha256, found.file, *found.failures)
    if not all(type(one) in (int, float) and 0 <= one < _LATEST for one in numbers):
        raise TypeError
    if not all(isinstance(one, str) for one in texts):
        raise TypeError
    return found


def metrics(report: DrillReport | None, backup: Backup | None, *, at: float) -> str:
    """Return a drill in the text format of Prometheus, for the textfile collector.

    Args:
        report: the result; None if the file could not be decrypted.
        backup: what was decrypted.
        at: when the drill ended, seconds since the epoch.
    """
    lines = [
        f"{METRICS} Whether the last drill found no error.",
        "# TYPE envkit_backup_drill_success gauge",
        f"envkit_backup_drill_success {int(report is not None and not report.failures)}",
        "# HELP envkit_backup_drill_timestamp_seconds When the last drill ended.",
        "# TYPE envkit_backup_drill_timestamp_seconds gauge",
        f"envkit_backup_drill_timestamp_seconds {at:.0f}",
    ]
    if report is not None and backup is not None:
        lines += [
            "# HELP envkit_backup_created_timestamp_seconds When the backup was made.",
            "# TYPE envkit_backup_created_timestamp_seconds gauge",
            f"envkit_backup_created_timestamp_seconds {backup.created_at}",
            "# HELP envkit_backup_drill_duration_seconds How long the last drill took.",
            "# TYPE envkit_backup_drill_duration_seconds gauge",
            f"envkit_backup_drill_duration_seconds {report.duration_seconds:.3f}",
            "# HELP envkit_backup_drill_failures Variables without a valid value.",
            "# TYPE envkit_backup_drill_failures gauge",
            *(
                f'envkit_backup_drill_failures{{environment="{_label(one.name)}"}} '
                f"{len(one.failures)}"
                for one in report.environments
            ),
        ]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
