"""Read a `.env` file, also of dotenvx, Vercel, Heroku and Infisical. Pure.

`${NAME}` is replaced from the file itself, never from the process environment: a value must not
depend on the machine that imports it. A variable that needs another name is left out.
"""

from __future__ import annotations

import re

from envkit.dotenv.file import parse
from envkit.encryption.errors import UnreadableValueError
from envkit.errors import DotenvError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.platforms import VERCEL_MARK, set_by_vercel
from envkit.importing.readers.text import Collected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.dotenv.file import Decrypt
    from envkit.importing.contents import FileContents

_HEROKU_TABLE = re.compile(r"^=== \S+ Config Vars", re.MULTILINE)


def read_dotenv(text: str, *, path: str, decrypt: Decrypt | None = None) -> FileContents:
    """Return the variables of a `.env` file.

    Args:
        text: its text.
        path: the file, for messages.
        decrypt: decrypts a value of the file; None to refuse encrypted values.

    Raises:
        ImportFileError: a line cannot be read.
        UnreadableValueError: a value cannot be decrypted.
    """
    if _HEROKU_TABLE.match(text):
        raise ImportFileError(
            f"{path} is a table for people",
            hint="download the variables with 'heroku config --json'",
        )
    file = parse(text, path=path, expand=True, decrypt=decrypt)
    for problem in file.problems:
        raise ImportFileError(problem.message, hint=problem.hint)
    found = Collected(path, ".env")
    for name, entry in (*file.entries.items(), *file.unlisted.items()):
        where = f"{path}:{entry.line}"
        try:
            found.add(name, entry.value, where)
        except UnreadableValueError:
            raise
        except DotenvError as error:
            found.leave(name, where, error.message)
    found.notes += [f"{path}: {warning}" for warning in file.warnings]
    if text.startswith(VERCEL_MARK):
        found.take_out(set_by_vercel(found.names), "is set by Vercel")
        empty = "is empty: Vercel does not show sensitive variables"
        found.take_out(found.empty, empty, needed=True)
    return found.contents()
