"""A loaded profile: its variables, its sources and its rotations.

`loader` builds it. Nothing here reads a file.
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
    from types import EllipsisType
    from typing import Any

    from envkit.profile.placeholder import Placeholder

PREDECLARED = {
    "vault": "vault",
    "aws": "aws-secrets-manager",
    "dotenv": "dotenv",
    "env": "env",
}


class NamedTable:
    """A named table of a profile: `[rotation.NAME]`, and the base of `SourceSpec`.

    The code that uses the table checks its keys.

    Attributes:
        title: the table's header for messages: `[rotation.db-password]`.
        settings: the merged keys of all files, with placeholders unexpanded.
        location: where the table was last set.
    """

    __slots__ = ("_places", "location", "name", "settings", "title")

    def __init__(self, name: str, title: str, location: Location) -> None:
        self.name = name
        self.title = title
        self.settings: dict[str, Any] = {}
        self.location = location
        self._places: dict[str, Location] = {}

    def place_of(self, key: str) -> Location:
        """Return where a key of the table is written."""
        return self._places.get(key, self.location)

    def update(self, table: Mapping[str, Any], place: Location) -> None:
        """Merge another table into this one.

        Raises:
            ProfileError: a placeholder in the table is not well-formed.
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
    """One source of a profile: built in, or a table `[sources.NAME]`.

    Attributes:
        type: `vault`, `aws-secrets-manager`, or another type in the registry.
        poll_seconds: how often a command that watches the source checks it for changes;
            None for the default.
        fallback_seconds: how old the values may be that are used while the source is
            unavailable; None for no such values, and `...` for what the profile says.

    `type`, `poll` and `fallback` are not part of the settings.
    """

    __slots__ = ("fallback_seconds", "poll_seconds", "type")

    def __init__(self, name: str, type_name: str, location: Location) -> None:
        super().__init__(name, f"[sources.{name}]", location)
        self.type = type_name
        self.poll_seconds: float | None = None
        self.fallback_seconds: float | EllipsisType | None = ...

    def update(self, table: Mapping[str, Any], place: Location) -> None:
        """Merge another table into this one.

        Raises:
            ProfileError: a placeholder is not valid, or `poll` is not a duration.
        """
        super().update(table, place)
        self.settings.pop("type", None)
        if "poll" in self.settings:
            from envkit.profile.poll import poll_seconds

            self.poll_seconds = poll_seconds(
                self.settings.pop("poll"), self.place_of("poll"), self.title
            )
        if "fallback" in self.settings:
            from envkit.profile.fallback import fallback_seconds

            self.fallback_seconds = fallback_seconds(
                self.settings.pop("fallback"), self.place_of("fallback"), self.title
            )


class Profile:
    """The variables of one environment.

    Attributes:
        name: the profile's own name, even if it was loaded by an alias.
        path: its file; `files` are all files that were read, the base first.
        root: the folder that contains `profiles/`.
        lookup: the sources to search for a bare `{{ NAME }}`, in this order.
        fallback_seconds: how old the values may be that are used while a store is unavailable;
            None for no such values. A source may say otherwise.
        protected: whether commands that change it or run with it ask for a reason.
        access: the table `[access]`; None if there is none. `envkit.access` reads it.
        rotations: the tables `[rotation.NAME]`; `envkit.rotation_state.policy` reads them.
        warnings: settings that are valid but probably a mistake, each with its file.
    """

    __slots__ = (
        "access",
        "aliases",
        "fallback_seconds",
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
        self.fallback_seconds: float | None = None
        self.protected = False
        self.access: NamedTable | None = None
        here = Location(path)
        self.sources = {
            source: SourceSpec(source, type_name, here) for source, type_name in PREDECLARED.items()
        }
        self.variables: dict[str, Declaration] = {}
        self.rotations: dict[str, NamedTable] = {}
        self.warnings: list[str] = []

    @property
    def guarded(self) -> bool:
        """Whether a use of the profile is more than a read: it needs a reason or is notified."""
        return self.protected or self.access is not None

    def fallback_of(self, source: str) -> float | None:
        """Return how old the saved values of a source may be; None if none are saved or used."""
        own = self.sources[source].fallback_seconds
        return self.fallback_seconds if own is ... else own

    def set_value(self, name: str, value: str) -> None:
        """Set a variable to literal text from the command line; add it if it is new."""
        if name not in self.variables:
            self.variables[name] = Declaration(name, {"secret": False}, {}, Location(self.path))
        self.variables[name].set_value(value)


def placeholders(setting: Any) -> Iterator[Placeholder]:
    """Yield the placeholders in a setting of a source: a string, or the strings of a list or table.

    Raises:
        PlaceholderError: a placeholder is not well-formed.
    """
    if isinstance(setting, str):
        yield from parse(setting).placeholders
    elif isinstance(setting, dict | list):
        for item in setting.values() if isinstance(setting, dict) else setting:
            yield from placeholders(item)
