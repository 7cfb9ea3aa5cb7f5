"""Read profile files as text or TOML and check their keys.

Every error names the file and line. Of the content it shows only the names of keys.
"""

from __future__ import annotations

import os

from envkit._internal.paths import display_path
from envkit.errors import ProfileError
from envkit.profile.location import KeyLines, Location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MAX_BYTES = 16 * 1024 * 1024
MAX_INTEGER = 2**63  # TOML integers have 64 bits; Python cannot print all larger ones

_WANTED: dict[type, tuple[str, str]] = {
    str: ("a string", "put it in quotes"),
    bool: ("true or false", "write {} = true or {} = false, without quotes"),
    int: ("a whole number", "write {} = 1, without quotes"),
    float: ("a number", "write {} = 1, without quotes"),
    list: ("a list", 'write: {} = ["..."]'),
    dict: ("a table", "write: {} = { ... }"),
}


def read_text(path: str) -> str:
    """Return the text of a profile file.

    Args:
        path: absolute; the file is in `profiles/`, which is in the project's folder.

    Raises:
        ProfileError: the file cannot be read, is too large, or is not UTF-8.
        UntrustedError: it is a link to outside the project, and the user has not allowed that.
    """
    from envkit._internal.files import read_in_project

    project = os.path.dirname(os.path.dirname(path))
    try:
        # "utf-8-sig" would import another module
        data, _ = read_in_project(path, project, MAX_BYTES)
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ProfileError(
            f"{display_path(path)}:{line}: not UTF-8", hint="save the file as UTF-8"
        ) from None
    except OSError as error:
        from envkit._internal.os_errors import reason_of

        reason = reason_of(error, "unreadable")
        raise ProfileError(f"cannot read {display_path(path)}: {reason}") from None


def read_toml(path: str) -> tuple[dict[str, Any], Location]:
    """Return the content of a TOML file, and the location of its top level.

    Raises:
        ProfileError: the file cannot be read or is not TOML.
    """
    return parse_toml(read_text(path), path)


def parse_toml(text: str, path: str) -> tuple[dict[str, Any], Location]:
    """Return what `read_toml` returns, given the text of a file."""
    from envkit.profile.plain_toml import read

    plain = read(text)
    if plain is not None:
        return plain, Location(path, lines=KeyLines(text))
    import tomllib

    try:
        return tomllib.loads(text), Location(path, lines=KeyLines(text))
    except tomllib.TOMLDecodeError as error:
        from envkit.profile.toml_mistakes import hint_for

        # "Invalid value (at line 3, column 5)": quotes at most keys and single characters
        reason, _, position = str(error).rpartition(" (at ")
        numbers = position.removesuffix(")").removeprefix("line ").replace(", column ", ":")
        hint = None
        if numbers == "end of document":
            numbers = str(text.rstrip("\n").count("\n") + 1)
        else:
            line, column = map(int, numbers.split(":"))
            hint = hint_for(text, line, column, reason)
        where = f"{display_path(path)}:{numbers}"
        raise ProfileError(f"{where}: not valid TOML: {_lower(reason)}", hint=hint) from None
    except (ValueError, RecursionError):  # cases that tomllib does not handle
        raise ProfileError(
            f"{display_path(path)}: not valid TOML: a number is too long, or lists are "
            "nested too deeply"
        ) from None


def check_keys(
    table: Mapping[str, Any],
    known: Mapping[str, type | tuple[type, ...]],
    place_of: Callable[[str], object],
    owner: str = "",
) -> None:
    """Refuse a key that is unknown or whose value has the wrong type.

    Args:
        table: a table from TOML.
        known: the allowed keys, each with its type or types.
        place_of: returns where a key is written.
        owner: what the table describes, for messages: `PORT`, `[sources.vault]`.

    Raises:
        ProfileError: a key is not valid; a hint names the closest valid spelling.
    """
    prefix = f"{owner}: " if owner else ""
    for key, value in table.items():
        if key not in known:
            from envkit._internal.suggestions import did_you_mean

            raise ProfileError(
                f"{place_of(key)}: {prefix}unknown key {key!r}", hint=did_you_mean(key, known)
            )
        wanted = known[key]
        types = wanted if isinstance(wanted, tuple) else (wanted,)
        if not _fits(value, types):
            raise ProfileError(
                f"{place_of(key)}: {prefix}'{key}' must be {_either(types)}",
                hint=_WANTED[types[0]][1].replace("{}", key),
            )


def _fits(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) and not (isinstance(value, int) and abs(value) >= MAX_INTEGER)


def _either(types: tuple[type, ...]) -> str:
    """Return `a string, a whole number or true or false`."""
    *first, last = (_WANTED[kind][0] for kind in types if kind is not int or float not in types)
    return f"{', '.join(first)} or {last}" if first else last


def names(value: Any, place: Location, what: str) -> tuple[str, ...]:
    """Return a name or a list of names as a tuple.

    Raises:
        ProfileError: the value is neither.
    """
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ProfileError(
            f"{place}: '{what}' must be a list of names", hint=f'write: {what} = ["..."]'
        )
    return tuple(found)


def _lower(reason: str) -> str:
    """Return a reason from another library in the style of envkit's messages."""
    return reason[:1].lower() + reason[1:]
