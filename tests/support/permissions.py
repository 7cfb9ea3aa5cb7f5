"""Act as an unprivileged user, even if the tests run as root."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody():
    """Give up root's rights within the block; does nothing if this process is not root."""
    if os.geteuid() != 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextmanager
def folder_of_nobody():
    """Create a folder that `as_nobody` can reach and write, unlike pytest's `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="envkit-test-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
