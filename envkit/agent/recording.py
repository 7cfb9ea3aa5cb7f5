"""What a child of the agent depends on while it reads an environment: variables and files.

The child's process environment has only what the client was asked for. Each further variable
that it looks up is recorded, and so is each file that it opens, or whose existence it tests (TLS
reads files without Python, after such a test). A child that starts a program depends on more than
can be recorded: it stops before.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import MutableMapping

from envkit.agent.freshness import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from envkit.agent.freshness import Signature

_PROGRAMS = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")
)
_OPENED, _LISTED = "open", ("os.listdir", "os.scandir")
_SYSTEM = ("/dev/", "/proc/", "/sys/")
_INSTALLED = ("site-packages", "dist-packages")
_CODE = (".py", ".pyc", ".so")


class StartsProgramError(BaseException):
    """The child was about to start a program."""


class RecordingEnviron(MutableMapping[str, str]):
    """The variables that a client has sent; it records which others are looked up.

    Attributes:
        missing: the names that were looked up and not sent.
        iterated: whether all variables were looked at.
    """

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._sent = dict(sent)
        self.missing: set[str] = set()
        self.iterated = False

    def __getitem__(self, name: str) -> str:
        if name not in self._sent:
            self.missing.add(name)
        return self._sent[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._sent[name] = value

    def __delitem__(self, name: str) -> None:
        del self._sent[name]

    def __iter__(self) -> Iterator[str]:
        self.iterated = True
        return iter(self._sent)

    def __len__(self) -> int:
        self.iterated = True
        return len(self._sent)

    def copy(self) -> dict[str, str]:
        """Return all of them, as `os.environ` does."""
        return dict(self)


def take_over_environment(sent: Mapping[str, str]) -> tuple[RecordingEnviron, RecordingEnviron]:
    """Replace the process environment with what a client has sent.

    Returns:
        one mapping for envkit, which looks up what it needs, and the one that is now
        `os.environ`, which libraries may also iterate over.
    """
    os.environ.clear()
    os.environ.update(sent)  # also that of C
    own, of_libraries = RecordingEnviron(sent), RecordingEnviron(sent)
    os.environ = of_libraries  # type: ignore[assignment]  # noqa: B003 - that of C is set above
    return own, of_libraries


def record(found: dict[str, Signature]) -> list[str]:
    """Add to `found`, from now on, each file that this process opens or tests, as it was before.

    A folder is added when it is listed; its time changes too often for a test of its existence.

    Returns:
        a list to which each attempt to start a program is added; the attempt fails.
    """
    note = _noting(found)
    programs: list[str] = []
    look = os.stat

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _PROGRAMS:
            programs.append(event)
            raise StartsProgramError(event)
        if event == _OPENED or event in _LISTED:
            note(arguments[0])

    def recording_stat(path: Any, *, dir_fd: int | None = None, **more: Any) -> os.stat_result:
        is_folder = False
        try:
            state = look(path, dir_fd=dir_fd, **more)
            is_folder = stat.S_ISDIR(state.st_mode)
            return state
        finally:
            if dir_fd is None and not is_folder:
                note(path)

    sys.addaudithook(hook)
    os.stat = recording_stat
    return programs


def _noting(found: dict[str, Signature]) -> Callable[[object], None]:
    """Return a function that adds the signature of a path to `found`, unless it has one."""
    # a project may be in sys.path or hold the virtual environment, and is no library for that
    searched = {os.path.abspath(one) for one in sys.path}
    folders = [one for one in searched if os.path.basename(one) in _INSTALLED]
    folders += [os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(__file__))]
    libraries = tuple(f"{one}/" for one in folders)
    here = os.getcwd()

    def note(path: object) -> None:
        if isinstance(path, os.PathLike):
            path = os.fspath(path)
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return  # an open file
        path = os.path.join(here, path)
        known = path in found or path in searched
        if not known and not path.startswith((*libraries, *_SYSTEM)) and not path.endswith(_CODE):
            found[path] = signature(path)

    return note
