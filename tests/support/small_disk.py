"""A folder on a disk that a test can fill.

    with SmallDisk(tmp_path / "disk") as disk:
        disk.fill()      # every write fails, as there is no room
        disk.free()

If this process may mount a file system, it mounts one, and writing fails with ENOSPC. Otherwise it
sets its own limit for the size of files, and writing fails with EFBIG. Files that exist can be
read either way.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SIZE_BYTES = 256 * 1024
FILLER = ".filler"


class SmallDisk:
    """See the module's docstring.

    Args:
        folder: the mount point; created, and unmounted afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mounted = False
        self._writes_no_bytecode = sys.dont_write_bytecode
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def __enter__(self) -> SmallDisk:
        self.folder.mkdir()
        if os.geteuid() == 0 and shutil.which("mount"):
            size = f"size={SIZE_BYTES},mode=700"
            command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.folder)]
            done = subprocess.run(command, capture_output=True, check=False)
            self.mounted = done.returncode == 0
        return self

    def __exit__(self, *_: object) -> None:
        self.free()
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)

    def fill(self, *, but: int = 0) -> None:
        """Leave no room for a byte.

        Args:
            but: bytes to leave free, if a file system was mounted.
        """
        if not self.mounted:
            sys.dont_write_bytecode = True  # otherwise it would stay truncated
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))
            return
        with (self.folder / FILLER).open("wb", buffering=0) as filler:
            for length in (4096, 1):
                try:
                    while True:
                        filler.write(b"x" * length)
                except OSError:
                    continue
            filler.truncate(filler.tell() - but)

    def free(self) -> None:
        """Free the space again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        sys.dont_write_bytecode = self._writes_no_bytecode
        (self.folder / FILLER).unlink(missing_ok=True)
