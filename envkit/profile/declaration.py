"""Check the declaration of one variable: its TOML table."""

from __future__ import annotations

from envkit._internal.names import is_name
from envkit.errors import PlaceholderError, ProfileError
from envkit.profile.placeholder import OPEN, Template, parse
from envkit.profile.toml_file import check_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.profile.location import Location

TYPES = (
    "string",
    "int",
    "float",
    "bool",
    "url",
    "port",
    "email",
    "json",
    "enum",
    "duration",
    "base64",
    "path",
)
WAYS = ("variable", "file")
_TEXT = (str, int, bool)
_OWNER_ONLY = ("0400", "0500", "0600", "0700")
_KEYS: dict[str, type | tuple[type, ...]] = {
    "value": _TEXT,
    "default": _TEXT,
    "required": bool,
    "secret": bool,
    "as": str,
    "mode": str,
    "type": str,
    "choices": list,
    "pattern": str,
    "min": (int, float),
    "max": (int, float),
    "description": str,
    "tags": list,
}


class Declaration:
    """One variable of a profile.

    Args:
        name: the name of the variable.
        raw: what `read_table` returned for one file, or merged from several; or only the value.
        places: where each key of `raw` is written.
        declared: where the variable is first named.

    Attributes:
        template: the parsed value; if the profile has none, a placeholder with the variable's name.
        default: used only if the value is missing; None if there is none.
        required: whether a missing value is an error.
        secret: what the profile declares; None if the origin of the value decides.
        type: one of TYPES; `choices`, `pattern`, `minimum` and `maximum` narrow it.
        file_mode: the mode of the file that the app gets the value in; None if it gets the value
            in the variable itself.
        is_plain: whether the declaration accepts any text, and the app gets it in the variable.
        location: where the value is written, or where the variable is first named.
        on_command_line: whether `set_value` set the value.

    Raises:
        ProfileError: keys contradict each other, or a placeholder is not valid.
    """

    # defaults on the class: most variables declare nothing else
    on_command_line = False
    default: str | None = None
    required: bool = True
    secret: bool | None = None
    file_mode: int | None = None
    choices: tuple[str, ...] = ()
    type: str = "string"
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    is_plain = True

    def __init__(
        self,
        name: str,
        raw: Mapping[str, Any] | str,
        places: Mapping[str, Location],
        declared: Location,
    ) -> None:
        self.name = name
        self.location = declared
        if isinstance(raw, str):
            self.template = self._parse(raw)
            return
        self.location = places.get("value", declared)
        self._take(raw, places)
        self.template = self._parse(raw.get("value"))

    def _take(self, raw: Mapping[str, Any], places: Mapping[str, Location]) -> None:
        """Store all keys of the declaration except the value."""
        self.default = raw.get("default")
        self.required = raw.get("required", True)
        self.secret = raw.get("secret")
        self.choices = tuple(raw.get("choices", ()))
        self.type = raw.get("type", "enum" if self.choices else "string")
        self.pattern = raw.get("pattern")
        self.minimum = raw.get("min")
        self.maximum = raw.get("max")
        if raw.get("as") == "file":
            self.file_mode = int(raw.get("mode", _OWNER_ONLY[0]), 8)
        elif "mode" in raw:
            raise ProfileError(
                f"{places['mode']}: {self.name}: 'mode' is for a variable as a file",
                hint='write: as = "file"',
            )
        self.description = raw.get("description", "")
        self.tags = tuple(raw.get("tags", ()))
        if self.type == "enum" and not self.choices:
            raise ProfileError(
                f"{places['type']}: {self.name}: type 'enum' needs 'choices'",
                hint='write: choices = ["..."]',
            )
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and low > high:
            raise ProfileError(
                f"{places['min']}: {self.name}: 'min' is greater than 'max'",
                hint="swap the two, or remove one",
            )
        self.is_plain = (
            self.type == "string"
            and self.pattern is None
            and low is None
            and high is None
            and not self.choices
            and self.file_mode is None
        )

    @property
    def place(self) -> str:
        """Where the value is written, for people: `profiles/prod.toml:12`."""
        return "--set" if self.on_command_line else str(self.location)

    def set_value(self, value: str) -> None:
        """Set the value to literal text from the command line; `{{ }}` in it is not expanded."""
        if self.secret is None:
            self.secret = bool(self.template.placeholders)  # it replaces a secret
        self.template = Template((value,) if value else ())
        self.on_command_line = True

    def _parse(self, value: str | None) -> Template:
        try:
            return parse(OPEN + self.name + "}}" if value is None else value)
        except PlaceholderError as error:
            error.message = f"{self.place}: {self.name}: {error.message}"
            error.args = (error.message,)
            raise


