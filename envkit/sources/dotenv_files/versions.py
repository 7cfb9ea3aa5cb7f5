"""Notice that `.env` files have changed, without opening them.

A file that is rewritten in place can have the inode, size and modification time that it had
before. Its ctime is another one then, which no program can set.
"""

from __future__ import annotations

import os
import stat

from envkit.sources.dotenv_files.errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference

_KEY_FILE = ".env.keys"  # of encrypted files


def versions(
    refs: Collection[Reference],
    names: Callable[[Reference], Sequence[str]],
    root: str,
    suffix: str,
) -> Mapping[Reference, str | EnvkitError]:
    """Return, per reference, a text that changes when one of its files does.

    A file that appears or disappears has changed, also the one with the private keys. A pipe never
    has: it can be read only once.

    Args:
        refs: references of a `.env` source.
        names: returns the files in which a reference is looked up.
        root: the folder to which they are relative.
        suffix: that of saved copies, which a reference with a version is read from.
    """
    known: dict[tuple[str, ...], str | EnvkitError] = {}
    found = {}
    for ref in refs:
        files = tuple(names(ref))
        keys = {os.path.join(os.path.dirname(name), _KEY_FILE): None for name in files}
        if ref.version is not None:
            files += tuple(name + suffix for name in files)
        files += tuple(keys)
        if files not in known:
            known[files] = _version(files, root)
        found[ref] = known[files]
    return found


def _version(files: Sequence[str], root: str) -> str | EnvkitError:
    states = []
    for name in files:
        try:
            states.append(_state(os.stat(os.path.join(root, name))))
        except (FileNotFoundError, NotADirectoryError):
            states.append("none")
        except OSError as error:
            return failure("read", name, error)
    return " ".join(states)


def _state(found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "special"
    numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "-".join(f"{number:x}" for number in numbers)
