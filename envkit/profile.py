"""A profile: what one environment's variables are, and where their values come from.

    profile = load("prod", folder)
    profile.variables["DATABASE_URL"].template

Loading reads the profile's file and those that it extends, checks every key,
and parses every value; it asks no store. Both forms mean the same: `.toml`, and
`.env` for teams that have that. Whatever is wrong is one error with file and
line. What `extends` brings is merged key by key, so that a base can say what
type a variable has and an environment what its value is.
"""

from __future__ import annotations

import os

from envkit.discover import profile_names, profile_path, unknown_profile
from envkit.errors import PlaceholderError, ProfileError, did_you_mean
from envkit.location import Location, display_path
from envkit.placeholder import OPEN, Template, is_name, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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
PREDECLARED = {
    "vault": "vault",
    "aws": "aws-secrets-manager",
    "dotenv": "dotenv",
    "env": "env",
}
MAX_PROFILE_BYTES = 16 * 1024 * 1024

_PROFILE_KEYS: dict[str, tuple[type, ...]] = {
    "extends": (str, list),
    "aliases": (list,),
    "protected": (bool,),
    "lookup": (list,),
    "sources": (dict,),
    "variables": (dict,),
}
_VARIABLE_KEYS: dict[str, tuple[type, ...]] = {
    "value": (str, int, bool),
    "default": (str, int, bool),
    "required": (bool,),
    "secret": (bool,),
    "type": (str,),
    "choices": (list,),
    "pattern": (str,),
    "min": (int, float),
    "max": (int, float),
    "description": (str,),
    "tags": (list,),
}
_TYPE_NAMES = {str: "a string", bool: "true or false", list: "a list", dict: "a table"}


class Declaration:
    """One variable of a profile.

    Attributes:
        template: its parsed value; `{{ NAME }}` of itself where the profile gives none.
        default: used only when the value is absent; None where there is none.
        required: whether an absent value is an error.
        secret: what the profile says; None leaves it to where the value comes from.
        type: one of TYPES; `choices`, `pattern`, `minimum` and `maximum` narrow it.
        location: where the value was written, else where the variable was declared.
    """

    __slots__ = (
        "choices",
        "default",
        "description",
        "location",
        "maximum",
        "minimum",
        "name",
        "pattern",
        "required",
        "secret",
        "tags",
        "template",
        "type",
    )

    def __init__(self, name: str, raw: Mapping[str, Any], location: Location) -> None:
        self.name = name
        self.location = location
        self.default: str | None = raw.get("default")
        self.required: bool = raw.get("required", True)
        self.secret: bool | None = raw.get("secret")
        self.choices: tuple[str, ...] = tuple(raw.get("choices", ()))
        self.type: str = raw.get("type", "enum" if self.choices else "string")
        self.pattern: str | None = raw.get("pattern")
        self.minimum: float | None = raw.get("min")
        self.maximum: float | None = raw.get("max")
        self.description: str = raw.get("description", "")
        self.tags: tuple[str, ...] = tuple(raw.get("tags", ()))
        self.template = self._parse(raw.get("value"))

    def _parse(self, value: str | None) -> Template:
        try:
            return parse(OPEN + self.name + "}}" if value is None else value)
        except PlaceholderError as error:
            error.message = f"{self.location}: {self.name}: {error.message}"
            error.args = (error.message,)
            raise


class SourceSpec:
    """One source of a profile: predeclared, or a table `[sources.NAME]`."""

    __slots__ = ("location", "name", "settings", "type")

    def __init__(
        self, name: str, type_name: str, settings: dict[str, Any], location: Location
    ) -> None:
        self.name = name
        self.type = type_name
        self.settings = settings
        self.location = location


class Profile:
    """The variables of one environment.

    Attributes:
        name: the profile's own name, also when it was asked for by an alias.
        path: its file; `files` are all that were read, the most basic first.
        root: the folder that holds `profiles/`.
        lookup: the sources in which a bare `{{ NAME }}` is looked up, in this order.
        protected: whether commands that change it or run with it ask for a reason.
        warnings: what is allowed but probably not meant, each with file and line.
    """

    __slots__ = (
        "aliases",
        "files",
        "lookup",
        "name",
        "path",
        "protected",
        "root",
        "sources",
        "variables",
        "warnings",
    )

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.root = os.path.dirname(os.path.dirname(path))
        self.files: list[str] = []
        self.aliases: tuple[str, ...] = ()
        self.lookup: tuple[str, ...] = ("dotenv", "env")
        self.protected = False
        here = Location(path, 1)
        self.sources = {
            source: SourceSpec(source, kind, {}, here) for source, kind in PREDECLARED.items()
        }
        self.variables: dict[str, Declaration] = {}
        self.warnings: list[str] = []


