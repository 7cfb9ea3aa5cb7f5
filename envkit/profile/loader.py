"""Load a profile: the variables of one environment, and the sources of their values.

    profile = load("prod", folder)
    profile.variables["DATABASE_URL"].template

Loading reads the profile's file and the profiles that it extends, checks every key, and parses
every value. It reads no store. A profile is a `.toml` file, or a `.env` file for teams that
already have one; both mean the same. Any mistake is an error with file and line.
`extends` merges key by key: a base can declare the type of a variable and an environment its
value. A profile that several others extend is read once, before the first of
them.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit._internal.paths import display_path
from envkit._internal.toposort import topological_order
from envkit.errors import ProfileError
from envkit.profile.declaration import Declaration, is_declaration, is_plain_text, read_table
from envkit.profile.discovery import is_profile_name, profile_names, profile_path, unknown_profile
from envkit.profile.location import KeyLines, Location
from envkit.profile.model import NamedTable, Profile, SourceSpec
from envkit.profile.toml_file import check_keys, names, parse_toml, read_text, read_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_KEYS: dict[str, type | tuple[type, ...]] = {
    "extends": (list, str),
    "aliases": list,
    "protected": bool,
    "fallback": (dict, bool),
    "lookup": list,
    "sources": dict,
    "variables": dict,
    "rotation": dict,
    "access": dict,
}
# a plain value of one of these below [variables] was probably meant for the top level
_MISPLACED = ("extends", "aliases", "protected", "lookup")


def load(name: str, folder: str) -> Profile:
    """Load the profile with a name or alias.

    Args:
        name: a name or alias, never a path.
        folder: absolute path of the folder of profiles.

    Raises:
        ProfileNotFoundError: the profile does not exist; the message lists the known ones.
        ProfileError: one of its files is not a valid profile.
    """
    path = profile_path(folder, name)
    if path is None:
        name, path = _by_alias(folder, name)
    profile = Profile(name, path)
    paths = {name: path}
    files: dict[str, tuple[dict[str, Any], Location]] = {}

    def extended(one: str) -> tuple[str, ...]:
        document, top = files[one] = parse_profile_text(
            read_text(paths[one]), paths[one], profile.warnings
        )
        place = top.at("extends")
        bases = names(document.get("extends", []), place, "extends")
        for base in bases:
            paths[base] = _base_path(folder, base, place)
        return bases

    def circle_error(circle: list[str]) -> ProfileError:
        place = files[circle[-2]][1].at("extends")
        return ProfileError(
            f"{place}: 'extends' forms a cycle: {' -> '.join(circle)}",
            hint=f"remove '{circle[-1]}' from this 'extends'",
        )

    building = _Building(profile)
    for one in topological_order([name], extended, circle_error):
        profile.files.append(paths[one])
        building.add(*files[one])
    profile.aliases = _own_aliases(folder, *files[name])
    building.finish()
    return profile


def _by_alias(folder: str, alias: str) -> tuple[str, str]:
    """Return the name and path of the one profile that has an alias."""
    known = profile_names(folder)
    aliases: dict[str, list[tuple[str, str]]] = {}
    broken: ProfileError | None = None  # this profile may have the alias
    for name in known:
        try:
            for other, path in _aliases_of(folder, name):
                aliases.setdefault(other, []).append((name, path))
        except ProfileError as error:
            broken = broken or error
    found = aliases.get(alias)
    if found is None:
        unknown = unknown_profile(folder, alias, known, aliases)
        raise unknown if unknown.hint or broken is None else broken
    if broken is not None:
        raise broken
    if len(found) > 1:
        both = " and ".join(display_path(path) for _, path in found)
        raise ProfileError(
            f"'{alias}' is an alias in {both}", hint="remove it from all but one of them"
        )
    return found[0]


def _aliases_of(folder: str, name: str) -> list[tuple[str, str]]:
    """Return each alias of a profile with the path of the profile's file."""
    path = profile_path(folder, name)
    if path is None or not path.endswith(".toml"):
        return []
    document, top = read_toml(path)
    given = names(document.get("aliases", []), top.at("aliases"), "aliases")
    return [(other, path) for other in dict.fromkeys(given)]


def _own_aliases(folder: str, document: Mapping[str, Any], top: Location) -> tuple[str, ...]:
    """Return a profile's own aliases; each must be valid in the name of a `.env` file."""
    place = top.at("aliases")
    aliases = names(document.get("aliases", []), place, "aliases")
    for alias in aliases:
        if not is_profile_name(alias):
            raise ProfileError(
                f"{place}: {alias!r} cannot be an alias", hint="use letters, digits, '-' and '_'"
            )
        other = profile_path(folder, alias)
        if other is not None:
            raise ProfileError(
                f"{place}: alias '{alias}' is the name of another profile, {display_path(other)}",
                hint="remove it, or rename that profile",
            )
    return aliases


def _base_path(folder: str, base: str, place: Location) -> str:
    path = profile_path(folder, base)
    if path is None:
        error = unknown_profile(folder, base, profile_names(folder))
        raise ProfileError(f"{place}: {error.message}", hint=error.hint)
    return path


def read_profile_file(path: str) -> tuple[dict[str, Any], Location]:
    """Return the content of a `.toml` or `.env` profile as a TOML table, and its top location.

    Raises:
        ProfileError: the file cannot be read or is not valid.
    """
    return parse_profile_text(read_text(path), path, [])


