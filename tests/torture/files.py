"""Kill this process with SIGKILL at the n-th operation on the files of a folder.

    die_at("/srv/app", 7)           # before the seventh, or in the middle of it if it writes

It counts each call of `os` that changes a file in the folder, or one that was opened there: open
for writing, write, sync, chmod, rename, unlink, lock. Other threads end at the same instruction.
"""

from __future__ import annotations

import os
import signal
import threading

_OF_PATHS = ("replace", "rename", "unlink", "link", "mkdir", "chmod", "utime", "listdir")
_OF_DESCRIPTORS = ("fsync", "fchmod", "fchown", "close", "ftruncate")


class _Counter:
    def __init__(self, folder: str, number: int) -> None:
        self.folder = os.path.realpath(folder) + os.sep
        self.number = number
        self.count = 0
        self.descriptors: set[int] = set()
        self.lock = threading.Lock()

    def concerns(self, path: object, below: int | None = None) -> bool:
        """Whether this is a file of the folder; the path is relative to `below`."""
        if isinstance(path, int):
            return path in self.descriptors
        if below is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{below}"), os.fsdecode(path))
        return f"{os.path.abspath(os.fsdecode(path))}{os.sep}".startswith(self.folder)

    def hit(self) -> bool:
        with self.lock:
            self.count += 1
            return self.count == self.number


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(folder: str, number: int, report: str) -> None:
    """Begin to count; create the file `report` before the process dies.

    Args:
        folder: count the operations on files in it.
        number: of the operation, from 1.
        report: created at the end, outside the folder.
    """
    counter = _Counter(folder, number)
    really = {name: getattr(os, name) for name in (*_OF_PATHS, *_OF_DESCRIPTORS, "open", "write")}

    def end() -> None:
        really["close"](really["open"](report, os.O_CREAT | os.O_WRONLY, 0o600))
        _die()

    def counted(name: str):
        original = really[name]

        def call(path, *args, **options):
            below = options.get("dir_fd", options.get("src_dir_fd"))
            if counter.concerns(path, below) and counter.hit():
                end()
            if name == "close":
                counter.descriptors.discard(path)
            return original(path, *args, **options)

        return call

    def opened(path, flags, *args, **options):
        ours = counter.concerns(path, options.get("dir_fd"))
        changes = ours and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_DIRECTORY)
        if changes and counter.hit():
            end()
        descriptor = really["open"](path, flags, *args, **options)
        if changes:
            counter.descriptors.add(descriptor)
        return descriptor

    def written(descriptor, data):
        if counter.concerns(descriptor):
            if counter.hit():
                end()
            if counter.hit():
                really["write"](descriptor, bytes(data)[: len(data) // 2])
                end()
        return really["write"](descriptor, data)

    for name in (*_OF_PATHS, *_OF_DESCRIPTORS):
        setattr(os, name, counted(name))
    os.open = opened
    os.write = written
    import fcntl

    flock = fcntl.flock

    def locked(descriptor, operation):
        if counter.concerns(descriptor) and counter.hit():
            end()
        return flock(descriptor, operation)

    fcntl.flock = locked
