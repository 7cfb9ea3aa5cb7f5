"""Values of encrypted `.env` files: a backup marks them, a restore keeps them encrypted.

A backup has the values, and not the private keys. A file that is gone would be created without a
public key, and so in plain text. A restore refuses that: git may not ignore such a file.
"""

from __future__ import annotations

import os
from shlex import quote

from envkit._internal.paths import display_path
from envkit.errors import SourceError, UnchangeableError
from envkit.sources.dotenv import DotenvSource
from envkit.sources.dotenv_files.encrypted import encrypted_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source


def encrypted_references(prepared: PreparedProfile) -> frozenset[Reference]:
    """Return the references whose values are in encrypted files.

    Args:
        prepared: a profile with the opened sources, and the references to read.
    """
    return frozenset(
        reference
        for name, source in prepared.sources.items()
        if isinstance(source, DotenvSource)
        for reference in _encrypted(source, prepared.plan.references.get(name, ()))
    )


def _encrypted(source: DotenvSource, references: tuple[Reference, ...]) -> Iterator[Reference]:
    found = {one.name for one in encrypted_files(source, references)}
    for reference in references if found else ():
        names = {os.path.relpath(path, source.root) for path in source.files(reference)}
        if names <= found or (not names.isdisjoint(found) and _has_key(source, reference)):
            yield reference


def _has_key(source: DotenvSource, reference: Reference) -> bool:
    """Return whether the one file that has a value is encrypted; in doubt it is."""
    try:
        return bool(source.public_keys(reference))
    except SourceError:
        return True


def plain_file_error(source: Source, reference: Reference) -> UnchangeableError | None:
    """Return why a value that was encrypted is not written; None if its file is encrypted.

    Raises:
        SourceError: the file cannot be read.
    """
    if not isinstance(source, DotenvSource) or source.public_keys(reference):
        return None
    shown = display_path(os.path.join(source.root, source.file_with(reference)))
    return UnchangeableError(
        f"it was encrypted when the backup was made, and {shown} is not",
        hint=f"run: envkit env init --file {quote(shown)}",
    )
