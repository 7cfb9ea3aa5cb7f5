"""Whether a file is still what it was: by device, inode, size and the times of content and inode.

A file that has just been written can be written again within one tick of the clock of its file
system, and look the same. So an answer is kept only if each of its files was old when it was read.
"""

from __future__ import annotations

from os import getcwd, stat  # not what `recording` puts in its place
from os.path import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Signature: TypeAlias = tuple[int, ...] | None  # None: there is no such file

TICK_SECONDS = 0.05  # a tick of the kernel's clock takes 1 to 10 ms
COARSE_SECONDS = 2.1  # some file systems store whole seconds; FAT stores every other one
_SECOND = 1_000_000_000


def signature(path: str) -> Signature:
    """Return what changes whenever the file, or the one that it links to, changes."""
    try:
        state = stat(path)
    except (OSError, ValueError):
        return None
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def signatures(paths: Iterable[str]) -> dict[str, Signature]:
    """Return the signature of each path, under a path that is absolute."""
    here = getcwd()  # the agent compares them in another folder
    return {full: signature(full) for full in [join(here, path) for path in paths]}


def is_fresh(files: Mapping[str, Signature]) -> bool:
    """Return whether no file has changed since its signature was taken."""
    return all(signature(path) == before for path, before in files.items())


def were_old(files: Mapping[str, Signature], read_at: float) -> bool:
    """Return whether no file changed after, or just before, it was read.

    Args:
        files: their signatures.
        read_at: when the first of them was read, on the clock of `time.time`.
    """
    fine, coarse = (int((read_at - tick) * 1e9) for tick in (TICK_SECONDS, COARSE_SECONDS))
    changed = (one[4] for one in files.values() if one is not None)
    return all(at < (fine if at % _SECOND else coarse) for at in changed)