def read_table(name: str, value: Any, place: Location) -> dict[str, Any]:
    """Check one entry of `[variables]` and return its keys, with texts as strings.

    Args:
        name: the key of the entry.
        value: a table or a plain value.
        place: where the entry is written.

    Raises:
        ProfileError: the entry is not valid; a hint names the closest valid spelling.
    """
    if not is_name(name):
        raise ProfileError(f"{place}: {name!r} is not a variable name", hint=_closest_name(name))
    raw = dict(raw_table(value))
    check_keys(raw, _KEYS, place.at, owner=name)
    for key in ("value", "default"):
        if key in raw:
            raw[key] = _text(raw[key], name, place.at(key))
    for key in ("choices", "tags"):
        if key in raw:
            raw[key] = [_text(item, f"{name}: '{key}'", place.at(key)) for item in raw[key]]
    if raw.get("choices") == []:
        raise ProfileError(
            f"{place.at('choices')}: {name}: 'choices' is empty", hint='write: choices = ["..."]'
        )
    _check_type(raw.get("type", "string"), name, place)
    _check_file(raw, name, place)
    if OPEN in raw.get("default", ""):
        raise ProfileError(
            f"{place.at('default')}: {name}: a default is plain text, without placeholders",
            hint='write the alternative into the value: {{ NAME ?? "text" }}',
        )
    if "pattern" in raw:
        _check_pattern(raw["pattern"], name, place)
    return raw


def is_plain_text(name: str, value: Any) -> bool:
    """Return whether `read_table` would accept the entry and return only a string."""
    return isinstance(value, str) and is_name(name) and "\0" not in value


def is_declaration(value: Any) -> bool:
    """Return whether a value is a table with the keys of a declaration."""
    return isinstance(value, dict) and bool(value) and _KEYS.keys() >= value.keys()


def raw_table(value: Any) -> Mapping[str, Any]:
    """Return one entry of `[variables]` as a table, unchecked; a plain value becomes a table."""
    return value if isinstance(value, dict) else {"value": value}


def _text(value: Any, owner: str, place: Location) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise ProfileError(f"{place}: {owner} must contain strings", hint="put them in quotes")
    if "\0" in value:
        raise ProfileError(
            f"{place}: {owner} contains a NUL character, which no environment variable can contain",
            hint="remove it",
        )
    return value


def _check_type(name: str, variable: str, place: Location) -> None:
    if name not in TYPES:
        from envkit._internal.suggestions import did_you_mean

        raise ProfileError(
            f"{place.at('type')}: {variable}: unknown type {name!r}", hint=did_you_mean(name, TYPES)
        )


def _check_file(raw: Mapping[str, Any], variable: str, place: Location) -> None:
    """Check how the app gets the value; other users must not be able to read a file."""
    way, mode = raw.get("as", WAYS[0]), raw.get("mode", _OWNER_ONLY[0])
    if way not in WAYS:
        from envkit._internal.suggestions import did_you_mean

        raise ProfileError(
            f"{place.at('as')}: {variable}: 'as' has no way {way!r}", hint=did_you_mean(way, WAYS)
        )
    if mode not in _OWNER_ONLY:
        raise ProfileError(
            f"{place.at('mode')}: {variable}: 'mode' must let the owner alone read the file",
            hint=f"write one of {', '.join(_OWNER_ONLY)}",
        )


def _check_pattern(pattern: str, variable: str, place: Location) -> None:
    import re

    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        reason = error.msg if isinstance(error, re.error) else "it is too large"
        raise ProfileError(
            f"{place.at('pattern')}: {variable}: 'pattern' is not a regular expression: {reason}"
        ) from None


def _closest_name(name: str) -> str:
    letters = "".join(char if is_name("_" + char) else "_" for char in name)
    if letters[:1].isdigit():
        letters = "_" + letters
    if letters.strip("_"):
        return f"did you mean '{letters}'?"
    return "use letters, digits and '_', not beginning with a digit"
