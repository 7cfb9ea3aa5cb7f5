"""A loaded profile: its variables, its sources and its rotations.

`loader` fills it; nothing here reads a file.
"""

from __future__ import annotations

import os

from envkit.errors import PlaceholderError, ProfileError
from envkit.profile.declaration import Declaration
from envkit.profile.location import Location
from envkit.profile.placeholder import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.profile.placeholder import Placeholder

PREDECLARED = {
    "vault": "vault",
    "aws": "aws-secrets-manager",
    "dotenv": "dotenv",
    "env": "env",
}


class NamedTable:
    """A table of a profile that has a name: `[rotation.NAME]`, and what sources are made of.

    Its keys are checked by whom they are for.

    Attributes:
        title: how it is written, for people: `[rotation.db-password]`.
        settings: its keys, of all files, their placeholders as they were written.
        location: where it was last set.
    """

    __slots__ = ("_places", "location", "name", "settings", "title")

    def __init__(self, name: str, title: str, location: Location) -> None:
        self.name = name
        self.title = title
        self.settings: dict[str, Any] = {}
        self.location = location
        self._places: dict[str, Location] = {}

    def place_of(self, key: str) -> Location:
        """Return where a key of the table was written."""
        return self._places.get(key, self.location)

    def update(self, table: Mapping[str, Any], place: Location) -> None:
        """Merge one more table into it.

        Raises:
            ProfileError: a placeholder in it is not one.
        """
        self.location = place
        for key, value in table.items():
            self._places[key] = place.at(key)
            self.settings[key] = value
            try:
                list(placeholders(value))
            except PlaceholderError as error:
                raise ProfileError(
                    f"{place.at(key)}: {self.title}: '{key}': {error.message}",
                    hint=error.hint,
                ) from None


class SourceSpec(NamedTable):
    """One source of a profile: predeclared, or a table `[sources.NAME]`.

    Attributes:
        type: `vault`, `aws-secrets-manager`, or another that the registry knows.
        poll_seconds: how often a command that watches the source looks at it; None for the
            default. Neither is one of the settings.
    """

    __slots__ = ("poll_seconds", "type")

    def __init__(self, name: str, type_name: str, location: Location) -> None:
        super().__init__(name, f"[sources.{name}]", location)
        self.type = type_name
        self.poll_seconds: float | None = None

    def update(self, table: Mapping[str, Any], place: Location) -> None:
        """Merge one more table into it.

        Raises:
            ProfileError: a placeholder in it is not one, or `poll` is not a duration.
        """
        super().update(table, place)
        self.settings.pop("type", None)
        if "poll" in self.settings:
            from envkit.profile.poll import poll_seconds

            self.poll_seconds = poll_seconds(
                self.settings.pop("poll"), self.place_of("poll"), self.title
            )


class Profile:
    """The variables of one environment.

    Attributes:
        name: the profile's own name, also when it was asked for by an alias.
        path: its file; `files` are all that were read, the most basic first.
        root: the folder that holds `profiles/`.
        lookup: the sources in which a bare `{{ NAME }}` is looked up, in this order.
        protected: whether commands that change it or run with it ask for a reason.
        rotations: the tables `[rotation.NAME]`; `envkit.rotation_state.policy` reads them.
        warnings: what is allowed but probably not meant, each with its file.
    """

    __slots__ = (
        "aliases",
        "files",
        "lookup",
        "name",
        "path",
        "protected",
        "root",
        "rotations",
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
        here = Location(path)
        self.sources = {
            source: SourceSpec(source, type_name, here) for source, type_name in PREDECLARED.items()
        }
        self.variables: dict[str, Declaration] = {}
        self.rotations: dict[str, NamedTable] = {}
        self.warnings: list[str] = []

    def set_value(self, name: str, value: str) -> None:
        """Set a variable to a literal value from the command line; add it if it is new."""
        if name not in self.variables:
            self.variables[name] = Declaration(name, {"secret": False}, {}, Location(self.path))
        self.variables[name].set_value(value)


def placeholders(setting: Any) -> Iterator[Placeholder]:
    """Yield the placeholders in a setting of a source: a text, or the texts of a list or table.

    Raises:
        PlaceholderError: one is not well-formed.
    """
    if isinstance(setting, str):
        yield from parse(setting).placeholders
    elif isinstance(setting, dict | list):
        for item in setting.values() if isinstance(setting, dict) else setting:
            yield from placeholders(item)
