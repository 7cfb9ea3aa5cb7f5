"""The agent's own process: what it is protected from, its socket, its log and its end.

It runs in `/`, apart from any terminal, with the few variables that it needs. It leaves no core
and cannot be traced by other processes of the user; its memory is locked where that is allowed.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import socket
import stat
import time
from typing import TYPE_CHECKING

from envkit.agent.asking import Unusable, socket_path
from envkit.agent.server import BACKLOG, Server
from envkit.resident.kernel import forbid_core, set_name

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_SECONDS = 12 * 3600.0
LOCK_SECONDS = 5.0
MAX_LOG_BYTES = 256 * 1024
FILES = 1024  # more than server.MAX_CLIENTS and what it opens itself
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MLOCK_ALL = 1 | 2 | 4  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT
_ENOUGH_TO_LOCK = 256 * 1024 * 1024  # with less, an allocation could fail


def main(max_age_seconds: float, idle_seconds: float, unused_seconds: float) -> None:
    """Be the agent until it ends; see `Server`. If there is one already, return at once."""
    protect()
    try:
        path = socket_path(os.environ, create=True)
    except Unusable:
        return  # the command that wants an agent reports the reason
    listener = listening(path)
    if listener is None:
        return
    server = Server(
        listener,
        path,
        max_age_seconds=max_age_seconds,
        idle_seconds=idle_seconds,
        unused_seconds=unused_seconds,
        life_seconds=LIFE_SECONDS,
        log=_logger(f"{path}.log"),
    )
    signal.signal(signal.SIGHUP, lambda *_: server.clear())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop("a signal"))
    signal.set_wakeup_fd(server.waker, warn_on_full_buffer=False)
    gc.freeze()  # what is there now stays
    try:
        server.serve()
    finally:
        if server.is_own_socket():
            os.unlink(path)
        server.close()


def protect() -> None:
    """Detach this process from who started it, and keep its memory to itself."""
    try:  # noqa: SIM105 - it leads a session already
        os.setsid()
    except OSError:
        pass
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who started it may ignore or block signals
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o077)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what the shell of the caller had open
    _allow_files()
    forbid_core()
    set_name("envkit-agent")
    _lock_memory()


def listening(path: str) -> socket.socket | None:
    """Return a socket that listens at a path; None if an agent does already, or it cannot be had.

    Only a socket whose process is gone is removed: it refuses the connection.
    """
    lock = os.open(f"{path}.lock", _OPEN, 0o600)
    try:
        if not _locked(lock):
            return None
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.settimeout(1.0)
            probe.connect(path)
        except ConnectionRefusedError:
            state = os.lstat(path)  # what is no socket refuses, too
            if not stat.S_ISSOCK(state.st_mode) or state.st_uid != os.geteuid():
                return None
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError:
            return None
        else:
            return None
        finally:
            probe.close()
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listener.bind(path)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            return None
        finally:
            os.umask(before)
        return listener
    finally:
        os.close(lock)


def _locked(descriptor: int) -> bool:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        else:
            return True


def _logger(path: str) -> Callable[[str], None]:
    """Return a function that adds a line to the agent's log; a full disk is no failure."""

    def log(text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            descriptor = os.open(path, _OPEN, 0o600)
            try:
                if os.fstat(descriptor).st_size > MAX_LOG_BYTES:
                    os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{stamp} {os.getpid()} {text}\n".encode())
            finally:
                os.close(descriptor)
        except OSError:
            return

    log("started")
    return log


def _allow_files() -> None:
    """Raise a low limit of open files, so that it is above the number of clients."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _lock_memory() -> None:
    """Keep the memory out of swap, if the limit leaves room for all of it."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and soft < _ENOUGH_TO_LOCK and os.geteuid() != 0:
        return
    try:
        import ctypes

        ctypes.CDLL(None).mlockall(_MLOCK_ALL)
    except (ImportError, OSError, AttributeError):
        return
