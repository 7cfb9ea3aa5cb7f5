"""Set, add or remove lines in the text of a profile, and change nothing else. Pure.

A literal is a value without placeholders. In a TOML profile, comments, order and layout are
preserved (tomlkit), and a number or truth value stays one if the new value is one. `{{` in a new
value is escaped.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from envkit._internal.paths import display_path
from envkit.dotenv.editor import remove_value, repeated_note, set_value
from envkit.errors import InvalidValueError, ProfileError
from envkit.profile.declaration import read_table
from envkit.profile.loader import parse_profile_text
from envkit.profile.placeholder import Template, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLES = "variables"
_MARK = "\ufeff"  # a byte order mark


def literal(text: str, name: str, *, path: str) -> str | None:
    """Return the literal that a profile's file assigns to a variable.

    Args:
        text: the text of a valid profile, in the format that `path` indicates.
        name: the variable.
        path: the path of the file.

    Returns:
        the value; None if the file assigns none, or one with placeholders.
    """
    document, top = parse_profile_text(text.removeprefix(_MARK), path, [])
    variables = document.get(VARIABLES, {})
    if name not in variables:
        return None
    value = read_table(name, variables[name], top.at(VARIABLES, name)).get("value")
    if value is None:
        return None
    template = parse(value)
    return None if template.placeholders else "".join(map(str, template.parts))


def set_literal(text: str, name: str, value: str, *, path: str) -> str:
    """Return the text of a profile's file with a new literal for one of its variables.

    Args:
        text: the text of a valid profile, in the format that `path` indicates.
        name: a variable to which this file assigns a value.
        value: the new value.
        path: the path of the file; also used in messages.

    Raises:
        InvalidValueError: a profile cannot represent the value.
        ProfileError: the file cannot be changed without other effects.
    """
    written = str(Template((value,))) if value else ""
    if not path.endswith(".toml"):
        return set_value(text, name, written, path=path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"{name} is not UTF-8 text, but a profile can only store text",
            hint="encode it as base64",
        ) from None

    def change(document: Any) -> None:
        variables, key = document[VARIABLES], name
        if isinstance(variables[key], dict):
            variables, key = variables[key], "value"
        variables[key] = _as(variables[key], written)

    return change_toml(text, change, path)


def repeated(text: str, name: str, *, path: str, removed: bool) -> str | None:
    """Return a warning for the user if several lines set the variable.

    Args:
        text: the text of a valid profile before the change, in the format that `path` indicates.
        name: the variable.
        path: the path of the file.
        removed: whether the change removes the variable.
    """
    if path.endswith(".toml"):  # TOML refuses repeated keys
        return None
    return repeated_note(text, name, path=display_path(path), removed=removed)


def remove_variable(text: str, name: str, *, path: str) -> str:
    """Return the text of a profile's file without one of its variables.

    Args:
        text: the text of a valid profile, in the format that `path` indicates.
        name: a variable that is in this file.
        path: the path of the file; also used in messages.

    Raises:
        ProfileError: the file cannot be changed without other effects.
    """
    if not path.endswith(".toml"):
        return remove_value(text, name, path=path)

    def change(document: Any) -> None:
        del document[VARIABLES][name]

    return change_toml(text, change, path)


def change_toml(text: str, change: Callable[[Any], None], path: str) -> str:
    """Return a TOML text after a change, and verify that the result means what was intended.

    Args:
        text: the text of a valid profile.
        change: applies the same change to a tomlkit document and to plain tables.
        path: the path of the file, for messages.

    Raises:
        ProfileError: the results of the two differ in meaning.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    mark = _MARK if text.startswith(_MARK) else ""
    text = text.removeprefix(_MARK)
    wanted = tomllib.loads(text)
    change(wanted)
    try:
        document = tomlkit.parse(text)
        change(document)
        result = document.as_string()
        if tomllib.loads(result) == wanted:
            return mark + result
    except (TOMLKitError, tomllib.TOMLDecodeError):
        pass
    raise ProfileError(
        f"{path}: envkit cannot change this file and preserve its layout",
        hint="change it in an editor",
    )


def _as(old: object, value: str) -> object:
    """Return `value` in the TOML type of the old one, if that reads back as the same text."""
    if isinstance(old, bool) and value in ("true", "false"):
        return value == "true"
    if isinstance(old, int) and not isinstance(old, bool) and _is_plain_int(value):
        return int(value)
    return value


def _is_plain_int(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(text)) == text


def put_variables(text: str, lines: Mapping[str, Mapping[str, Any]], *, path: str) -> str:
    """Return the text of a profile's file with keys of variables added or replaced.

    Args:
        text: the text of a valid profile, in the format that `path` indicates.
        lines: the keys of each variable as in TOML: `value`, `type`, ...; a missing line is
            added, and other keys of an existing line stay.
        path: the path of the file; also used in messages.

    Raises:
        InvalidValueError: a `.env` file cannot represent the value.
        ProfileError: the file cannot be changed without other effects.
    """
    if not path.endswith(".toml"):
        for name, keys in lines.items():
            text = set_value(text, name, value_text(keys["value"]), path=path)
        return text

    def change(document: Any) -> None:
        variables = document.setdefault(VARIABLES, {})
        for name, keys in lines.items():
            _put(variables, name, keys)

    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    changed = change_toml(text.replace("\r\n", "\n") if crlf else text, change, path)
    return changed.replace("\n", "\r\n") if crlf else changed


def value_text(value: object) -> str:
    """Return the text of a value in a profile, also for values such as `true` and `8080`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(variables: Any, name: str, keys: Mapping[str, Any]) -> None:
    known = variables.get(name)
    if _has_lines(known):
        for key, value in keys.items():
            _append(known, key, value)
    elif set(keys) == {"value"} and not isinstance(known, dict):
        _append(variables, name, keys["value"])
    else:
        _append(variables, name, _one_line(variables, {**_as_table(known), **keys}))


def _append(table: Any, key: str, value: Any) -> None:
    """Set a key of a table; insert a new key after the last one, before trailing comments.

    A comment at the end of a table belongs to the table that follows.
    """
    body: list[Any] = table.value.body if _has_lines(table) and key not in table else []
    rest: list[Any] = []
    while body and body[-1][0] is None:
        rest.insert(0, body.pop())
    table[key] = value
    body.extend(rest)


def _as_table(known: Any) -> Mapping[str, Any]:
    """Return a variable's value in a profile as a table."""
    if known is None:
        return {}
    return known if isinstance(known, dict) else {"value": known}


def _has_lines(table: Any) -> bool:
    """Return whether a table has a header with one line per key below it."""
    from tomlkit.items import Table

    return isinstance(table, Table) and not table.is_super_table()


def _one_line(beside: Any, keys: Mapping[str, Any]) -> Any:
    """Return a table on one line, as people write it: `{ value = "8080", type = "port" }`."""
    if type(beside) is dict:
        return dict(keys)
    import tomlkit

    items = ", ".join(f"{key} = {tomlkit.item(value).as_string()}" for key, value in keys.items())
    return tomlkit.parse(f"table = {{ {items} }}\n")["table"]
