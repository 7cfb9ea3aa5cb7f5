"""Replace files that contain secrets atomically.

Guarantees: a reader sees the old content or the new, never a mix; a new file has mode 0600 from
its first byte; if anything fails, the old file is unchanged; a link that another process
creates in the path at the same time is not followed. The standard library's `tempfile` is not
used: importing it takes longer than reading a profile.
"""

from __future__ import annotations

import errno
import os
import time

from envkit._internal.files import open_folder
from envkit._internal.writing import file_attributes
from envkit._internal.writing.leftovers import claim, known_name, temporary_name
from envkit._internal.writing.replaceable import owner_refused, refuse_irreplaceable, refuse_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomic(
    path: str, data: bytes, *, mode: int | None = None, follow: bool = True
) -> os.stat_result:
    """Replace the content of a file with `data`, atomically and durably.

    If the path is a symbolic link, the link stays and its target is replaced. The new file gets the
    owner, the access control list and the `user.*` attributes of the old one. Its modification time
    is always later, even for writes in quick succession, so that time and size distinguish the
    versions.

    Args:
        path: the file; its folder must exist.
        data: the complete new content.
        mode: permission bits; None for those of the replaced file, or 0600 for a new
            file.
        follow: False for a path that was checked and has no links; a link is then an error.

    Returns:
        the state of the new file.

    Raises:
        WriteRefusedError: the file may not be replaced; see `replaceable`.
        OSError: nothing was changed. (If the process is killed, a temporary file with the same or
            stricter permissions remains; the next `locked` removes it.)
    """
    with (
        _Place(os.path.realpath(path) if follow else path) as place,
        _successor(place, data, mode) as new,
    ):
        return new.put()


def write_with_copy(
    path: str,
    data: bytes,
    copy: str,
    before: bytes,
    *,
    mode: int | None = None,
    rehearsal: bool = False,
    alone: bool = False,
) -> os.stat_result:
    """Replace a file as `write_atomic` does, and write a copy of its old content.

    Both files are complete before either gets its name, so a full disk changes neither.
    The copy has the modification time and owner of the original.

    Args:
        path: the file, which may not exist yet; absolute, without links.
        data: the new content.
        copy: the copy, whose name envkit chose; absolute, in a folder without links.
        before: the old content.
        mode: permission bits of the new file; None for those of the old one.
        rehearsal: write both and remove them again.
        alone: whether the caller has the lock of the file and listed both names in `written`.

    Returns:
        the state of the new file.

    Raises:
        WriteRefusedError: the file may not be replaced; see `replaceable`.
        LinkRefusedError: the path of the copy is a link.
        OSError: a file cannot be written; the original is unchanged.
    """
    with (
        _Place(path) as place,
        _successor(place, data, mode, lasting=not rehearsal, alone=alone) as new,
    ):
        replaced = new.replaced
        if replaced is None:
            return new.state if rehearsal else new.put()
        with (
            _Place(copy) as beside,
            _own(
                beside, before, replaced, replaced.st_mtime_ns, lasting=not rehearsal, alone=alone
            ) as kept,
        ):
            if rehearsal:
                return new.state
            # in the same folder, the next sync covers both
            kept.put(sync=os.path.dirname(copy) != os.path.dirname(path))
            return new.put()


def write_own(
    path: str,
    data: bytes,
    *,
    owner: os.stat_result | None = None,
    modified_ns: int | None = None,
    alone: bool = False,
) -> os.stat_result:
    """Write `data` to a file whose name envkit chose: mode 0600, never through a link.

    Args:
        path: the file; absolute, in an existing folder without links.
        data: the complete new content.
        owner: the uid that owns the new file, even if root writes it.
        modified_ns: the modification time; None for now.
        alone: whether the caller has a lock that lists the file in `written`.

    Returns:
        the state of the new file.

    Raises:
        LinkRefusedError: the path is a link; nothing was changed.
        WriteRefusedError: the file cannot be given to the owner; nothing was changed.
        OSError: nothing was changed.
    """
    with _Place(path) as place, _own(place, data, owner, modified_ns, alone=alone) as new:
        return new.put()


class _Place:
    """The open folder of a file. All operations use it, so that the folder cannot be swapped."""

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
        """Return the state of the file that currently has the name."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def sync(self) -> None:
        """Flush the folder's entries to disk."""
        try:
            descriptor = os.open(
                ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder
            )
        except PermissionError:  # the folder is writable but not readable
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


