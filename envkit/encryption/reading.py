"""Decrypt the values of one `.env` file, each when it is needed and at most once.

The private keys are looked up when the first value is needed. A decrypted value is text: nothing
in it is expanded or run.
"""

from __future__ import annotations

from envkit.dotenv.parser import Definition
from envkit.encryption.errors import (
    CiphertextError,
    KeyInvalidError,
    PrivateKeyMissingError,
    PrivateKeyWrongError,
)
from envkit.encryption.key_lookup import find_private_keys, key_file_beside
from envkit.encryption.keys import names_for, parse_public_key, variable_names
from envkit.encryption.values import decrypt
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.encryption.key_lookup import Lookup
    from envkit.encryption.keys import PublicKey


class Decrypter:
    """Decrypts the values of one file.

    Args:
        file: the file's name for messages.
        path: the file's path; its private keys may be in `.env.keys` beside it.
        root: the project's folder.
        environ: the process environment, which may have private keys.
        version: the version of the file, for errors.

    Attributes:
        file: see above; so is `root`.
        key_file: the path of `.env.keys`.
    """

    def __init__(
        self,
        file: str,
        *,
        path: str,
        root: str,
        environ: Mapping[str, str],
        version: str | None = None,
    ) -> None:
        self.file = file
        self.root = root
        self.key_file = key_file_beside(path)
        self._path = path
        self._environ = environ
        self._version = version
        self._lookups: dict[tuple[Definition, ...], Lookup] = {}
        self._values: dict[str, Secret] = {}

    def value(self, definition: Definition, public_keys: Sequence[Definition]) -> str:
        """Return the value of a definition.

        Args:
            definition: a definition whose value is encrypted.
            public_keys: those of its file.

        Raises:
            UnreadableValueError: there is no private key for it, or it was altered.
            SourceError: the private keys cannot be read.
        """
        known = self._values.get(definition.value)
        if known is not None:
            return known.reveal()
        try:
            value = self._decrypted(definition, public_keys)
        except (CiphertextError, PrivateKeyMissingError, PrivateKeyWrongError) as error:
            error.written, error.version = definition.value, self._version
            raise
        self._values[definition.value] = Secret(value)
        return value

    def lookup(self, public_keys: Sequence[Definition]) -> Lookup:
        """Return the private keys for a file with these public keys.

        The name that follows from the file's name is always among those that are looked up.
        Otherwise a person who renames the public key could replace it unnoticed.

        Raises:
            SourceError: see `find_private_keys`.
        """
        wanted = tuple(public_keys)
        if wanted not in self._lookups:
            names = [names_for(one.name).private for one in wanted]
            self._lookups[wanted] = find_private_keys(
                [*names, variable_names(self._path).private],
                key_file=self.key_file,
                root=self.root,
                environ=self._environ,
                public_keys=_valid(wanted),
            )
        return self._lookups[wanted]

    def _decrypted(self, definition: Definition, public_keys: Sequence[Definition]) -> str:
        lookup = self.lookup(public_keys)
        try:
            value = decrypt(definition.value, lookup.keys)
        except CiphertextError as error:
            raise _altered(definition, error.message) from None
        if value is not None:
            return value
        if not lookup.found:
            raise missing(self.file, lookup)
        publics = _valid(public_keys)
        if any(one.key.public_key() in publics for one in lookup.found):
            raise _altered(
                definition, "cannot be decrypted: it was altered, or encrypted to another key"
            )
        raise wrong(self.file, lookup)


def written_in(place: str, text: str) -> Definition:
    """Return an encrypted text that is not in a `.env` file as a definition, for `Decrypter`."""
    return Definition("a value", text, "'", 1, place, "")


def missing(file: str, lookup: Lookup) -> PrivateKeyMissingError:
    """Return the error for a file whose private key is nowhere."""
    return PrivateKeyMissingError(
        f"there is no private key for {file}: looked in {lookup.looked_in()}",
        hint="get the key from a colleague; then add it to .env.keys, or set "
        f"{lookup.places[0].removeprefix('$')}",
    )


def wrong(file: str, lookup: Lookup) -> PrivateKeyWrongError:
    """Return the error for a file whose private key is another one than those at hand."""
    places = " and ".join(dict.fromkeys(one.place for one in lookup.found))
    return PrivateKeyWrongError(
        f"the private key in {places} is not that of {file}: looked in {lookup.looked_in()}",
        hint="get the current key from a colleague: a key changes when it is rotated",
    )


def _valid(public_keys: Sequence[Definition]) -> list[PublicKey]:
    found = []
    for one in public_keys:
        try:
            found.append(parse_public_key(one.value, where=one.name))
        except KeyInvalidError:
            continue
    return found


def _altered(definition: Definition, why: str) -> CiphertextError:
    return CiphertextError(
        f"{definition.place}: {definition.name} {why}",
        hint=f"restore the line from git, or set {definition.name} again",
    )
