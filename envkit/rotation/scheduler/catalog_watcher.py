"""Follow the rotations of a folder of profiles while a scheduler runs.

    catalog = CatalogWatcher(folder, ("prod",), environ=os.environ)
    if catalog.stale():
        catalog.read()

A changed file is noticed by its times, without reading it. If the profiles can no longer be read
as a whole, the known rotations remain. No store is read.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit.profile.discovery import FORMS
from envkit.rotation.catalog import Collected, collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.rotation.catalog import Rotation

READ_SECONDS = 60.0  # for all profiles together


class CatalogWatcher:
    """The rotations of one scheduler.

    Args:
        folder: absolute path of the folder of profiles.
        environments: names or aliases of profiles; default: all profiles.
        environ: the process environment.

    Attributes:
        rotations: by full name, as of the last read.
        collected: the whole result of the last read.
    """

    def __init__(
        self, folder: str, environments: Sequence[str] = (), *, environ: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.rotations: dict[str, Rotation] = {}
        self.collected = Collected((), {})
        self._environments = tuple(environments)
        self._environ = environ
        self._known: object = None

    def stale(self) -> bool:
        """Return whether a file was changed, added or removed since the profiles were read."""
        return self._files() != self._known

    def read(self) -> Collected:
        """Read the profiles and return their rotations.

        Raises:
            ProfileError: they cannot be read as a whole; the known rotations remain.
        """
        # taken before reading: a file that changes meanwhile is then read again
        self._known = self._files()
        self.collected = collect(
            self.folder,
            self._environments,
            environ=self._environ,
            deadline=Deadline(READ_SECONDS),
        )
        self.rotations = {one.full_name: one for one in self.collected.rotations}
        return self.collected

    def _files(self) -> object:
        try:
            with os.scandir(self.folder) as entries:
                # links are followed: a Kubernetes ConfigMap changes the file behind them
                found = [
                    (entry.name, status.st_mtime_ns, status.st_size, status.st_ino)
                    for entry in entries
                    if entry.name.endswith(FORMS)
                    for status in (entry.stat(),)
                ]
        except OSError as error:
            return error.errno
        return sorted(found)