def parse_profile_text(
    text: str, path: str, warnings: list[str]
) -> tuple[dict[str, Any], Location]:
    """Do what `read_profile_file` does for the text of a file; append to `warnings`."""
    if path.endswith(".toml"):
        document, top = parse_toml(text, path)
        if not _KEYS.keys() >= document.keys():
            _refuse_variables_at_the_top(document, top)
        check_keys(document, _KEYS, top.at)
        _refuse_misplaced(document.get("variables", {}), top.at("variables"))
        return document, top
    from envkit.dotenv.file import parse as parse_dotenv

    # `$` is literal in a profile
    shown = display_path(path)
    file = parse_dotenv(text, path=shown, expand=False)
    for problem in file.problems:
        raise problem
    warnings.extend(f"{shown}: {warning}" for warning in file.warnings)
    # loading rejects names that are not valid in an environment, as in a TOML profile
    entries = {**file.entries, **file.unlisted}
    lines = KeyLines(lambda: {("variables", name): entries[name].line for name in entries})
    variables = {name: entry.value for name, entry in entries.items()}
    return {"variables": variables}, Location(path, lines=lines)


def _refuse_variables_at_the_top(document: Mapping[str, Any], top: Location) -> None:
    """Refuse variables that are written above [variables] or without that table."""
    for key, value in document.items():
        if key in _KEYS or not is_name(key):
            continue
        valid = is_declaration(value)
        from envkit._internal.suggestions import closest

        if (isinstance(value, dict) and not valid) or (not key.isupper() and closest(key, _KEYS)):
            continue  # a table or a misspelled key
        where = "above [variables]" if "variables" in document else "without a line [variables]"
        hint = f"write it below a line [variables]: {key} = " + ("{ ... }" if valid else "...")
        raise ProfileError(f"{top.at(key)}: {key} is written {where}", hint=hint)


def _refuse_misplaced(variables: Mapping[str, Any], place: Location) -> None:
    for key in _MISPLACED:
        if key in variables and not isinstance(variables[key], dict):
            raise ProfileError(
                f"{place.at(key)}: '{key}' is below [variables], which makes it a variable",
                hint=f"move it above the first [table]; a variable is {key} = {{ value = ... }}",
            )


class _Said(NamedTuple):
    """The merged declaration of one variable from the files read so far."""

    table: dict[str, Any] | str  # a string is a plain value without other keys
    places: Mapping[str, Location]  # of the keys of `table`, if they differ from `declared`
    declared: Location  # where the variable is first named


_AS_DECLARED: Mapping[str, Location] = {}


class _Building:
    """A profile under construction; files are added one by one, the base first."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.lookup_place = Location(profile.path)
        self.variables: dict[str, _Said] = {}

    def add(self, document: Mapping[str, Any], top: Location) -> None:
        """Merge one file; it wins over earlier ones."""
        if "lookup" in document:
            self.lookup_place = top.at("lookup")
            self.profile.lookup = names(document["lookup"], self.lookup_place, "lookup")
        self.profile.protected = document.get("protected", self.profile.protected)
        if "access" in document:
            from envkit.profile.access import merge_access

            merge_access(self.profile, document, top.at("access"))
        if "fallback" in document:
            from envkit.profile.fallback import fallback_seconds

            self.profile.fallback_seconds = fallback_seconds(
                document["fallback"], top.at("fallback"), "the profile"
            )
        for name, table in document.get("sources", {}).items():
            self.add_source(name, table, top.at("sources", name))
        for name, table in document.get("rotation", {}).items():
            self.add_rotation(name, table, top.at("rotation", name))
        variables = top.at("variables")
        for name, value in document.get("variables", {}).items():
            place = variables.at(name)
            known = self.variables.get(name)
            if known is None and is_plain_text(name, value):
                self.variables[name] = _Said._make((value, _AS_DECLARED, place))
                continue
            table = read_table(name, value, place)
            places = {key: place.at(key) for key in table}
            if known is not None:
                before = known.table
                table = {**(before if isinstance(before, dict) else {"value": before}), **table}
                places = {**known.places, **places}
            self.variables[name] = _Said(table, places, place if known is None else known.declared)

    def add_source(self, name: str, table: Any, place: Location) -> None:
        """Merge one table `[sources.NAME]`; a different type discards the earlier settings."""
        _check_named(name, table, place, "source", "sources")
        spec = self.profile.sources.get(name)
        type_name = table.get("type", spec and spec.type)
        if not isinstance(type_name, str):
            raise ProfileError(
                f"{place.at('type')}: [sources.{name}] needs a type",
                hint='write type = "vault", or another',
            )
        if spec is None or spec.type != type_name:
            spec = self.profile.sources[name] = SourceSpec(name, type_name, place)
        spec.update(table, place)

    def add_rotation(self, name: str, table: Any, place: Location) -> None:
        """Merge one table `[rotation.NAME]`."""
        _check_named(name, table, place, "rotation", "rotation")
        spec = self.profile.rotations.get(name)
        if spec is None:
            spec = self.profile.rotations[name] = NamedTable(name, f"[rotation.{name}]", place)
        spec.update(table, place)

    def finish(self) -> None:
        """Parse every value."""
        for name, said in self.variables.items():
            self.profile.variables[name] = Declaration(name, *said)
        for source in self.profile.lookup:
            if source not in self.profile.sources:
                from envkit._internal.suggestions import did_you_mean

                raise ProfileError(
                    f"{self.lookup_place}: 'lookup' names unknown source '{source}'",
                    hint=did_you_mean(source, self.profile.sources),
                )


def _check_named(name: str, table: Any, place: Location, what: str, section: str) -> None:
    if not is_name(name.replace("-", "_")):
        raise ProfileError(
            f"{place}: {name!r} cannot be the name of a {what}",
            hint="use letters, digits, '-' and '_', beginning with a letter",
        )
    if not isinstance(table, dict):
        raise ProfileError(f"{place}: '{name}' must be a table", hint=f"write: [{section}.{name}]")
