"""Variables' lines added to a profile's file, or more said on lines that are there. Pure.

What the file says beside it stays as it is: comments, order, layout. In the `.env` form a
variable has a value alone, and nothing of what else the TOML form says of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.dotenv.editor import set_value
from envkit.profile_edit import VARIABLES, change_toml

if TYPE_CHECKING:
    from collections.abc import Mapping


def put_variables(text: str, lines: Mapping[str, Mapping[str, Any]], *, path: str) -> str:
    """Return the text of a profile's file that says more of variables, or something else.

    Args:
        text: of a valid profile, in the form that `path` says.
        lines: per variable its keys as in TOML: `value`, `type`, ...; a line is added where
            the file has none, and keys that it has beside these are kept.
        path: of the file; also for messages.

    Raises:
        InvalidValueError: no `.env` file can hold the value.
        ProfileError: the file cannot be changed without changing more of it.
    """
    if not path.endswith(".toml"):
        for name, keys in lines.items():
            text = set_value(text, name, value_text(keys["value"]), path=path)[0]
        return text

    def change(document: Any) -> None:
        variables = document.setdefault(VARIABLES, {})
        for name, keys in lines.items():
            _put(variables, name, keys)

    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    changed = change_toml(text.replace("\r\n", "\n") if crlf else text, change, path)
    return changed.replace("\n", "\r\n") if crlf else changed


def value_text(value: object) -> str:
    """Return the text that a value of a profile means: that of `true` and of `8080`, too."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(variables: Any, name: str, keys: Mapping[str, Any]) -> None:
    known = variables.get(name)
    if _has_lines(known):
        for key, value in keys.items():
            _append(known, key, value)
    elif set(keys) == {"value"} and not isinstance(known, dict):
        _append(variables, name, keys["value"])
    else:
        _append(variables, name, _one_line(variables, {**_said(known), **keys}))


def _append(table: Any, key: str, value: Any) -> None:
    """Set a key of a table; a new one goes behind the last, before what follows that.

    (The comment at the end of a table belongs to the one that comes next.)
    """
    body: list[Any] = table.value.body if _has_lines(table) and key not in table else []
    rest: list[Any] = []
    while body and body[-1][0] is None:
        rest.insert(0, body.pop())
    table[key] = value
    body.extend(rest)


def _said(known: Any) -> Mapping[str, Any]:
    """Return what a line says, as a table."""
    if known is None:
        return {}
    return known if isinstance(known, dict) else {"value": known}


def _has_lines(table: Any) -> bool:
    """Return whether a table has a header, and each of its keys a line below it."""
    from tomlkit.items import Table

    return isinstance(table, Table) and not table.is_super_table()


def _one_line(beside: Any, keys: Mapping[str, Any]) -> Any:
    """Return a table on one line, as a person writes it: `{ value = "8080", type = "port" }`."""
    if type(beside) is dict:
        return dict(keys)
    import tomlkit

    items = ", ".join(f"{key} = {tomlkit.item(value).as_string()}" for key, value in keys.items())
    return tomlkit.parse(f"table = {{ {items} }}\n")["table"]
