r"""Parse the variables of a `.env` file. Pure: opens no file.

- Values are data: no command is run and `$NAME` is literal text.
  `${NAME}` is replaced only if the caller asks for it (see `expansion`).
- If a name has several definitions, the last one wins.
- An unreadable line affects only the variables that it may set. Each of them is an `Entry` whose
  `value` raises. If the file may set a name but that is unclear, looking it up is an
  error. A name that is not valid in a shell can be looked up but is not listed.
- Ciphertext (`encrypted:...`) is never returned as a value, and the `DOTENV_PUBLIC_KEY*` that
  goes with it is not a variable.

    >>> file = parse("A=1\nB='two words'  # note\n", path=".env", expand=False)
    >>> [(name, entry.value, entry.line) for name, entry in file.entries.items()]
    [('A', '1', 1), ('B', 'two words', 2)]
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit.dotenv.parser import ENCRYPTED, Definition, OddLine, is_utf8, plain_value, split
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.dotenv.expansion import Expander

LIMIT_BYTES = 1024 * 1024  # larger files are refused

_PUBLIC_KEY = "DOTENV_PUBLIC_KEY"


class Entry(NamedTuple):
    """One variable of a file.

    Attributes:
        text: the value; empty if there is an error.
        line: the first line of the definition, 1-based.
        error: why there is no value; None if there is one.
    """

    text: str
    line: int
    error: DotenvError | None = None

    @property
    def value(self) -> str:
        """The value of the variable.

        Raises:
            DotenvError: the value is encrypted, its line cannot be read, or it refers to a name
                without a value.
        """
        if self.error is not None:
            raise self.error
        return self.text

    def __repr__(self) -> str:
        return f"Entry(line={self.line})"


class DotenvFile(NamedTuple):
    """The variables of a file, and warnings for the author of the file."""

    entries: dict[str, Entry]
    warnings: tuple[str, ...] = ()
    # can be looked up but not listed: names that are not valid in a shell, and names from
    # unreadable lines, which may be part of a secret
    unlisted: dict[str, Entry] = {}  # noqa: RUF012 - a field, never changed
    problems: tuple[DotenvError, ...] = ()  # of unreadable lines, in file order
    unclear: DotenvError | None = None  # why a name that was not found may still be set

    def get(self, name: str) -> Entry | None:
        """Return a variable by any name; None if the file does not set it.

        Raises:
            DotenvError: it is unclear whether the file sets the variable.
        """
        entry = self.entries.get(name) or self.unlisted.get(name)
        if entry is None and self.unclear is not None:
            raise self.unclear
        return entry


def parse(
    text: str,
    *,
    path: str,
    expand: bool,
    environ: Mapping[str, str] | None = None,
    earlier: Sequence[DotenvFile] = (),
) -> DotenvFile:
    """Parse the text of a `.env` file.

    Args:
        text: the file's content.
        path: the file's path for messages.
        expand: whether `${NAME}` is replaced; if False, `$` is literal.
        environ: where to look up a `${NAME}` that no file sets.
        earlier: files that were read before this one, for a `${NAME}` that this file does not
            set; the last of them wins.

    Returns:
        the variables. If one is encrypted, cannot be read or cannot be expanded, its `value`
        raises, so the others remain usable.
    """
    # as other text readers do; a carriage return in a value is written "\r"
    text = text.replace("\r\n", "\n")
    plain = None if expand and "${" in text else plain_entries(text)
    if plain is not None:
        return DotenvFile(plain)
    definitions: dict[str, list[Definition]] = {}
    odd: list[OddLine] = []
    for piece in split(text, path=path):
        if isinstance(piece, OddLine):
            odd.append(piece)
            for definition in piece.spoilt(path):
                definitions.setdefault(definition.name, []).append(definition)
        elif isinstance(piece, Definition) and not piece.name.startswith(_PUBLIC_KEY):
            definitions.setdefault(piece.name, []).append(piece)
    listed = set(filter(is_name, definitions))
    problems: tuple[DotenvError, ...] = ()
    unclear = None
    if odd:
        from envkit.dotenv.settle import settle

        problems, unclear = settle(odd, definitions, listed)
    expander = None
    if expand and "${" in text:
        from envkit.dotenv.expansion import Expander

        expander = Expander(definitions, _Outside(environ or {}, earlier, unclear).value)
    entries: dict[str, Entry] = {}
    unlisted: dict[str, Entry] = {}
    for name, found in definitions.items():
        (entries if name in listed else unlisted)[name] = _entry(name, found[-1], expander)
    warnings = tuple(_warnings(definitions, expand=expand))
    return DotenvFile(entries, warnings, unlisted, problems, unclear)


def _entry(name: str, last: Definition, expander: Expander | None) -> Entry:
    try:
        return Entry(expander.value(name) if expander else last.clear_value(), last.line)
    except DotenvError as error:
        return Entry("", last.line, error)


class _Outside:
    """Looks up a `${NAME}` that a file does not set."""

    def __init__(
        self,
        environ: Mapping[str, str],
        earlier: Sequence[DotenvFile],
        unclear: DotenvError | None,
    ) -> None:
        self._environ = environ
        self._earlier = earlier
        self._unclear = unclear

    def value(self, name: str) -> str | None:
        """Return the value from an earlier file or the environment; None if it is not set.

        Raises:
            DotenvError: an earlier file sets it without a readable value, or may set it.
        """
        if self._unclear is not None:
            raise self._unclear
        for file in reversed(self._earlier):
            entry = file.get(name)
            if entry is not None:
                return entry.value
        return self._environ.get(name)


def _warnings(definitions: Mapping[str, list[Definition]], *, expand: bool) -> Iterator[str]:
    for name, found in definitions.items():
        if len(found) > 1 and is_name(name):
            yield f"{name} is set {'twice' if len(found) == 2 else f'{len(found)} times'}"
        last = found[-1]
        if expand and last.quote != "'" and "${" in last.value:
            from envkit.dotenv.expansion import not_expanded

            for use in not_expanded(last.value):
                yield f"{name}: {use} is not expanded"


def plain_entries(text: str) -> dict[str, Entry] | None:
    """Return the entries of a text in which every line is plain and valid; None for other texts.

    Each line must be blank, a comment or a plain definition (see `plain_pieces`), and each name
    must be defined once. The check is fast; `parse` handles all other texts.
    """
    if any(sign in text for sign in ("\0", "\r", ENCRYPTED, _PUBLIC_KEY)):
        return None
    if not is_utf8(text):
        return None
    entries: dict[str, Entry] = {}
    make = Entry._make
    is_right = str.isidentifier if text.isascii() else is_name  # every ASCII letter is valid
    definitions = 0
    for number, line in enumerate(text.split("\n"), start=1):
        name, equals, value = line.partition("=")
        name = name.removeprefix("export ")
        if not equals or not is_right(name):
            if line.lstrip()[:1] not in ("", "#"):
                return None
            continue
        value = value.strip()
        if "#" in value or value[:1] in ("'", '"', "`", "-"):
            quoted = plain_value(value)
            if quoted is None:
                return None
            value = quoted[0]
        entries[name] = make((value, number, None))
        definitions += 1
    return entries if len(entries) == definitions else None