def load(name: str, folder: str) -> Profile:
    """Load the profile called `name`, or having `name` among its aliases.

    Args:
        name: never a path.
        folder: absolute path of the folder of profiles.

    Raises:
        ProfileNotFoundError: no such profile; the message lists the known ones.
        ProfileError: a file of it is not a valid profile.
    """
    path = profile_path(folder, name)
    if path is None:
        name, path = _by_alias(folder, name)
    loader = _Loader(Profile(name, path), folder)
    loader.read(name, path)
    return loader.finish()


def _by_alias(folder: str, alias: str) -> tuple[str, str]:
    names = profile_names(folder)
    found = []
    for name in names:
        path = profile_path(folder, name)
        if path is None or not path.endswith(".toml"):
            continue
        if alias in _aliases(_read_toml(path)[0], Location(path)):
            found.append((name, path))
    if len(found) > 1:
        both = " and ".join(display_path(path) for _, path in found)
        raise ProfileError(
            f"'{alias}' is an alias in {both}", hint="take it out of all but one of them"
        )
    if not found:
        raise unknown_profile(folder, alias, names)
    return found[0]


class _Loader:
    """One walk over `extends`: what the files say of each variable, merged key by key."""

    def __init__(self, profile: Profile, folder: str) -> None:
        self.profile = profile
        self.folder = folder
        self.walk: list[str] = []  # the profiles that are being read, the outermost first
        self.raws: dict[str, dict[str, Any]] = {}
        self.places: dict[str, Location] = {}

    def read(self, name: str, path: str) -> None:
        """Merge the file of profile `name`, after those that it extends."""
        if name in self.walk:
            circle = " -> ".join([*self.walk[self.walk.index(name) :], name])
            raise ProfileError(f"{display_path(path)}: 'extends' goes in a circle: {circle}")
        self.walk.append(name)
        if path.endswith(".env"):
            self.read_dotenv(path)
        else:
            self.read_toml(path)
        self.walk.pop()
        if path not in self.profile.files:
            self.profile.files.append(path)

    def read_toml(self, path: str) -> None:
        document, text = _read_toml(path)
        top = Location(path, text=text)
        _check_keys(document, _PROFILE_KEYS, top)
        for base in _names(document.get("extends", []), top.at("extends")):
            self.extend(base, top.at("extends"))
        profile = self.profile
        if len(self.walk) == 1:
            profile.aliases = _aliases(document, top)
        if "lookup" in document:
            profile.lookup = _names(document["lookup"], top.at("lookup"))
        profile.protected = document.get("protected", profile.protected)
        for source, table in document.get("sources", {}).items():
            _merge_source(profile, source, table, top.at("sources", source))
        for variable, value in document.get("variables", {}).items():
            place = top.at("variables", variable)
            self.add(variable, _variable(variable, value, place), place)

    def read_dotenv(self, path: str) -> None:
        from envkit.dotenv_file import parse as parse_dotenv

        # `$` has no meaning in a profile
        file = parse_dotenv(_read(path), path=display_path(path), expand=False, environ={})
        for variable, entry in file.entries.items():
            self.add(variable, {"value": entry.value}, Location(path, entry.line))
        self.profile.warnings.extend(file.warnings)

    def extend(self, base: str, place: Location) -> None:
        path = profile_path(self.folder, base)
        if path is None:
            error = unknown_profile(self.folder, base, profile_names(self.folder))
            raise ProfileError(f"{place}: {error.message}", hint=error.hint)
        self.read(base, path)

    def add(self, variable: str, raw: dict[str, Any], place: Location) -> None:
        if "value" in raw or variable not in self.places:
            self.places[variable] = place
        self.raws.setdefault(variable, {}).update(raw)

    def finish(self) -> Profile:
        """Return the profile with every value parsed."""
        for name, raw in self.raws.items():
            declaration = Declaration(name, raw, self.places[name])
            _check_consistency(declaration)
            self.profile.variables[name] = declaration
        for source in self.profile.lookup:
            if source not in self.profile.sources:
                raise ProfileError(
                    f"{display_path(self.profile.path)}: 'lookup' names unknown source '{source}'",
                    hint=did_you_mean(source, self.profile.sources),
                )
        return self.profile


