"""The last drill of each environment, from the state file that `envkit backup drill` writes."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from envkit._internal.files import read_own
from envkit._internal.paths import state_folder
from envkit.errors import EnvkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "backup-drills.json"
VERSION = 1
_LIMIT_BYTES = 4 * 1024 * 1024


class Drill(NamedTuple):
    """The last drill of an environment.

    Attributes:
        at: when it ended, seconds since the epoch.
        backup_created_at: when the backup was made.
        resolved: how many variables had a valid value.
        failures: the names of those that had none.
        sha256: of the backup's file.
    """

    at: float
    backup_created_at: float
    resolved: int
    failures: tuple[str, ...]
    sha256: str


def last_drill(folder: str, environment: str, environ: Mapping[str, str]) -> Drill | None:
    """Return the last drill of an environment on this host; None if there was none.

    Args:
        folder: absolute path of the folder of profiles.
        environment: the name of the profile.
        environ: the process environment.
    """
    path = os.path.join(os.path.realpath(state_folder(environ)), FILE)
    try:
        document = json.loads(read_own(path, _LIMIT_BYTES)[0])
        if document["version"] != VERSION:
            return None
        for one in document["drills"]:
            same = os.path.realpath(one["folder"]) == os.path.realpath(folder)
            if same and one["environment"] == environment:
                return Drill(
                    float(one["at"]),
                    float(one["backup_created_at"]),
                    int(one["resolved"]),
                    tuple(map(str, one["failures"])),
                    str(one["sha256"]),
                )
    except (OSError, EnvkitError, ValueError, TypeError, KeyError):
        pass
    return None
