"""Ask the agent: all that a client needs until it waits for the answer.

    asking = Asking()                                 # connects: the agent wakes up
    ...
    connection = asking.ask(items, environ, start)    # or raises Unusable, as all others do
    ...                                               # the agent works
    answer = wire.receive_answer(connection)

This is on the hot path of `exec` and `get`. It needs neither `socket` nor `json`, which cost 10 ms;
what reads the answer is loaded while the agent works. The client checks the agent's user
before it sends anything. It waits for at most 200 ms without a sign of life; while the agent reads
a store, it says so ten times a second.

Where the socket is:

    $XDG_RUNTIME_DIR/envkit/agent-DEVICE-INODE-VIEW    without that variable, below /run/user/UID
                                                       or in /tmp/envkit-UID

Each installation of envkit has an agent of its own: the name has the inode of the package. So has
each view of files, of the network and of processes: in a container that shares the folder, the same
path can be another file, and the audit log has its process ids and its host name. A process with
other groups may read other files. Only the user may enter the folder, and no other user may replace
a folder above it.
"""

# no module of this path has `from __future__ import annotations`, which imports a module
import os
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any


MAGIC, VERSION = b"EKA", 3
MIN_PATTERN_BYTES = 5
# variables that a client sends with its question, because most answers depend on them
USUAL = (
    *(b"ENVKIT_AUDIT", b"ENVKIT_ENV", b"ENVKIT_PROFILES", b"ENVKIT_REASON", b"ENVKIT_TRUST"),
    *(b"HOME", b"XDG_CONFIG_HOME", b"XDG_STATE_HOME"),
    *(b"VAULT_*", b"BAO_*", b"AWS_*", b"BOTO_*"),
    *(b"*_PROXY", b"REQUESTS_CA_BUNDLE", b"CURL_CA_BUNDLE", b"SSL_CERT_FILE", b"SSL_CERT_DIR"),
    *(b"NETRC", b"HOSTALIASES", b"LOCALDOMAIN", b"RES_OPTIONS", b"OPENSSL_CONF"),
)
# what a client sends
ASK, VARIABLES, STATUS, CLEAR, STOP = range(1, 6)

SILENCE_SECONDS = 0.2
_CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid
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


class Connection:
    """A connection to the agent, whose user has been checked; every method raises `Unusable`.

    Attributes:
        environ: the variables of this process; empty before `ask`.
        socket: the connection; `wire.receive` reads from it.
    """

    def __init__(self, path: str) -> None:
        self.environ: Mapping[bytes, bytes] = {}
        self.patient()
        self.socket = _connected(path)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def ask(self, question: "Sequence[bytes]", environ: "Mapping[bytes, bytes]") -> None:
        """Send a question.

        Args:
            question: what `question_items` returns.
            environ: of this process; only USUAL variables, and those that the agent names, are
                sent.
        """
        self.environ = environ
        self.send(frame(ASK, [*question, packed_pairs(selected(environ, USUAL))]))

    def send(self, data: bytes) -> None:
        """Send a frame."""
        try:
            self.socket.settimeout(self.left())
            self.socket.sendall(data)
        except OSError as error:
            raise broken(error) from None

    def patient(self) -> None:
        """Wait longer: the agent has given a sign of life."""
        self._until = monotonic() + SILENCE_SECONDS

    def left(self) -> float:
        """Return the seconds that remain until the agent is too late."""
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
            self._reason = failed(error)

    def close(self) -> None:
        """Do not ask."""
        if self._connection is not None:
            self._connection.close()

    def ask(
        self,
        question: "Sequence[bytes]",
        environ: "Mapping[bytes, bytes]",
        start: "Callable[[Unusable], None]",
    ) -> Connection:
        """Send the question; `wire.receive_answer` receives the answer.

        Args:
            question: what `question_items` returns.
            environ: of this process.
            start: called if the agent cannot be used; raises the reason, or starts an agent.

        Raises:
            Unusable: it cannot be used.
        """
        try:
            if self._connection is None:
                start(self._reason)
                self._connection = Connection(socket_path(os.environ))
            self._connection.ask(question, environ)
        except Unusable:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            raise failed(error) from None
        return self._connection


