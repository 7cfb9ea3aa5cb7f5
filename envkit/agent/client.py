"""Ask the agent, on the hot path: needs neither `socket` nor `json`, which cost 10 ms.

    asking = Asking(os.environ)          # connects; the agent wakes up
    asking.ask(items, os.environb)       # or raises Unusable, as all others do
    ...                                  # the agent works meanwhile
    answer = asking.answer()

The client checks the agent's user before it sends anything. It waits for at most 200 ms without
a sign of life; while the agent reads a store, it says so ten times a second.

Where the socket is:

    $XDG_RUNTIME_DIR/envkit/agent-DEVICE-INODE-VIEW    without that variable, below /run/user/UID
                                                       or in /tmp/envkit-UID

Each installation of envkit has an agent of its own: the name has the inode of the package. So has
each view of files, of the network and of processes: in a container that shares the folder, the same
path can be another file, and the audit log has its process ids and its host name. A process with
other groups may read other files. Only the user may enter the folder, and no other user may replace
a folder above it.
"""

import os
from time import monotonic

from envkit.agent.wire import (
    ANSWER,
    ASK,
    DECLINED,
    DONE,
    HEADER_BYTES,
    MAX_ANSWER_BYTES,
    NEED,
    OTHER_VERSION,
    USUAL,
    VARIABLES,
    WAIT,
    WireError,
    frame,
    frame_of,
    packed_pairs,
    read_answer,
    read_header,
    selected,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from envkit.agent.wire import Answer

SILENCE_SECONDS = 0.2
ROUNDS = 4  # of variables that the agent asks for
_CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid
_PIECE_BYTES = 1 << 20
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


def socket_path(environ: "Mapping[str, str]", *, create: bool = False) -> str:
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


def _folder(environ: "Mapping[str, str]") -> str:
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


def command(path: str, kind: int) -> "Sequence[bytes]":
    """Send a command to the agent and return the items of its answer.

    Raises:
        Unusable: as `ask`.
    """
    with Connection(path) as agent:
        agent.send(frame(kind))
        answered, items = agent.receive()
        if answered != DONE:
            raise Unusable("the agent is of another version of envkit")
        return items


class Connection:
    """A connection to the agent, whose user has been checked; every method raises `Unusable`."""

    def __init__(self, path: str) -> None:
        self._until = monotonic() + SILENCE_SECONDS
        self._socket = _connected(path)
        self._environ: Mapping[bytes, bytes] = {}

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def ask(self, question: "Sequence[bytes]", environ: "Mapping[bytes, bytes]") -> None:
        """Send a question.

        Args:
            question: what `question_items` returns.
            environ: of this process; only USUAL variables, and those that the agent names, are
                sent.
        """
        self._environ = environ
        self.send(frame(ASK, [*question, packed_pairs(selected(environ, USUAL))]))

    def answer(self, timeout_seconds: float | None = None) -> "Answer":
        """Return the agent's answer to what `ask` has sent.

        Args:
            timeout_seconds: how long to wait while the agent reads a store; None for the default.
        """
        began = monotonic()
        named: list[bytes] = []
        asked = 0
        while True:
            kind, items = self.receive()
            if kind == ANSWER:
                try:
                    return read_answer(items)
                except WireError as error:
                    raise Unusable(f"the agent's answer makes no sense: {error}") from None
            if kind == WAIT:
                if monotonic() - began >= (timeout_seconds or _default_timeout()):
                    raise Unusable("the agent still waits for a store", declined=True)
                self.patient()
            elif kind == NEED and asked < ROUNDS:
                asked += 1
                named += items
                self.send(frame_of(VARIABLES, packed_pairs(selected(self._environ, named))))
            elif kind == DECLINED:
                reason = b"".join(items).decode("utf-8", "replace")
                raise Unusable(f"the agent does not answer: {reason}", declined=True)
            elif kind == OTHER_VERSION:
                raise Unusable("the agent is of another version of envkit")
            else:
                raise Unusable("the agent does not answer in time")

    def patient(self) -> None:
        """Wait longer: the agent has said that it is reading a store."""
        self._until = monotonic() + SILENCE_SECONDS

    def send(self, data: bytes) -> None:
        """Send a frame."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(error) from None

    def receive(self) -> "tuple[int, Sequence[bytes]]":
        """Receive a frame: its kind and items."""
        try:
            kind, length = read_header(self._exactly(HEADER_BYTES), MAX_ANSWER_BYTES)
            return kind, unpack(self._exactly(length))
        except WireError as error:
            raise Unusable(f"the agent's answer makes no sense: {error}") from None
        except OSError as error:
            raise _broken(error) from None

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            self._socket.settimeout(self._left())
            part = self._socket.recv(min(count, _PIECE_BYTES))
            if not part:
                raise Unusable("the agent has closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _left(self) -> float:
        left = self._until - monotonic()
        if left <= 0:
            raise Unusable("the agent does not answer in time")
        return left


class Asking:
    """A question to the agent of this user, which wakes up while the question is made."""

    __slots__ = ("_connection", "_reason")

    def __init__(self) -> None:
        self._connection: Connection | None = None
        try:
            self._connection = Connection(socket_path(os.environ))
        except Unusable as reason:
            self._reason = reason
        except Exception as error:  # noqa: BLE001 - a command never fails because of the agent
            self._reason = _failed(error)

    def close(self) -> None:
        """Do not ask."""
        if self._connection is not None:
            self._connection.close()

    def answer(
        self,
        question: "Sequence[bytes]",
        environ: "Mapping[bytes, bytes]",
        timeout_seconds: float | None,
        *,
        required: bool,
    ) -> "Answer":
        """Ask, and return the answer.

        Args:
            question: what `question_items` returns.
            environ: of this process.
            timeout_seconds: how long to wait while the agent reads a store; None for the default.
            required: if there is no agent, start one for this question, and not for the next one.

        Raises:
            Unusable: there is no answer.
        """
        try:
            with self._connected(required) as agent:
                agent.ask(question, environ)
                import envkit.launch.exec  # noqa: F401 - is needed next; the agent works meanwhile

                return agent.answer(timeout_seconds)
        except Unusable:
            raise
        except Exception as error:  # noqa: BLE001 - a command never fails because of the agent
            raise _failed(error) from None

    def _connected(self, required: bool) -> Connection:  # noqa: FBT001 - see `answer`
        if self._connection is not None:
            return self._connection
        if not self._reason.absent or (not required and os.getpid() == 1):
            raise self._reason
        if required:
            from envkit.agent.control import start

            start(os.environ)
            return Connection(socket_path(os.environ))
        socket_path(os.environ, create=True)
        from envkit.agent.spawn import spawn

        spawn(os.environ)
        raise self._reason


def _failed(error: Exception) -> Unusable:
    return Unusable(f"{type(error).__name__} in its client")


def _default_timeout() -> float:
    from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS

    return DEFAULT_TIMEOUT_SECONDS


def _connected(path: str) -> "Any":
    try:
        import _socket  # without `socket`, whose enums cost 9 ms
        import os
        import sys

        credentials = _socket.SO_PEERCRED
    except (ImportError, AttributeError):
        raise Unusable("this system does not say who is behind a socket") from None
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError as error:
        raise _broken(error) from None
    try:
        connection.settimeout(SILENCE_SECONDS)
        connection.connect(path)
        peer = connection.getsockopt(_socket.SOL_SOCKET, credentials, _CREDENTIALS_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise Unusable("there is no agent", absent=True) from None
    except OSError as error:
        connection.close()
        raise _broken(error) from None
    if int.from_bytes(peer[4:8], sys.byteorder) != os.geteuid():
        connection.close()
        raise Unusable("the agent belongs to another user")
    return connection


def _broken(error: OSError) -> Unusable:
    if isinstance(error, TimeoutError):
        return Unusable("the agent does not answer in time")
    return Unusable(f"the connection to the agent failed: {(error.strerror or '').lower()}")
