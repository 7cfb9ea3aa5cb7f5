"""What a process must revoke, in a file without values, so that the next one can after a crash.

    $XDG_STATE_HOME/envkit/leases/4711-8842.jsonl       # pid, and when that process started

Each line names one token by its accessor, or one lease by its id; neither gives access to a
secret. The file is 0600 in a folder 0700, changed under a lock, and removed when its process
has revoked everything. It has the newest lines only, so that the next start is not delayed by a
process that has run for months. It is a convenience: a file that cannot be written stops nothing,
since each lease ends by itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.paths import state_folder
from envkit._internal.processes import namespace, process_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

FOLDER = "leases"
ENDING = ".jsonl"
MAX_BYTES = 4 * 1024 * 1024
MAX_LINES = 256
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Entry(NamedTuple):
    """One line.

    Attributes:
        server: differs for each server and kind of login; contains no credential.
        accessor: of a token that envkit obtained; empty for a lease.
        lease: the id of a lease; empty for a token.
    """

    server: str
    accessor: str = ""
    lease: str = ""


class Ledger:
    """The file of one process.

    Args:
        owner: the id of the process that holds the leases, which may be the parent of this one.
    """

    def __init__(self, owner: int) -> None:
        name = process_name(owner)
        self._path = os.path.join(_folder(), name + ENDING) if name else ""

    def add(self, entry: Entry, instead_of: Entry | None = None) -> None:
        """Add a line, before or after what it names is created.

        Args:
            entry: the line.
            instead_of: a line to remove: what it names is about to end.
        """
        if not self._path:
            return
        try:
            os.makedirs(_folder(), mode=0o700, exist_ok=True)
            if os.stat(_folder()).st_uid == os.geteuid():
                _change(self._path, os.O_CREAT, lambda known: _added(known, entry, instead_of))
        except OSError:
            return

    def remove(self, server: str) -> None:
        """Remove the lines of one server, where everything is revoked."""
        try:
            _change(self._path, 0, lambda known: [one for one in known if one.server != server])
        except OSError:
            return


def sweep(server: str, revoke: Callable[[Entry], bool]) -> None:
    """Revoke what killed processes of this user on this host have left at a server.

    What cannot be revoked for want of permission is forgotten: it ends by itself.

    Args:
        server: as in `Entry`.
        revoke: revokes one; False if that is not allowed. What it raises ends the sweep, and the
            entries stay for the next one.
    """
    try:
        names = [name for name in os.listdir(_folder()) if name.endswith(ENDING)]
    except OSError:
        return
    for name in names:
        pid = name.partition("-")[0]
        if pid.isdigit() and process_name(int(pid)) + ENDING != name:
            _sweep_one(os.path.join(_folder(), name), server, revoke)


def _sweep_one(path: str, server: str, revoke: Callable[[Entry], bool]) -> None:
    try:
        descriptor = _open(path)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lines = list(_lines(os.read(descriptor, MAX_BYTES)))
        if any(host != namespace() for host, _ in lines):
            return  # another container, which has the same home
        left = [entry for _, entry in lines]
        own = [entry for entry in left if entry.server == server]
        try:
            _revoke_all(own, revoke, left)
        finally:  # what was revoked before a failure is not revoked again
            if own or not lines:
                _keep(path, descriptor, left)
    except OSError:
        return  # another process sweeps it, or it cannot be written
    finally:
        os.close(descriptor)


def _revoke_all(own: Collection[Entry], revoke: Callable[[Entry], bool], left: list[Entry]) -> None:
    """Revoke entries, and remove each from `left` when it needs nothing more."""
    tokens = [entry for entry in own if entry.accessor]
    refused = []
    for entry in reversed(tokens):  # the last one first: the others have most likely ended
        if not revoke(entry):
            refused.append(entry)
            break  # it is one permission for all
        left.remove(entry)
    if not tokens or refused:  # else the leases have ended with their tokens
        for entry in own:
            if entry.lease:
                revoke(entry)
                left.remove(entry)
    left[:] = [entry for entry in left if entry not in own]


def _added(known: Iterable[Entry], entry: Entry, instead_of: Entry | None) -> list[Entry]:
    return [*(one for one in known if one != instead_of), entry][-MAX_LINES:]


def _change(path: str, flags: int, change: Callable[[list[Entry]], list[Entry]]) -> None:
    """Replace the lines of this host's process in its file, under a lock."""
    descriptor = _open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        lines = _lines(os.read(descriptor, MAX_BYTES))
        _keep(path, descriptor, change([one for host, one in lines if host == namespace()]))
    finally:
        os.close(descriptor)


def _keep(path: str, descriptor: int, entries: Collection[Entry]) -> None:
    """Leave only these lines in a locked file; remove it if there are none."""
    if not entries:
        _remove(path)
        return
    text = "".join(json.dumps({"host": namespace(), **one._asdict()}) + "\n" for one in entries)
    os.ftruncate(descriptor, os.pwrite(descriptor, text.encode(), 0))


def _open(path: str, more: int = 0) -> int:
    """Open a file of this user; never a link, or what is not a file."""
    descriptor = os.open(path, _FLAGS | more, 0o600)
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_nlink > 1:
        os.close(descriptor)
        raise OSError(path)
    return descriptor


def _lines(data: bytes) -> Iterator[tuple[str, Entry]]:
    """Return the host and the entry of each line; a torn or foreign one is left out."""
    for line in data.splitlines():
        try:
            parts = dict(json.loads(line))
            host, entry = str(parts.pop("host")), Entry(**parts)
        except (ValueError, TypeError, LookupError, RecursionError):
            continue
        if all(isinstance(part, str) for part in entry):
            yield host, entry


def _remove(path: str) -> None:
    try:  # noqa: SIM105 - as everywhere else
        os.unlink(path)
    except OSError:
        pass


def _folder() -> str:
    return os.path.join(state_folder(os.environ), FOLDER)