def question_items(release: str, folder: str, command: str, words: "Iterable[str]") -> list[bytes]:
    """Return the items of a question.

    Args:
        release: of envkit.
        folder: the working folder.
        command: `exec`, `get` or `hook`.
        words: of the command line; for `exec`, without the command that it runs.
    """
    return [*map(os_encode, (release, folder, command)), pack(map(os_encode, words))]


def frame(kind: int, items: "Iterable[bytes]" = ()) -> bytes:
    """Return one frame."""
    return frame_of(kind, pack(items))


def frame_of(kind: int, body: bytes) -> bytes:
    """Return one frame with items that were packed before."""
    return head_of(kind, len(body)) + body


def head_of(kind: int, length: int) -> bytes:
    """Return the head of a frame whose body has so many bytes."""
    return MAGIC + bytes((VERSION, kind)) + length.to_bytes(4, "big")


def pack(items: "Iterable[bytes]") -> bytes:
    """Return byte strings as one."""
    parts = []
    for item in items:
        parts.append(len(item).to_bytes(4, "big"))
        parts.append(item)
    return b"".join(parts)


def packed_pairs(pairs: "Mapping[bytes, bytes]") -> bytes:
    """Return variables as one byte string."""
    return pack([one for pair in pairs.items() for one in pair])


def selected(environ: "Mapping[bytes, bytes]", wanted: "Iterable[bytes]") -> dict[bytes, bytes]:
    """Return the variables that the agent names; see `patterns`."""
    exact, beginnings, endings = patterns(wanted)
    return {
        name: value
        for name, value in environ.items()
        if name in exact or name.startswith(beginnings) or name.lower().endswith(endings)
    }


def patterns(
    wanted: "Iterable[bytes]",
) -> tuple[set[bytes], tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the names, the beginnings and the endings in lower case of variables.

    Args:
        wanted: each is `NAME`, `PREFIX_*` or, in any case, `*_SUFFIX`. A pattern that would match
            nearly everything matches nothing.
    """
    exact, beginnings, endings = set(), [], []
    for one in wanted:
        if b"*" not in one:
            exact.add(one)
        elif len(one) < MIN_PATTERN_BYTES:
            continue
        elif one.endswith(b"*"):
            beginnings.append(one[:-1])
        elif one.startswith(b"*"):
            endings.append(one[1:].lower())
    return exact, tuple(beginnings), tuple(endings)


def os_encode(text: str) -> bytes:
    """Return the bytes of a word of the command line."""
    return text.encode("utf-8", "surrogateescape")


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


def _connected(path: str) -> "Any":
    try:
        import _socket  # without `socket`, whose enums cost 9 ms

        credentials = _socket.SO_PEERCRED
    except (ImportError, AttributeError):
        raise Unusable("this system does not say who is behind a socket") from None
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError as error:
        raise broken(error) from None
    try:
        connection.settimeout(SILENCE_SECONDS)
        connection.connect(path)
        peer = connection.getsockopt(_socket.SOL_SOCKET, credentials, _CREDENTIALS_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise Unusable("there is no agent", absent=True) from None
    except OSError as error:
        connection.close()
        raise broken(error) from None
    if int.from_bytes(peer[4:8], sys.byteorder) != os.geteuid():
        connection.close()
        raise Unusable("the agent belongs to another user")
    return connection


def broken(error: OSError) -> Unusable:
    """Return why a connection failed."""
    if isinstance(error, TimeoutError):
        return Unusable("the agent does not answer in time")
    return Unusable(f"the connection to the agent failed: {(error.strerror or '').lower()}")


def failed(error: Exception) -> Unusable:
    """Return what a fault of the client is, so that no command fails because of the agent."""
    return Unusable(f"{type(error).__name__} in its client")
