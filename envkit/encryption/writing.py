"""Set variables in the text of an encrypted `.env` file. Reads only private keys."""

from __future__ import annotations

from envkit.dotenv.editor import set_value
from envkit.dotenv.parser import PUBLIC_KEY, stays_plain
from envkit.encryption.env_file import definitions, file_key, public_keys, set_encrypted
from envkit.encryption.errors import KeyInvalidError, UnreadableValueError
from envkit.encryption.values import is_encrypted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.dotenv.parser import Definition
    from envkit.encryption.env_file import FileKey
    from envkit.encryption.reading import Decrypter
    from envkit.secret import Secret


class Encrypter:
    """Encrypts what is written to one file.

    Args:
        decrypter: of the same file.

    Attributes:
        warnings: for the writer: no private key is at hand.
    """

    def __init__(self, decrypter: Decrypter) -> None:
        self._decrypter = decrypter
        self._path = decrypter.file
        self.warnings: list[str] = []

    def set(self, text: str, name: str, value: Secret) -> str:
        """Return the text of the file with one variable set.

        A variable that has the value already keeps its line.

        Raises:
            KeyInvalidError: see `key`.
            DotenvError: an unreadable line may set the variable.
            InvalidValueError: a `.env` file cannot contain the value or the name.
        """
        key = None if stays_plain(name) else self.key(text)
        if key is None:
            return set_value(text, name, value.reveal(), path=self._path)
        if self._has(text, name, value):
            return text
        return set_encrypted(text, name, value.reveal(), key.key, path=self._path)

    def key(self, text: str) -> FileKey | None:
        """Return the key to which the values of a file are encrypted; None if they are plain.

        Raises:
            KeyInvalidError: the file's public key is not that of the private key at hand, or is
                missing although values are encrypted.
        """
        keys = public_keys(text, path=self._path)
        key = file_key(keys)
        if key is None:
            if any(is_encrypted(one.value) for one in definitions(text, path=self._path)):
                raise no_public_key(self._path)
            return None
        warning = check_pair(self._decrypter, key, keys)
        if warning is not None and warning not in self.warnings:
            self.warnings.append(warning)
        return key

    def _has(self, text: str, name: str, value: Secret) -> bool:
        """Return whether a variable is known to have a value, encrypted."""
        found = [one for one in definitions(text, path=self._path) if one.name == name]
        if not found or not is_encrypted(found[-1].value):
            return False
        try:
            now = self._decrypter.value(found[-1], public_keys(text, path=self._path))
        except UnreadableValueError:
            return False
        return now == value.reveal()


def no_public_key(file: str) -> KeyInvalidError:
    """Return the error for a file with encrypted values whose public key is gone."""
    return KeyInvalidError(
        f"{file} has encrypted values and no public key; nothing was written",
        hint=f"find out who removed the line {PUBLIC_KEY}: run 'git log -p' on the file, then "
        "restore it",
    )


def check_pair(decrypter: Decrypter, key: FileKey, public_keys: Sequence[Definition]) -> str | None:
    """Refuse to encrypt to a public key that is not that of the private key at hand.

    Another person may have replaced the public key in the file, to read what you write.

    Returns:
        a warning if no private key is at hand; None otherwise.

    Raises:
        KeyInvalidError: none of the private keys belongs to the public key.
        SourceError: the private keys cannot be read.
    """
    lookup = decrypter.lookup(public_keys)
    if not lookup.found:
        return (
            f"no private key for {decrypter.file} was found, so you cannot read what you write: "
            f"looked in {lookup.looked_in()}"
        )
    if any(one.key.public_key() == key.key for one in lookup.found):
        return None
    places = " and ".join(dict.fromkeys(one.place for one in lookup.found))
    raise KeyInvalidError(
        f"{key.place}: {key.name} does not belong to the private key in {places}; nothing was "
        "written",
        hint="find out who changed the line: run 'git log -p' on the file, then restore the line "
        "or get the new private key",
    )