class _Successor:
    """A complete new file under a temporary name; `put` renames it to the final name.

    If `put` is not called, the file is removed. The file is locked while it is open, so that no
    other process removes it as a leftover.

    Args:
        place: the target.
        data: the content.
        finish: sets the attributes of the open file.
        replaced: the state of the file that it replaces; None if there is none.
        modified_ns: the modification time; None for now, or for a time after the replaced file's.
        lasting: whether the file must survive a power failure.
        alone: whether the caller has a lock that lists the file in `written`.
    """

    def __init__(
        self,
        place: _Place,
        data: bytes,
        finish: Callable[[int], None],
        *,
        replaced: os.stat_result | None,
        modified_ns: int | None,
        lasting: bool,
        alone: bool,
    ) -> None:
        self.replaced = replaced
        self.state: os.stat_result
        self._place = place
        self._data = data
        self._finish = finish
        self._modified_ns = modified_ns
        self._lasting = lasting
        self._alone = alone
        self._temporary: str | None = None
        self._descriptor = -1

    def __enter__(self) -> _Successor:
        try:
            self._create()
            view = memoryview(self._data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            self._finish(self._descriptor)
            time_ns = self._time_ns()
            os.utime(self._descriptor, ns=(time_ns, time_ns))
            if self._lasting:
                os.fsync(self._descriptor)
            self.state = os.fstat(self._descriptor)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._temporary is not None:
                os.unlink(self._temporary, dir_fd=self._place.folder)
        except OSError:
            pass
        finally:
            if self._descriptor >= 0:
                descriptor, self._descriptor = self._descriptor, -1
                os.close(descriptor)

    def put(self, *, sync: bool = True) -> os.stat_result:
        """Rename the file to its final name and return its state; `sync` makes the name durable."""
        assert self._temporary is not None  # noqa: S101 - it is called once
        folder = self._place.folder
        os.replace(self._temporary, self._place.name, src_dir_fd=folder, dst_dir_fd=folder)
        self._temporary = None
        if sync:
            self._place.sync()
        return self.state

    def _create(self) -> None:
        # another user's leftover may have the known name
        if self._alone and self._open(known_name(self._place.name)):
            return
        while not self._open(temporary_name(self._place.name)):
            pass

    def _open(self, name: str) -> bool:
        """Create the file under a name; return False if the name is taken."""
        try:
            self._descriptor = os.open(name, _NEW, 0o600, dir_fd=self._place.folder)
        except FileExistsError:
            return False
        self._temporary = name
        if claim(self._descriptor):
            return True
        os.close(self._descriptor)  # another process removed it before it was locked
        self._descriptor, self._temporary = -1, None
        return False

    def _time_ns(self) -> int:
        if self._modified_ns is not None:
            return self._modified_ns
        return max(time.time_ns(), self.replaced.st_mtime_ns + 1 if self.replaced else 0)


def _successor(
    place: _Place,
    data: bytes,
    mode: int | None,
    *,
    lasting: bool = True,
    alone: bool = False,
) -> _Successor:
    """Return the new file that replaces another one, with the attributes of that file."""
    replaced = place.state()
    if replaced is None:

        def finish(new: int) -> None:
            file_attributes.set_mode(new, mode or 0o600)
    else:
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
                raise owner_refused(place.path, replaced.st_uid) from None

    return _Successor(
        place,
        data,
        finish,
        replaced=replaced,
        modified_ns=None,
        lasting=lasting,
        alone=alone,
    )


def _own(
    place: _Place,
    data: bytes,
    owner: os.stat_result | None,
    modified_ns: int | None,
    *,
    lasting: bool = True,
    alone: bool = False,
) -> _Successor:
    """Return the new file for a name that envkit chose."""
    replaced = place.state()
    if replaced is not None:
        refuse_links(place.path, replaced)

    def finish(new: int) -> None:
        file_attributes.set_mode(new, 0o600)
        if owner is None:
            return
        try:
            file_attributes.give_to(new, owner)
        except file_attributes.OwnerLostError:
            raise owner_refused(place.path, owner.st_uid) from None

    return _Successor(
        place,
        data,
        finish,
        replaced=replaced,
        modified_ns=modified_ns,
        lasting=lasting,
        alone=alone,
    )
