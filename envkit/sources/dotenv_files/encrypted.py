"""Find the encrypted files among those in which a source looks up values."""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit.errors import EnvkitError
from envkit.profile.placeholder import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envkit.dotenv.parser import Definition
    from envkit.encryption.reading import Decrypter
    from envkit.sources.dotenv import DotenvSource

_ANY = "ANY"  # a variable; every one is looked up in the file


class EncryptedFile(NamedTuple):
    """A file with a public key.

    Attributes:
        name: its path, relative to the folder of the source.
        public_keys: usually one.
        decrypter: decrypts its values, and finds its private keys.
    """

    name: str
    public_keys: Sequence[Definition]
    decrypter: Decrypter


def encrypted_files(
    source: DotenvSource, references: Iterable[Reference]
) -> Iterator[EncryptedFile]:
    """Yield each encrypted file once. Files that cannot be read are left out.

    Args:
        source: the source.
        references: what is looked up in the files.
    """
    for path in dict.fromkeys(path for ref in references for path in source.files(ref)):
        name = os.path.relpath(path, source.root)
        try:
            public_keys = source.public_keys(Reference(source.name, name, _ANY))
        except EnvkitError:
            continue  # who reads a value gets the same error
        if public_keys:
            yield EncryptedFile(name, public_keys, source.decrypter(name))
