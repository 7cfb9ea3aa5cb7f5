"""Find the profiles with access rules that read a `.env` file: as a layer, a local file or by name.

The folders of profiles are that of the command and those above the file, so it does not matter
where the command runs. A profile elsewhere that reads the file is not found.
"""

from __future__ import annotations

import contextlib
import os

from envkit.errors import EnvkitError, ProfileError
from envkit.profile.discovery import folders_above, profile_names, profiles_folder
from envkit.profile.loader import load
from envkit.profile.placeholder import Reference
from envkit.resolution.plan import plan
from envkit.sources.dotenv import PREVIOUS_SUFFIX, DotenvSource
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile

ANY = "ANY"  # a variable; every one is looked up in the same files


def guarded_readers(
    named: str, profiles: str | None, environ: Mapping[str, str], deadline: Deadline
) -> list[Profile]:
    """Return the profiles with access rules that read a file, or of whose file it is the copy.

    Args:
        named: the path of the file, which may be a link or not exist.
        profiles: the folder of profiles, if the user named it.
        environ: the process environment.
        deadline: nothing waits longer.
    """
    named = os.path.abspath(named)
    real = os.path.realpath(named)
    folders: list[str] = []
    with contextlib.suppress(ProfileError):
        folders.append(profiles_folder(profiles, environ))
    for path in (named, real):
        folders += folders_above(os.path.dirname(path))
    found: list[Profile] = []
    for folder in dict.fromkeys(map(os.path.realpath, folders)):
        with contextlib.suppress(ProfileError):
            for name in profile_names(folder):
                with contextlib.suppress(EnvkitError):  # a profile that is not valid has no user
                    profile = load(name, folder)
                    if profile.guarded and real in _files(profile, environ, deadline):
                        found.append(profile)
    return found


def _files(profile: Profile, environ: Mapping[str, str], deadline: Deadline) -> Iterator[str]:
    """Yield the real paths of the `.env` files that a profile reads, and of their saved copies."""
    references: Mapping[str, Sequence[Reference]] = {}
    with contextlib.suppress(EnvkitError):  # one wrong variable does not lift the rules
        references = plan(profile, list(profile.variables)).references
    for name, spec in profile.sources.items():
        if spec.type != "dotenv":
            continue
        with contextlib.suppress(EnvkitError):  # its `path` has no value; others may read the file
            source = open_source(profile, name, environ=environ, deadline=deadline, locating=True)
            assert isinstance(source, DotenvSource)  # noqa: S101 - its type says so
            for reference in (Reference(name, "", ANY), *references.get(name, ())):
                for path in source.files(reference):
                    yield os.path.realpath(path)
                    yield os.path.realpath(path + PREVIOUS_SUFFIX)
