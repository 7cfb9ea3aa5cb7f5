r"""Parse the variables of a `.env` file. Pure: no file is opened here.

- A value is what the file says: no command is run and `$NAME` has no meaning;
  `${NAME}` is replaced only where the caller asks for it (see `expansion`).
- Of several definitions of a name the last one counts.
- Ciphertext (`encrypted:...`) is never returned as a value, and the
  `DOTENV_PUBLIC_KEY*` that belongs to it is not a variable.

    >>> file = parse("A=1\nB='two words'  # note\n", path=".env", expand=False)
    >>> [(name, entry.value, entry.line) for name, entry in file.entries.items()]
    [('A', '1', 1), ('B', 'two words', 2)]
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit.dotenv.parser import ENCRYPTED, Definition, plain_value, split
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT_BYTES = 1024 * 1024  # of a file that is worth reading

_PUBLIC_KEY = "DOTENV_PUBLIC_KEY"


class Entry(NamedTuple):
    """One variable of a file.

    Attributes:
        text: its value, where there is one.
        line: where its definition begins, from 1.
        error: why there is no value; None where there is one.
    """

    text: str
    line: int
    error: DotenvError | None = None

    @property
    def value(self) -> str:
        """The value.

        Raises:
            DotenvError: it is encrypted, or what it refers to has no value.
        """
        if self.error is not None:
            raise self.error
        return self.text

    def __repr__(self) -> str:
        return f"Entry(line={self.line})"


class DotenvFile(NamedTuple):
    """The variables of a file, and what its author should look at again."""

    entries: dict[str, Entry]
    warnings: tuple[str, ...]


def parse(
    text: str, *, path: str, expand: bool, environ: Mapping[str, str] | None = None
) -> DotenvFile:
    """Read a `.env` file.

    Args:
        text: the file's content.
        path: how messages call the file.
        expand: whether `${NAME}` is replaced; if not, `$` has no meaning.
        environ: where a `${NAME}` is looked up that the file does not set.

    Returns:
        the variables. One that is encrypted or cannot be expanded is an `Entry` whose
        `value` raises, so that the others can be used.

    Raises:
        DotenvError: a line is not `NAME=value`.
    """
    # as whoever reads a text file does; a carriage return in a value is written "\r"
    text = text.replace("\r\n", "\n")
    plain = None if expand and "${" in text else plain_entries(text)
    if plain is not None:
        return DotenvFile(plain, ())
    definitions: dict[str, list[Definition]] = {}
    for piece in split(text, path=path):
        if isinstance(piece, Definition) and not piece.name.startswith(_PUBLIC_KEY):
            definitions.setdefault(piece.name, []).append(piece)
    expander = None
    if expand and "${" in text:
        from envkit.dotenv.expansion import Expander

        expander = Expander(definitions, environ or {})
    entries = {}
    for name, found in definitions.items():
        last = found[-1]
        try:
            value = expander.value(name) if expander else last.clear_value()
            entries[name] = Entry(value, last.line)
        except DotenvError as error:
            entries[name] = Entry("", last.line, error)
    return DotenvFile(entries, tuple(_warnings(definitions, expand=expand)))


def plain_entries(text: str) -> dict[str, Entry] | None:
    """Return the entries of a text that is easy to read, and in which nothing is wrong.

    Each line of it is blank, a comment or a plain definition (see `plain_pieces`), and each
    name is defined once. Of any other text None is returned, quickly: it is for `parse`.
    """
    if any(sign in text for sign in ("\0", "\r", ENCRYPTED, _PUBLIC_KEY)):
        return None
    entries: dict[str, Entry] = {}
    make = Entry._make
    is_right = str.isidentifier if text.isascii() else is_name  # ASCII has no other letters
    definitions = 0
    for number, line in enumerate(text.split("\n"), start=1):
        name, equals, value = line.partition("=")
        name = name.removeprefix("export ")
        if not equals or not is_right(name):
            if line.lstrip()[:1] not in ("", "#"):
                return None
            continue
        value = value.strip()
        if "#" in value or value[:1] in ("'", '"', "`"):
            quoted = plain_value(value)
            if quoted is None or value[0] == "`":
                return None
            value = quoted[0]
        entries[name] = make((value, number, None))
        definitions += 1
    return entries if len(entries) == definitions else None


def _warnings(definitions: Mapping[str, list[Definition]], *, expand: bool) -> Iterator[str]:
    for name, found in definitions.items():
        if len(found) > 1:
            yield f"{name} is set {'twice' if len(found) == 2 else f'{len(found)} times'}"
        last = found[-1]
        if not last.quote and last.value.startswith("`"):
            yield f"{name}: backticks are part of the value"
        if expand and last.quote != "'" and "${" in last.value:
            from envkit.dotenv.expansion import not_expanded

            for use in not_expanded(last.value):
                yield f"{name}: {use} is not expanded"
