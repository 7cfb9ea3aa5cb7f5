"""Find the private keys of the encrypted files from which values are read.

Who has such a key can read every value, so it is searched for like a value, under any name.
"""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.errors import EnvkitError
from envkit.profile.placeholder import Reference
from envkit.sources.dotenv import DotenvSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.resolution.prepare import PreparedProfile
    from envkit.secret import Secret

_ANY = "ANY"  # a variable; every one is looked up in the file


def private_keys_of(prepared: Iterable[PreparedProfile]) -> dict[str, list[Secret]]:
    """Return the private keys that are at hand, by the names of their files for people.

    A file or key that cannot be read is left out: the values of the file have the same failure.
    """
    files = {
        path: source
        for one in prepared
        for name, references in one.plan.references.items()
        for source in [one.sources[name]]
        if isinstance(source, DotenvSource)
        for reference in references
        for path in source.files(reference)
    }
    found: dict[str, list[Secret]] = {}
    for path, source in files.items():
        try:
            public_keys = source.public_keys(Reference(source.name, path, _ANY))
            if public_keys:
                lookup = source.decrypter(path).lookup(public_keys)
                found[display_path(path)] = [key.text for key in lookup.keys]
        except EnvkitError:
            continue
    return found
