"""Files that hold secrets, replaced as a whole.

What always holds: a reader sees the old content or the new, never a part; a new file is 0600
from its first byte; whatever goes wrong, the old file is as it was. The standard library's
`tempfile` is not used: its import costs more than a profile.
"""

from __future__ import annotations

import errno
import os
import time

from envkit._internal import file_attributes
from envkit._internal.files import open_folder
from envkit._internal.leftovers import claim, temporary_name
from envkit._internal.replaceable import owner_refused, refuse_irreplaceable, refuse_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomic(path: str, data: bytes, *, mode: int | None = None) -> os.stat_result:
    """Make `data` the content of a file, in one step and for good.

    A symbolic link stays one: the file that it leads to is replaced. The new file has the
    owner, the access control list and the `user.*` attributes of the one that it replaces.
    It is always younger, however fast they follow each other, so that its times and size
    tell the two apart.

    Args:
        path: the file; its folder must exist.
        data: the whole new content.
        mode: permission bits; None keeps those of the file that is replaced, and is
            0600 for a new one.

    Returns:
        the state of the new file.

    Raises:
        WriteRefusedError: it is a file that is not replaced; see `replaceable`.
        OSError: nothing was changed. (A writer that is killed leaves a temporary file
            beside the target, no more readable than that; the next `locked` removes it.)
    """
    with _Place(os.path.realpath(path)) as place:
        replaced = place.state()
        if replaced is None:
            return place.write(data, lambda new: file_attributes.set_mode(new, mode or 0o600), 0)
        refuse_irreplaceable(place.path, replaced)
        old = os.open(place.name, _OLD, dir_fd=place.folder)
        try:
            attributes = file_attributes.read(old)
        finally:
            os.close(old)

        def finish(new: int) -> None:
            try:
                file_attributes.apply(new, attributes, mode=mode)
            except file_attributes.OwnerLostError:
                raise owner_refused(place.path) from None

        return place.write(data, finish, replaced.st_mtime_ns)


def write_own(
    path: str,
    data: bytes,
    *,
    owner: os.stat_result | None = None,
    modified_ns: int | None = None,
) -> os.stat_result:
    """Make `data` the content of a file whose name envkit made up: 0600, and no link.

    Args:
        path: the file; its folder must exist.
        data: the whole new content.
        owner: of the file beside which it is, whom it belongs to also when root writes it.
        modified_ns: its time; None for a time after that of the file that it replaces.

    Raises:
        LinkRefusedError: a link is in its place; nothing was changed.
        OSError: nothing was changed.
    """
    folder, name = os.path.split(path)
    with _Place(os.path.join(os.path.realpath(folder), name)) as place:
        replaced = place.state()
        if replaced is not None:
            refuse_links(place.path, replaced)

        def finish(new: int) -> None:
            file_attributes.set_mode(new, 0o600)
            if owner is not None:
                file_attributes.give_to(new, owner)

        before = 0 if replaced is None else replaced.st_mtime_ns
        return place.write(data, finish, before, modified_ns)


class _Place:
    """The open folder of a file, in which all is done: it may not become another meanwhile."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.folder = -1

    def __enter__(self) -> _Place:
        self.folder = open_folder(os.path.dirname(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.folder)

    def state(self) -> os.stat_result | None:
        """Return the state of what has the name now."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def write(
        self,
        data: bytes,
        finish: Callable[[int], None],
        before_ns: int,
        modified_ns: int | None = None,
    ) -> os.stat_result:
        """Write a temporary file, and give it the name.

        Args:
            data: the content.
            finish: gives the open file its attributes.
            before_ns: the time of the file that is replaced.
            modified_ns: the time of the new file; None for now.
        """
        temporary, descriptor = self._temporary()
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                finish(descriptor)
                now = max(time.time_ns(), before_ns + 1) if modified_ns is None else modified_ns
                os.utime(descriptor, ns=(now, now))
                os.fsync(descriptor)
                state = os.fstat(descriptor)
                # while it is open it is locked, and no other process takes it for a leftover
                os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            finally:
                os.close(descriptor)
        except BaseException:
            self._remove(temporary)
            raise
        self._sync()
        return state

    def _temporary(self) -> tuple[str, int]:
        while True:
            name = temporary_name(self.name)
            descriptor = os.open(name, _NEW, 0o600, dir_fd=self.folder)
            if claim(descriptor):
                return name, descriptor
            os.close(descriptor)  # it was removed before it was locked

    def _remove(self, name: str) -> None:
        try:  # noqa: SIM105 - importing contextlib takes longer than all of this
            os.unlink(name, dir_fd=self.folder)
        except OSError:
            pass

    def _sync(self) -> None:
        try:
            descriptor = os.open(
                ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder
            )
        except PermissionError:  # it may be written and not listed
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)
