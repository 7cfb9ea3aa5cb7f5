"""Find the private keys of the encrypted files from which values are read.

A person who has such a key can read every value, so a scan searches for keys like for values:
under any name, and in every form.
"""

from __future__ import annotations

from envkit.errors import EnvkitError
from envkit.sources.dotenv import DotenvSource
from envkit.sources.dotenv_files.encrypted import encrypted_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.resolution.prepare import PreparedProfile
    from envkit.secret import Secret


def private_keys_of(prepared: Iterable[PreparedProfile]) -> dict[str, list[Secret]]:
    """Return the private keys that are at hand, by the names of their files.

    Keys that cannot be read are left out: the values of the file have the same failure.
    """
    found: dict[str, list[Secret]] = {}
    for one in prepared:
        for name, references in one.plan.references.items():
            source = one.sources[name]
            if not isinstance(source, DotenvSource):
                continue
            for file, public_keys, decrypter in encrypted_files(source, references):
                try:
                    keys = decrypter.lookup(public_keys).keys
                except EnvkitError:
                    continue
                found[file] = [key.text for key in keys]
    return found
