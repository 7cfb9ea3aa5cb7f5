"""Read JSON: an object of variables, or the lists that platforms download. Pure.

    {"NAME": "value"}                                Doppler, Heroku, Infisical
    {"NAME": {"computed": "value", "raw": ...}}      `doppler secrets --json`
    [{"key": "NAME", "value": "value", ...}]         Infisical; also "name" for "key"

A number or truth value becomes its text as written, and `null` no value. A repeated key, a nested
object or a list is an error.
"""

from __future__ import annotations

import json
from typing import Any

from envkit._internal.json_text import JsonNumber
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.platforms import set_by_doppler
from envkit.importing.readers.text import Collected, shown_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.importing.contents import FileContents


def read_json(text: str, *, path: str) -> FileContents:
    """Return the variables of a JSON document.

    Args:
        text: the document.
        path: the file, for messages.

    Raises:
        ImportFileError: the text is not JSON, or not in one of the forms above.
    """
    document = _parsed(text, path)
    found = Collected(path, "JSON")
    if isinstance(document, dict):
        doppler = bool(document) and all(map(_is_of_doppler, document.values()))
        for key, value in document.items():
            place, where = f"{path}: /{shown_key(key)}", f"{path}#{shown_key(key)}"
            if not doppler:
                found.add(key, _text(value, place), where)
            elif value["computed"] is None:
                found.leave(key, where, "has no value: Doppler does not show restricted secrets")
            else:
                found.add(key, _text(value["computed"], place), where)
    elif isinstance(document, list):
        for index, item in enumerate(document):
            _add_item(found, item, f"{path}: /{index}")
    else:
        raise ImportFileError(f"{path} is neither an object nor a list", hint=_FORMS)
    found.take_out(set_by_doppler(found.names), "is set by Doppler")
    return found.contents()


_FORMS = 'write {"NAME": "value"}, or [{"key": "NAME", "value": "value"}]'


def _parsed(text: str, path: str) -> object:
    try:
        return json.loads(
            text,
            parse_int=JsonNumber,
            parse_float=JsonNumber,
            parse_constant=_refuse,
            object_pairs_hook=_Unique(path).table,
        )
    except json.JSONDecodeError as error:
        raise ImportFileError(
            f"{path}:{error.lineno}: not JSON (column {error.colno})", hint="fix the file"
        ) from None
    except _NotJsonError as error:
        raise ImportFileError(f"{path}: {error}, which is not JSON", hint="fix the file") from None
    except RecursionError:
        raise ImportFileError(f"{path} is nested too deeply", hint=_FORMS) from None


class _NotJsonError(Exception):
    """Text that Python reads as JSON, and no one else."""


def _refuse(constant: str) -> object:
    raise _NotJsonError(f"contains {constant}")


class _Unique:
    """Builds objects, and refuses repeated keys: readers disagree about which one counts."""

    def __init__(self, path: str) -> None:
        self._path = path

    def table(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ImportFileError(
                f"{self._path}: the key {shown_key(twice)} is there twice",
                hint="remove one of them",
            )
        return table


def _is_of_doppler(value: object) -> bool:
    return isinstance(value, dict) and {"computed", "raw"} <= value.keys()


def _add_item(found: Collected, item: object, place: str) -> None:
    """Add one item of a list.

    Raises:
        ImportFileError: it has no name and value.
    """
    name = item.get("key", item.get("name")) if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(name, str) or "value" not in item:
        raise ImportFileError(f"{place} has no 'key' and 'value'", hint=_FORMS)
    found.add(name, _text(item["value"], f"{place}/value"), place.replace(": /", "#", 1))


def _text(value: object, place: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber):
        return value.text
    kind = "an object" if isinstance(value, dict) else "a list"
    raise ImportFileError(
        f"{place} is {kind}, and a variable is text",
        hint="give each variable its own key, or make the value one text of JSON",
    )
