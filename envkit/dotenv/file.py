r"""Parse the variables of a `.env` file. Pure: opens no file.

- Values are data: no command is run and `$NAME` is literal text.
  `${NAME}` is replaced only if the caller asks for it (see `expansion`).
- If a name has several definitions, the last one wins.
- An unreadable line affects only the variables that it may set. Each of them is an `Entry` whose
  `value` raises. If the file may set a name but that is unclear, looking it up is an
  error. A name that is not valid in a shell can be looked up but is not listed.
- Ciphertext (`encrypted:...`) is never returned as a value. If the caller can decrypt, a value
  is decrypted when it is needed, and never expanded. `DOTENV_PUBLIC_KEY*` is not a variable.
- While a merge conflict is not resolved, no variable can be read.

    >>> file = parse("A=1\nB='two words'  # note\n", path=".env", expand=False)
    >>> [(name, entry.value, entry.line) for name, entry in file.entries.items()]
    [('A', '1', 1), ('B', 'two words', 2)]
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit.dotenv.parser import (
    ENCRYPTED,
    PUBLIC_KEY,
    Definition,
    OddLine,
    is_utf8,
    plain_value,
    split,
    stays_plain,
)
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from envkit.dotenv.expansion import Expander

    # decrypts a definition, given the public keys of its file
    Decrypt: TypeAlias = Callable[[Definition, Sequence[Definition]], str]

LIMIT_BYTES = 1024 * 1024  # larger files are refused
LOCAL = ".local"  # ends the name of a file that overrides another one on a single machine


class Entry(NamedTuple):
    """One variable of a file.

    Attributes:
        text: the value; empty if there is an error.
        line: the first line of the definition, 1-based.
        error: why there is no value; None if there is one.
        later: computes the value when it is needed, because it must be decrypted; else None.
    """

    text: str
    line: int
    error: DotenvError | None = None
    later: Callable[[], str] | None = None

    @property
    def value(self) -> str:
        """The value of the variable.

        Raises:
            DotenvError: the value is encrypted and cannot be decrypted here, its line cannot be
                read, or it refers to a name without a value.
            SourceError: there is no private key for it.
        """
        if self.error is not None:
            raise self.error
        return self.text if self.later is None else self.later()

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
    public_keys: tuple[Definition, ...] = ()
    sealed: bool = False  # whether every value is encrypted, or plain because of its name

    def get(self, name: str) -> Entry | None:
        """Return a variable by any name; None if the file does not set it.

        Raises:
            DotenvError: it is unclear whether the file sets the variable.
        """
        entry = self.entries.get(name) or self.unlisted.get(name)
        if entry is None and self.unclear is not None:
            raise self.unclear
        return entry


def main_file(names: Sequence[str]) -> int:
    """Return the index of the file that gets new variables: the last one that is not `.local`.

    Args:
        names: the files of an environment, of which a later one wins; at least one.
    """
    team = [index for index, name in enumerate(names) if not name.endswith(LOCAL)]
    return team[-1] if team else len(names) - 1


def parse(
    text: str,
    *,
    path: str,
    expand: bool,
    environ: Mapping[str, str] | None = None,
    earlier: Sequence[DotenvFile] = (),
    decrypt: Decrypt | None = None,
) -> DotenvFile:
    """Parse the text of a `.env` file.

    Args:
        text: the file's content.
        path: the file's path for messages.
        expand: whether `${NAME}` is replaced; if False, `$` is literal.
        environ: where to look up a `${NAME}` that no file sets.
        earlier: files that were read before this one, for a `${NAME}` that this file does not
            set; the last of them wins.
        decrypt: decrypts a value when it is needed; None to refuse encrypted values.

    Returns:
        the variables. If one is encrypted, cannot be read or cannot be expanded, its `value`
        raises, so the others remain usable.
    """
    # as other text readers do; a carriage return in a value is written "\r"
    text = text.replace("\r\n", "\n")
    plain = None if expand and "${" in text else plain_entries(text)
    if plain is not None:
        return DotenvFile(plain)
    definitions, public_keys, odd = _collected(text, path)
    listed = set(filter(is_name, definitions))
    problems: tuple[DotenvError, ...] = ()
    unclear = None
    if odd:
        from envkit.dotenv.settle import settle

        problems, unclear = settle(odd, definitions, listed)
    conflict = next((line.error for line in odd if line.conflict), None)
    if conflict is not None:
        problems = (conflict,)
        for found in definitions.values():
            found[-1] = found[-1]._replace(error=conflict)
    values = _Values(public_keys, decrypt)
    if expand and "${" in text:
        from envkit.dotenv.expansion import Expander

        outside = _Outside(environ or {}, earlier, unclear).value
        values.expander = Expander(definitions, outside, values.decrypted)
        values.any_later = ENCRYPTED in text or any(file.public_keys for file in earlier)
    entries: dict[str, Entry] = {}
    unlisted: dict[str, Entry] = {}
    for name, found in definitions.items():
        (entries if name in listed else unlisted)[name] = values.entry(name, found[-1])
    warnings = tuple(_warnings(definitions, expand=expand))
    sealed = bool(public_keys) and not odd and all(map(_is_sealed, definitions.values()))
    return DotenvFile(entries, warnings, unlisted, problems, unclear, public_keys, sealed)


def _collected(
    text: str, path: str
) -> tuple[dict[str, list[Definition]], tuple[Definition, ...], list[OddLine]]:
    """Return the definitions by name, the public keys, and the odd lines."""
    definitions: dict[str, list[Definition]] = {}
    public_keys: list[Definition] = []
    odd: list[OddLine] = []
    for piece in split(text, path=path):
        if isinstance(piece, OddLine):
            odd.append(piece)
            for definition in piece.spoilt(path):
                definitions.setdefault(definition.name, []).append(definition)
        elif isinstance(piece, Definition):
            if piece.name.startswith(PUBLIC_KEY):
                public_keys.append(piece)
            else:
                definitions.setdefault(piece.name, []).append(piece)
    return definitions, tuple(public_keys), odd


def _is_sealed(definitions: Sequence[Definition]) -> bool:
    return all(
        one.value.startswith(ENCRYPTED) or stays_plain(one.name) or not one.value
        for one in definitions
    )


class _Values:
    """Makes the entries of one file."""

    def __init__(self, public_keys: Sequence[Definition], decrypt: Decrypt | None) -> None:
        self.expander: Expander | None = None
        self.any_later = False  # whether an expansion may need a value that is encrypted
        self._public_keys = public_keys
        self._decrypt = decrypt

    def decrypted(self, definition: Definition) -> str:
        """Return the value of a definition, decrypted if necessary, not expanded.

        Raises:
            DotenvError: there is none.
            SourceError: there is no private key for it.
        """
        encrypted = definition.error is None and definition.value.startswith(ENCRYPTED)
        if self._decrypt is None or not encrypted:
            return definition.clear_value()
        return self._decrypt(definition, self._public_keys)

    def entry(self, name: str, last: Definition) -> Entry:
        """Return the entry of a name, given its last definition."""
        expander = self.expander
        encrypted = last.error is None and last.value.startswith(ENCRYPTED)
        if self._decrypt is not None and encrypted:
            return Entry("", last.line, None, lambda: self.decrypted(last))
        if expander is not None and self._decrypt is not None and self.any_later:
            return Entry("", last.line, last.error, lambda: expander.value(name))
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
    if any(sign in text for sign in ("\0", "\r", ENCRYPTED, PUBLIC_KEY)):
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
        entries[name] = make((value, number, None, None))
        definitions += 1
    return entries if len(entries) == definitions else None
