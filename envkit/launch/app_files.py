"""The values that an app reads as files: the variables with `as = "file"`.

    files = AppFiles(*folder)            # from `files_folder`; sweeps what dead apps left there
    environ.update(files.write(contents))
    files.remove()

Each app has a folder of its own, mode 0700, named after the process that becomes the app or
supervises it. Files are replaced by a rename: who reads one sees the old or the new value. No
file is ever readable by another user, and no link is followed.
"""

from __future__ import annotations

import os

from envkit._internal.processes import namespace, process_name
from envkit.launch.memory_folder import FileVariableError, make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.launch.overlay import FileContent

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY = b".new"  # no variable has this name


class AppFiles:
    """The folder of the app that this process becomes or supervises.

    Args:
        path: of the folder for the files of all apps.
        base: an open descriptor of it, which `remove` closes.
    """

    def __init__(self, path: str, base: int) -> None:
        self._base = base
        self._name = _name(os.getpid())
        self._owner = os.getpid()
        self._folder: int | None = None
        self._path = os.fsencode(os.path.join(path, self._name))
        self._written: dict[bytes, FileContent] = {}
        _sweep(base)

    def write(self, contents: Mapping[bytes, FileContent]) -> dict[bytes, bytes]:
        """Let the folder have exactly these files; those that are the same stay as they are.

        What the app has removed is written again: after a restart, it looks for its files.

        Args:
            contents: by the names of variables.

        Returns:
            the path of the file of each variable.

        Raises:
            FileVariableError: a file cannot be written. Those written before it are new, and
                each of the others is as it was.
        """
        if contents and not self._is_there():
            self._create()
        paths = {}
        for name, content in contents.items():
            if self._written.get(name) != content or not self._has(name):
                self._replace(name, content)
                self._written[name] = content
            paths[name] = os.path.join(self._path, name)
        for name in [name for name in self._written if name not in contents]:
            self._unlink(name)
            del self._written[name]
        return paths

    def remove(self) -> None:
        """Remove the folder, at the end of the app; a child process does not."""
        if os.getpid() != self._owner or self._base < 0:
            return
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
            _remove(self._base, self._name)
        os.close(self._base)
        self._base = -1
        self._written.clear()

    def _is_there(self) -> bool:
        return self._folder is not None and os.fstat(self._folder).st_nlink > 0

    def _has(self, name: bytes) -> bool:
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _create(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        try:
            _remove(self._base, self._name)  # of this process: an earlier attempt
            make_private(self._name, self._base)
            self._folder = os.open(self._name, _FOLDER, dir_fd=self._base)
        except OSError as error:
            raise _failed("the folder for variables as files", error) from None

    def _replace(self, name: bytes, content: FileContent) -> None:
        try:
            new = os.open(_TEMPORARY, _NEW, 0o600, dir_fd=self._folder)
            try:
                rest = memoryview(content.data)
                while rest:
                    rest = rest[os.write(new, rest) :]
                os.fchmod(new, content.mode)
            finally:
                os.close(new)
            os.rename(_TEMPORARY, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            self._unlink(_TEMPORARY)
            raise _failed(name.decode(), error) from None

    def _unlink(self, name: bytes) -> None:
        try:  # noqa: SIM105 - contextlib would delay the start of the app
            os.unlink(name, dir_fd=self._folder)
        except OSError:  # the app may have removed it
            pass


def _sweep(base: int) -> None:
    """Remove the folders of apps that have ended, on this host and in this PID namespace."""
    here = _place()
    for name in os.listdir(base):
        pid, _, rest = name.partition("-")
        started, _, place = rest.partition("-")
        if place != here or not pid.isdecimal() or not started.isdecimal():
            continue
        if process_name(int(pid)) != f"{pid}-{started}":
            _remove(base, name)


def _remove(base: int, name: str) -> None:
    """Remove the folder of one app, if it is there and our own."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=base)
    except OSError:
        return
    try:
        if os.fstat(folder).st_uid == os.geteuid():
            for file in os.listdir(folder):
                os.unlink(file, dir_fd=folder)
            os.rmdir(name, dir_fd=base)
    except OSError:  # another process removes it now, or a program has put a folder into it
        pass
    finally:
        os.close(folder)


def _name(pid: int) -> str:
    return f"{process_name(pid)}-{_place()}"


def _place() -> str:
    """Return what tells hosts and PID namespaces apart, as a part of a file name."""
    return "".join(char if char.isalnum() else "_" for char in namespace())


def _failed(what: str, error: OSError) -> FileVariableError:
    from envkit._internal.os_errors import reason_of

    return FileVariableError(
        f"cannot write {what}: {reason_of(error)}",
        hint="free memory, or name a folder on a disk: envkit exec --files DIR ...",
    )
