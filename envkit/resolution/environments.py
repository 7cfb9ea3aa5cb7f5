"""Describe each profile of a folder, for `envkit list`. No store is read.

A profile that cannot be read does not hide another one.
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
        name: the profile's; `aliases` are its other names.
        path: its file; None where it is not clear which.
        extends: the profiles that it names itself, in their order.
        sources: the sources that its variables and rotations are read from -> their types.
        protected: whether its use needs a reason; None where it cannot be read.
        variables: how many it has; None where it cannot be read.
        error: why it cannot be used.
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
    """Return a description of each profile of a folder, sorted by name.

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
    """Return the sources that are used: by a variable, or declared for something else."""
    used = {*plan(profile, profile.variables).references}
    declared = (name for name, spec in profile.sources.items() if spec.settings)
    used.update(declared)
    return {name: spec.type for name, spec in profile.sources.items() if name in used}
