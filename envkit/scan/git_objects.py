"""Read the objects of a git repository: their names, types and contents, as streams.

A query that fails is an error here, unlike in `git`: an incomplete answer would look like a clean
one. Objects are read as they are stored, without filters, replacements and requests to a server.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from typing import NamedTuple

from envkit._internal.git import git_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PIECE_BYTES = 1 << 18
_AS_STORED = {"GIT_NO_REPLACE_OBJECTS": "1"}
_INDEX = "GIT_INDEX_FILE"


class GitError(Exception):
    """A query of git failed; the message has no output of git."""


class GitObject(NamedTuple):
    """An object: its name in hexadecimal, its type, and its size in bytes.

    An object that the repository does not have is of the type `missing`.
    """

    name: bytes
    type: bytes
    size_bytes: int


class Git:
    """Queries of one repository.

    Args:
        root: the root of its working tree.
        environ: the process environment.
        in_hook: whether to use the index that git gave to a hook: `git commit -a` has its own.
    """

    def __init__(self, root: str, environ: Mapping[str, str], *, in_hook: bool = False) -> None:
        self.root = root
        self._environ = {**environ, **_AS_STORED}
        index = environ.get(_INDEX) if in_hook else None
        self._index = {_INDEX: os.path.abspath(index)} if index else {}

    def output(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Return the output of a query.

        Raises:
            GitError: it failed.
        """
        command, environ = self._command(arguments)
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
                command, input=stdin, capture_output=True, env=environ, check=False
            )
        except OSError:
            raise _failed(arguments) from None
        if done.returncode != 0:
            raise _failed(arguments)
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Return whether a query succeeds."""
        try:
            self.output(*arguments)
        except GitError:
            return False
        return True

    def fields(self, *arguments: str, stdin: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Yield the fields of an output that ends each with a NUL, while git writes it.

        Raises:
            GitError: the query failed.
        """
        with self._started(arguments, stdin) as process:
            rest = b""
            while piece := process.stdout.read1(PIECE_BYTES):  # type: ignore[union-attr]
                *whole, rest = (rest + piece).split(b"\0")
                yield from whole
            if process.wait() != 0:
                raise _failed(arguments)

    def objects(self, names: Iterable[bytes]) -> Iterator[GitObject]:
        """Yield the type and size of each object.

        Raises:
            GitError: the query failed.
        """
        with self._started(("cat-file", "--batch-check", "--buffer"), names) as process:
            for line in process.stdout or ():
                yield _object(line)
            if process.wait() != 0:
                raise _failed(("cat-file",))

    def contents(self, names: Sequence[bytes]) -> Iterator[tuple[GitObject, Iterator[bytes]]]:
        """Yield each object with its content, in pieces that must be read before the next object.

        Raises:
            GitError: the query failed.
        """
        with self._started(("cat-file", "--batch", "--buffer"), names) as process:
            stream = process.stdout
            assert stream is not None  # noqa: S101 - for the type checker
            for _ in names:
                line = stream.readline()
                if not line:
                    raise _failed(("cat-file",))
                found = _object(line)
                if found.type == b"missing":
                    yield found, iter(())
                    continue
                pieces = _pieces(stream, found.size_bytes)
                yield found, pieces
                for _unread in pieces:
                    pass
                stream.read(1)  # the newline after a content

    @contextlib.contextmanager
    def _started(
        self, arguments: Sequence[str], stdin: Iterable[bytes]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a query that reads lines while it is read from, and stop it at the end."""
        command, environ = self._command(arguments)
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program, and no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ,
            )
        except OSError:
            raise _failed(arguments) from None
        writer = threading.Thread(target=_write, args=(process, stdin), daemon=True)
        try:
            with process:
                writer.start()
                try:
                    yield process
                finally:
                    if process.poll() is None:
                        process.kill()
                    writer.join()
        finally:
            process.wait()

    def _command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        command, environ = git_command(self.root, self._environ, *arguments)
        return command, {**environ, **self._index}


def _write(process: subprocess.Popen[bytes], lines: Iterable[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    with contextlib.suppress(OSError), process.stdin as stream:  # git may have ended
        for line in lines:
            stream.write(line + b"\n")


def _object(line: bytes) -> GitObject:
    name, kind, *size = line.split()
    return GitObject(name, kind, int(size[0]) if size else 0)


def _pieces(stream: object, left: int) -> Iterator[bytes]:
    while left > 0:
        piece = stream.read(min(left, PIECE_BYTES))  # type: ignore[attr-defined]
        if not piece:
            raise _failed(("cat-file",))
        left -= len(piece)
        yield piece


def _failed(arguments: Sequence[str]) -> GitError:
    return GitError(f"'git {arguments[0]}' failed")