def _merge_source(profile: Profile, name: str, table: Any, place: Location) -> None:
    if not isinstance(table, dict):
        raise ProfileError(f"{place}: [sources.{name}] must be a table")
    settings = dict(table)
    type_name = settings.pop("type", None)
    before = profile.sources.get(name)
    if type_name is None and before is not None:
        type_name = before.type
    if not isinstance(type_name, str):
        raise ProfileError(
            f"{place}: [sources.{name}] needs a type", hint='write type = "vault", or another'
        )
    if before is not None and type_name == before.type:
        settings = {**before.settings, **settings}
    profile.sources[name] = SourceSpec(name, type_name, settings, place)


def _variable(name: str, value: Any, place: Location) -> dict[str, Any]:
    if not is_name(name):
        raise ProfileError(
            f"{place}: '{name}' is not a variable name",
            hint="use letters, digits and '_', not beginning with a digit",
        )
    raw = dict(value) if isinstance(value, dict) else {"value": value}
    _check_keys(raw, _VARIABLE_KEYS, place, owner=name)
    for key in ("value", "default"):
        if key in raw:
            raw[key] = _text(raw[key], name, place)
    for key in ("choices", "tags"):
        if key in raw:
            raw[key] = [_text(item, f"{name}.{key}", place) for item in raw[key]]
    if raw.get("type", "string") not in TYPES:
        raise ProfileError(
            f"{place.at('type')}: {name}: unknown type '{raw['type']}'",
            hint=did_you_mean(raw["type"], TYPES),
        )
    return raw


def _text(value: Any, name: str, place: Location) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise ProfileError(f"{place}: {name} must be a string", hint="put the value in quotes")
    if "\0" in value:
        raise ProfileError(f"{place}: {name} contains a NUL, which no environment can hold")
    return value


def _check_keys(
    table: Mapping[str, Any],
    allowed: Mapping[str, tuple[type, ...]],
    place: Location,
    owner: str = "",
) -> None:
    prefix = f"{owner}: " if owner else ""
    for key, value in table.items():
        types = allowed.get(key)
        if types is None:
            raise ProfileError(
                f"{place.at(key)}: {prefix}unknown key '{key}'", hint=did_you_mean(key, allowed)
            )
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not fits:
            if key in ("value", "default"):
                _text(value, owner, place)
            wanted = " or ".join(dict.fromkeys(_TYPE_NAMES.get(t, "a number") for t in types))
            raise ProfileError(f"{place.at(key)}: {prefix}'{key}' must be {wanted}")


def _check_consistency(declaration: Declaration) -> None:
    place = f"{declaration.location}: {declaration.name}"
    if declaration.default is not None and OPEN in declaration.default:
        raise ProfileError(
            f"{place}: a default is plain text, without placeholders",
            hint='write the alternative into the value: {{ NAME ?? "text" }}',
        )
    if declaration.type == "enum" and not declaration.choices:
        raise ProfileError(f"{place}: type 'enum' needs 'choices'")
    low, high = declaration.minimum, declaration.maximum
    if low is not None and high is not None and low > high:
        raise ProfileError(f"{place}: 'min' is greater than 'max'")
    if declaration.pattern is not None:
        import re

        try:
            re.compile(declaration.pattern)
        except re.error as error:
            raise ProfileError(
                f"{place}: 'pattern' is not a regular expression: {error.msg}"
            ) from None


def _aliases(document: Mapping[str, Any], place: Location) -> tuple[str, ...]:
    return _names(document.get("aliases", []), place.at("aliases"))


def _names(value: Any, place: Location) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ProfileError(f"{place}: '{place.keys[-1]}' must be a list of names")
    return tuple(names)


def _read_toml(path: str) -> tuple[dict[str, Any], str]:
    import tomllib

    text = _read(path)
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        # "Invalid value (at line 3, column 5)": the message quotes single characters at most
        message, _, position = str(error).partition(" (at ")
        place = position.removesuffix(")").removeprefix("line ").replace(", column ", ":")
        where = f"{display_path(path)}:{place}" if place else display_path(path)
        raise ProfileError(f"{where}: not valid TOML: {message.lower()}") from None


def _read(path: str) -> str:
    from envkit._internal.files import read_capped

    try:
        data = read_capped(path, MAX_PROFILE_BYTES)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ProfileError(f"{display_path(path)}:{line}: not UTF-8") from None
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ProfileError(f"cannot read {display_path(path)}: {reason}") from None
