"""Read a `.env` file, also as Vercel, Heroku and Infisical download it. Pure.

`${NAME}` is replaced from the file itself, never from the process environment: a value must not
depend on the machine that imports it. A variable that needs another name is left out.
"""

from __future__ import annotations

import re

from envkit.dotenv.file import parse
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.platforms import VERCEL_MARK, set_by_vercel
from envkit.importing.readers.text import Collected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.importing.contents import FileContents

_HEROKU_TABLE = re.compile(r"^=== \S+ Config Vars", re.MULTILINE)


def read_dotenv(text: str, *, path: str) -> FileContents:
    """Return the variables of a `.env` file.

    Args:
        text: its text.
        path: the file, for messages.

    Raises:
        ImportFileError: a line cannot be read.
    """
    if _HEROKU_TABLE.match(text):
        raise ImportFileError(
            f"{path} is a table for people",
            hint="download the variables with 'heroku config --json'",
        )
    file = parse(text, path=path, expand=True)
    for problem in file.problems:
        raise ImportFileError(problem.message, hint=problem.hint)
    found = Collected(path, ".env")
    for name, entry in (*file.entries.items(), *file.unlisted.items()):
        where = f"{path}:{entry.line}"
        if entry.error is not None:
            found.leave(name, where, entry.error.message)
        else:
            found.add(name, entry.text, where)
    found.notes += [f"{path}: {warning}" for warning in file.warnings]
    if text.startswith(VERCEL_MARK):
        found.take_out(set_by_vercel(found.names), "is set by Vercel")
    return found.contents()
