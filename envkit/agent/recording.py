"""What a child of the agent depends on while it reads an environment: variables and files.

The child's process environment has only what the client was asked for. Each further variable
that it looks up is recorded, and so is each file that it opens. A child that starts a program
depends on more than can be recorded: it stops before.
"""

from __future__ import annotations

import os
import sys

from envkit.agent.freshness import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit.agent.freshness import Signature

_PROGRAMS = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")
)
_OPENED, _LISTED = "open", ("os.listdir", "os.scandir")
_SYSTEM = ("/dev/", "/proc/", "/sys/")


class StartsProgramError(BaseException):
    """The child was about to start a program."""


class RecordingEnviron(dict[str, str]):
    """The variables that a client has sent; it records which others are looked up."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        super().__init__(sent)
        self.missing: set[str] = set()
        self.iterated = False

    def __getitem__(self, name: str) -> str:
        self._note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self.iterated = True
        return super().__iter__()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a variable, and record that it was looked up."""
        self._note(name)
        return super().get(name, default)

    def keys(self):  # type: ignore[no-untyped-def] # noqa: ANN201, D102
        self.iterated = True
        return super().keys()

    def values(self):  # type: ignore[no-untyped-def] # noqa: ANN201, D102
        self.iterated = True
        return super().values()

    def items(self):  # type: ignore[no-untyped-def] # noqa: ANN201, D102
        self.iterated = True
        return super().items()

    def copy(self) -> dict[str, str]:
        """Return all of them."""
        self.iterated = True
        return super().copy()

    def _note(self, name: object) -> None:
        if isinstance(name, str) and not super().__contains__(name):
            self.missing.add(name)


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
    """Add to `found`, from now on, each file that this process opens, as it was before.

    Returns:
        a list to which each attempt to start a program is added; the attempt fails.
    """
    libraries = tuple({*map(_folder, sys.path), *map(_folder, (sys.prefix, sys.base_prefix))})
    programs: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _PROGRAMS:
            programs.append(event)
            raise StartsProgramError(event)
        if event != _OPENED and event not in _LISTED:
            return
        path = arguments[0]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        # what is opened relative to an open folder is found otherwise
        if not isinstance(path, str) or not path.startswith("/") or path in found:
            return
        if not path.startswith((*libraries, *_SYSTEM)) and f"{path}/" not in libraries:
            found[path] = signature(path)

    sys.addaudithook(hook)
    return programs


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")
