"""Decode a file, and check names and values. Pure."""

from __future__ import annotations

from envkit._internal.names import is_name, reserved_for
from envkit.detection.value_parts import is_given_name
from envkit.importing.contents import Entry, FileContents, LeftOut
from envkit.importing.errors import ImportFileError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_VALUE = "has no value"


def decode(data: bytes, *, path: str) -> str:
    """Return the text of a file without a byte order mark.

    Raises:
        ImportFileError: the file is not UTF-8 text.
    """
    if data.startswith(_UTF_16):
        raise ImportFileError(f"{path} is not UTF-8 but UTF-16", hint="save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ImportFileError(
            f"{path}:{line}: not UTF-8 text", hint="save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ImportFileError(f"{path}:{line}: contains a NUL character", hint="remove it")
    return text


def shown_key(key: str) -> str:
    """Return a key of a document for messages; a key that may itself be a secret is not shown."""
    return key if key.isprintable() and is_given_name(key) else "..."


class Collected:
    """The variables of one file, as a reader finds them.

    Args:
        path: the file.
        format_: what it is read as, for people.
    """

    def __init__(self, path: str, format_: str) -> None:
        self._path = path
        self._format = format_
        self._entries: dict[str, Entry] = {}
        self._left_out: list[LeftOut] = []
        self.notes: list[str] = []

    def add(self, name: str, value: str | None, where: str) -> None:
        """Add a variable; None is a variable without a value.

        Raises:
            ImportFileError: the value is not text, or the file sets the variable twice.
        """
        if not is_name(name):
            self.leave(name, where, "is not the name of an environment variable")
            return
        if reserved := reserved_for(name):
            self.leave(name, where, reserved)
            return
        if value is None:
            self.leave(name, where, _NO_VALUE, needed=False)
            return
        if "\0" in value:
            raise ImportFileError(
                f"{where}: {name} contains a NUL character, which no environment variable can "
                "contain"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ImportFileError(
                f"{where}: {name} is not UTF-8 text", hint="encode it as base64"
            ) from None
        known = self._entries.get(name)
        if known is not None:
            raise ImportFileError(
                f"{where}: {name} is set twice, also in {known.where}", hint="remove one of them"
            )
        self._entries[name] = Entry(name, Secret(value), where)

    def leave(self, name: str, where: str, reason: str, *, needed: bool = True) -> None:
        """Leave something out."""
        shown = name if is_name(name) else shown_key(name)
        self._left_out.append(LeftOut(shown, where, reason, needed))

    def take_out(self, names: Iterable[str], reason: str, *, needed: bool = False) -> None:
        """Leave out variables that were added."""
        for name in list(names):
            entry = self._entries.pop(name, None)
            if entry is not None:
                self.leave(name, entry.where, reason, needed=needed)

    @property
    def names(self) -> list[str]:
        """The names of the variables that were added."""
        return list(self._entries)

    @property
    def empty(self) -> list[str]:
        """The names of the variables that were added and are empty."""
        return [name for name, entry in self._entries.items() if not entry.value.reveal()]

    def contents(self) -> FileContents:
        """Return what was found."""
        return FileContents(
            self._path,
            self._format,
            tuple(self._entries.values()),
            tuple(self._left_out),
            tuple(self.notes),
        )
