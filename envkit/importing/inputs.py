"""Read the files to import, and delete them when their values are elsewhere.

A file that the user names is read through links, as any program does. It is deleted only if it is
a regular file that has not changed since it was read, and that no profile reads.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.files import read_capped, read_with_stat, version_of
from envkit._internal.os_errors import reason_of
from envkit.dotenv.file import LIMIT_BYTES
from envkit.encryption.reading import Decrypter
from envkit.errors import EnvkitError, UsageError
from envkit.importing.readers.choose import read_contents
from envkit.profile.discovery import profile_names
from envkit.profile.loader import load
from envkit.profile.placeholder import Reference
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import prepare_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.importing.contents import FileContents
    from envkit.importing.run import PreparedImport
    from envkit.profile.model import Profile

STDIN = "-"
PIPE_TIMEOUT_SECONDS = 15.0


class Input(NamedTuple):
    """A file to import.

    Attributes:
        version: of the file when it was read; None for a pipe or the standard input.
    """

    path: str
    contents: FileContents
    version: str | None


def read_input(
    path: str,
    *,
    environ: Mapping[str, str],
    services: Sequence[str] = (),
    stdin: bytes | None = None,
) -> Input:
    """Read a file that the user named.

    Args:
        path: the file; `-` for the standard input.
        environ: the process environment, which may have the private key of an encrypted file.
        services: of a Compose file, the services to read; default: all of them.
        stdin: the content of the standard input, for `-`.

    Raises:
        UsageError: the file cannot be read.
        ImportFileError: its content cannot be imported.
        SourceError: its values cannot be decrypted.
    """
    if path == STDIN:
        data = stdin or b""
        if len(data) > LIMIT_BYTES:
            raise UsageError(f"stdin is larger than {LIMIT_BYTES:,} bytes")
        return Input(path, read_contents(data, path="stdin", services=services), None)
    version = None
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):  # such as `<(heroku config --shell)`
            data = read_capped(path, LIMIT_BYTES, pipe_until=Deadline(PIPE_TIMEOUT_SECONDS))
        else:
            data, state = read_with_stat(path, LIMIT_BYTES)
            version = version_of(state)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error, 'unreadable')}") from None
    beside = os.path.abspath(path)
    decrypter = Decrypter(path, path=beside, root=os.path.dirname(beside), environ=environ)
    contents = read_contents(data, path=path, services=services, decrypt=decrypter.value)
    return Input(path, contents, version)


def remove_input(one: Input, prepared: PreparedImport) -> str | None:
    """Delete a file whose values were imported and verified.

    Returns:
        why the file is kept; None if it was deleted.
    """
    try:
        state = os.lstat(one.path)
        if not stat.S_ISREG(state.st_mode):
            return "it is not a regular file"
        if version_of(state) != one.version:
            return "it was changed after envkit read it"
        reader = next(_readers(os.path.realpath(one.path), prepared), None)
        if reader is not None:
            return f"{reader} reads it"
        os.unlink(one.path)
    except OSError as error:
        return reason_of(error)
    except EnvkitError as error:
        return f"cannot tell whether a profile reads it: {error.message}"
    return None


def _readers(real: str, prepared: PreparedImport) -> Iterator[str]:
    """Yield the names of the profiles that read a file.

    Of the environment itself, the values count that it reads now. Of the others, the files count
    that they may read.
    """
    own = prepared.profile
    folder = os.path.dirname(own.path)
    now = load(own.name, folder)
    deadline = prepared.deadline
    deadline.restart()
    everything = prepare_profile(
        now, list(now.variables), environ=prepared.environ, deadline=deadline
    )
    [outcomes] = fetch([everything], deadline)
    found, _ = evaluate(everything.plan, outcomes, everything.locate)
    places = {origin.location for one in found.values() for origin in one.origins}
    if any(_real(own, place.rpartition(":")[0]) == real for place in places):
        yield own.name
    for name in profile_names(folder):
        if name != own.name:
            other = load(name, folder)
            if real in {_real(other, file) for file in _files_of(other)}:
                yield name


def _real(profile: Profile, file: str) -> str:
    return os.path.realpath(os.path.join(profile.root, file))


def _files_of(profile: Profile) -> Iterator[str]:
    """Yield the `.env` files that a profile names, or that it looks for by default."""
    dotenv = {name: spec for name, spec in profile.sources.items() if spec.type == "dotenv"}
    for spec in dotenv.values():
        given = spec.settings.get("path") or [
            f".env.{name}" for name in (profile.name, *profile.aliases)
        ]
        yield from [given] if isinstance(given, str) else given
    for declaration in profile.variables.values():
        for placeholder in declaration.template.placeholders:
            operand = placeholder.operand
            if isinstance(operand, Reference) and operand.source in dotenv and operand.field:
                yield operand.path
