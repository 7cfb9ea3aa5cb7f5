"""Describe each profile of a folder, for `envkit list`. Reads no store.

A profile that cannot be read does not hide the others.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import EnvkitError, ProfileError
from envkit.profile.discovery import profile_names, profile_path
from envkit.profile.loader import load, read_profile_file
from envkit.profile.toml_file import names
from envkit.resolution.plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.profile.model import Profile


class ListedEnvironment(NamedTuple):
    """One profile.

    Attributes:
        name: the profile's name; `aliases` are its other names.
        path: its file; None if the file is ambiguous.
        extends: the profiles that it names in `extends`, in order.
        sources: the sources that its variables and rotations use -> their types.
        protected: whether its use needs a reason; None if it cannot be read.
        variables: the number of variables; None if it cannot be read.
        error: why the profile cannot be used.
    """

    name: str
    path: str | None
    aliases: tuple[str, ...] = ()
    extends: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    protected: bool | None = None
    variables: int | None = None
    error: EnvkitError | None = None


def survey(folder: str) -> list[ListedEnvironment]:
    """Return a description of each profile in a folder, sorted by name.

    Raises:
        ProfileError: the folder cannot be read.
    """
    return [_listed(folder, name) for name in profile_names(folder)]


def _listed(folder: str, name: str) -> ListedEnvironment:
    path = None
    try:
        path = profile_path(folder, name)
        profile = load(name, folder)
        document, top = read_profile_file(profile.path)
        return ListedEnvironment(
            name,
            path,
            profile.aliases,
            names(document.get("extends", []), top.at("extends"), "extends"),
            _sources(profile),
            profile.protected,
            len(profile.variables),
        )
    except EnvkitError as error:
        if not isinstance(error, ProfileError) and not hasattr(error, "failures"):
            raise
        return ListedEnvironment(name, path, error=error)


def _sources(profile: Profile) -> dict[str, str]:
    """Return the sources that a variable uses or that the profile declares."""
    used = {*plan(profile, profile.variables).references}
    declared = (name for name, spec in profile.sources.items() if spec.settings)
    used.update(declared)
    return {name: spec.type for name, spec in profile.sources.items() if name in used}
