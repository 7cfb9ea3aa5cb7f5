"""Where the socket of the agent is, and whether its folder is safe.

    $XDG_RUNTIME_DIR/envkit/agent-DEVICE-INODE-VIEW    without that variable, below /run/user/UID
                                                       or in /tmp/envkit-UID

Each installation of envkit has an agent of its own: the name has the inode of the package. So has
each view of files, of the network and of processes: in a container that shares the folder, the same
path can be another file, and the audit log has its process ids and its host name. A process with
other groups may read other files. Only the user may enter the folder, and no other user may replace
a folder above it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PATH_BYTES = 100  # sun_path has 108 on Linux, 104 elsewhere
_NAMESPACES = ("mnt", "net", "user", "pid", "uts")
_KIND, _FOLDER = 0o170000, 0o040000
_STICKY, _WRITABLE_BY_OTHERS, _OPEN_TO_OTHERS = 0o1000, 0o022, 0o077


class Unusable(Exception):  # noqa: N818 - a reason, which is no error for most callers
    """The agent cannot be used.

    Attributes:
        absent: whether there is none, so that one can be started.
        declined: whether the agent works, and does not answer this question.
    """

    def __init__(self, reason: str, *, absent: bool = False, declined: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent
        self.declined = declined


def socket_path(environ: Mapping[str, str], *, create: bool = False) -> str:
    """Return the path of the socket of the agent for this installation and this view.

    Args:
        environ: the process environment.
        create: whether to create the folder.

    Raises:
        Unusable: there is no folder, or other users may write in it or replace it.
    """
    folder = _folder(environ)
    package = os.stat(os.path.dirname(os.path.dirname(__file__)))
    path = f"{folder}/agent-{package.st_dev:x}-{package.st_ino:x}-{_view():x}"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise Unusable(f"the path {path} is longer than {MAX_PATH_BYTES} bytes")
    if create:
        _create(folder)
    _check(folder)
    return path


def _folder(environ: Mapping[str, str]) -> str:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return f"{runtime.rstrip('/')}/envkit"
    user = os.geteuid()
    if os.path.isdir(f"/run/user/{user}"):
        return f"/run/user/{user}/envkit"
    return f"/tmp/envkit-{user}"  # noqa: S108 - its owner is checked, and /tmp is sticky


def _view() -> int:
    """Return a number for what this process sees: its namespaces, root folder and groups."""
    root = os.stat("/")
    seen = [root.st_dev, root.st_ino, os.getegid(), *os.getgroups()]
    for name in _NAMESPACES:
        try:
            seen.append(os.stat(f"/proc/self/ns/{name}").st_ino)
        except OSError:
            seen.append(0)
    return hash(tuple(seen)) & 0xFFFF_FFFF_FFFF_FFFF  # of numbers: equal in every process


def _create(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
        os.chmod(folder, 0o700)  # whatever the umask is
    except FileExistsError:
        pass
    except OSError as error:
        raise Unusable(f"cannot create {folder}: {os.strerror(error.errno or 0).lower()}") from None


def _check(folder: str) -> None:
    """Refuse a folder that another user could have made, or could replace."""
    user = os.geteuid()
    try:
        state = os.lstat(folder)
    except OSError:
        raise Unusable(f"there is no folder {folder}", absent=True) from None
    if state.st_mode & _KIND != _FOLDER:
        raise Unusable(f"{folder} is not a folder")
    if state.st_uid != user:
        raise Unusable(f"{folder} belongs to another user")
    if state.st_mode & _OPEN_TO_OTHERS:
        raise Unusable(f"other users may enter {folder}")
    above = folder
    while above != "/":
        above = os.path.dirname(above)
        state = os.lstat(above)
        if state.st_mode & _KIND != _FOLDER:
            raise Unusable(f"{above} is a link")
        if state.st_uid not in (0, user):
            raise Unusable(f"{above} belongs to another user")
        if state.st_mode & _WRITABLE_BY_OTHERS and not state.st_mode & _STICKY:
            raise Unusable(f"other users may write in {above}")
