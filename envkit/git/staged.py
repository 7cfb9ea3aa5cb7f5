"""Read the files that the next commit will change, as they are staged. Changes nothing.

In a hook, git describes the commit in progress in its environment: `git commit -a` has an index of
its own. That environment is passed on.
"""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from envkit._internal.git import git_command, output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FILES = ("100644", "100755")
_NOTHING = "0"  # the id of a blob that does not exist has only zeros


class Staged(NamedTuple):
    """One staged file.

    Attributes:
        path: relative to the root of the repository.
        blob: the id of its content; empty for a link or a submodule.
        before: the id of its content in the last commit; empty if it is new.
    """

    path: str
    blob: str
    before: str


def staged_files(folder: str, environ: Mapping[str, str]) -> list[Staged] | None:
    """Return the files that the next commit adds or changes; None without a repository.

    Args:
        folder: a folder in the working tree.
        environ: the process environment, with the variables of a hook.
    """
    options = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=d")
    query = ("diff", "--cached", "--ignore-submodules", *options)
    found = output_of(git_command(folder, environ, *query, in_hook=True))
    if found is None:
        return None
    fields = found.decode("utf-8", "surrogateescape").split("\0")
    return [_staged(*pair) for pair in zip(fields[::2], fields[1::2], strict=False)]


def _staged(facts: str, path: str) -> Staged:
    mode_before, mode, before, blob, _ = facts.removeprefix(":").split(" ")
    return Staged(
        path,
        blob if mode in _FILES else "",
        before if mode_before in _FILES and before.strip(_NOTHING) else "",
    )


def contents(
    folder: str, environ: Mapping[str, str], blobs: Sequence[str], *, limit_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the content of blobs, one at a time, without those above a size.

    Args:
        folder: a folder in the working tree.
        environ: the process environment.
        blobs: the ids.
        limit_bytes: larger blobs are left out.
    """
    listed = "".join(f"{blob}\n" for blob in dict.fromkeys(blobs)).encode()
    query = git_command(folder, environ, "cat-file", "--batch-check", in_hook=True)
    answer = output_of(query, listed) or b""
    sizes = (line.split() for line in answer.decode().splitlines())
    small = [words[0] for words in sizes if words[1:2] == ["blob"] and int(words[2]) <= limit_bytes]
    if not small:
        return
    words, clean = git_command(folder, environ, "cat-file", "--batch", in_hook=True)
    with subprocess.Popen(  # noqa: S603 - a fixed program, and no shell
        words,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert process.stdout is not None  # noqa: S101
        for blob in small:
            process.stdin.write(f"{blob}\n".encode())
            process.stdin.flush()
            header = process.stdout.readline().split()
            size = int(header[2])
            yield blob, process.stdout.read(size + 1)[:size]
