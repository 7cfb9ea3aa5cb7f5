"""Read a `.env` file as a whole: its public key, and which values are encrypted. Changes nothing.

A file with a line that cannot be read is refused: the line may be a secret.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.files import read_real
from envkit.dotenv.file import LIMIT_BYTES, parse
from envkit.dotenv.parser import decode
from envkit.encryption.env_file import file_key, public_keys, variables
from envkit.sources.dotenv_files.errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.dotenv.parser import Definition
    from envkit.encryption.env_file import FileKey
    from envkit.env_files.locate import EnvFile


class Contents(NamedTuple):
    """What a `.env` file contains.

    Attributes:
        text: the text of the file.
        key: the public key; None if the file has none.
        encrypted: the names of the encrypted values, in the order of the file.
        plain: the names of values that are not encrypted and should be.
        public_keys: the definitions of the public key.
    """

    text: str
    key: FileKey | None
    encrypted: tuple[str, ...]
    plain: tuple[str, ...]
    public_keys: tuple[Definition, ...] = ()

    def __repr__(self) -> str:
        return f"Contents({self.key})"


def read_text(file: EnvFile) -> str | None:
    """Return the text of a file; None if it does not exist.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        data, _ = read_real(file.path, LIMIT_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("read", file.name, error) from None
    return decode(data, path=file.name)


def read(file: EnvFile) -> Contents | None:
    """Return the contents of a file; None if it does not exist.

    Raises:
        DotenvError: a line cannot be read, or the public key is not valid.
        SourceError: the file cannot be read.
    """
    text = read_text(file)
    return None if text is None else contents(text, path=file.name)


def contents(text: str, *, path: str) -> Contents:
    """Return the contents of a text.

    Args:
        text: the text of the file.
        path: the path of the file for messages.

    Raises:
        DotenvError: a line cannot be read, or the public key is not valid.
    """
    for problem in parse(text, path=path, expand=False).problems:
        raise problem
    found = variables(text, path=path)
    keys = public_keys(text, path=path)
    return Contents(
        text,
        file_key(keys),
        tuple(dict.fromkeys(one.name for one in found if one.encrypted)),
        tuple(dict.fromkeys(one.name for one in found if one.exposed)),
        tuple(keys),
    )
