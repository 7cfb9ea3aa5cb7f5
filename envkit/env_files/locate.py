"""Find the `.env` file of an environment.

It is the file to which the environment's profile adds new variables: in `path` of its first source
of `.env` files, the last one that is not a `.local` file. Without a profile it is `.env.NAME` in
the working folder.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.files import resolved
from envkit._internal.paths import display_path
from envkit.dotenv.file import main_file
from envkit.env_files.readers import ANY, guarded_readers
from envkit.errors import IncompleteError, ProfileError, ProfileNotFoundError, UsageError
from envkit.profile.discovery import is_profile_name, profile_names, profiles_folder
from envkit.profile.loader import load
from envkit.profile.placeholder import Reference
from envkit.sources.dotenv import PREVIOUS_SUFFIX, DotenvSource
from envkit.sources.model import SourceContext
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.profile.model import Profile

DEFAULT_SECONDS = 15.0
_OF_SHELL = "~$*,?%"  # a path with these is only taken as it is after `./`


class EnvFile(NamedTuple):
    """The `.env` file of an environment. It may not exist.

    Attributes:
        environment: the name of the environment; empty if the user named a file.
        name: the path of the file for people.
        path: the absolute path of the file, without links.
        beside: the absolute path of the file as it was named, in a folder without links. The
            private keys and the copy of the previous version are beside it.
        profile: the profile that reads the file; None without a profile.
        source: the source that reads and writes the file.
        guards: the profiles with access rules that read the file.
    """

    environment: str
    name: str
    path: str
    beside: str
    profile: Profile | None
    source: DotenvSource
    guards: tuple[Profile, ...] = ()

    @property
    def option(self) -> str:
        """The option that names the file in a command line: `--env prod`."""
        if self.environment:
            return f"--env {self.environment}"
        from shlex import quote

        return f"--file {quote(self.name)}"

    @property
    def previous(self) -> str:
        """The absolute path of the copy of the previous version."""
        return self.beside + PREVIOUS_SUFFIX

    def reference(self, variable: str) -> Reference:
        """Return the reference to a variable of the file."""
        inner = os.path.relpath(self.beside, self.source.root)
        if inner.strip() != inner or any(mark in inner for mark in _OF_SHELL):
            inner = f"./{inner}"
        return Reference(self.source.name, inner, variable)


def locate(
    environments: Sequence[str],
    file: str | None,
    *,
    profiles: str | None,
    environ: Mapping[str, str],
    timeout_seconds: float = DEFAULT_SECONDS,
) -> EnvFile:
    """Find the file of an environment, or the file that the user named.

    Args:
        environments: the name of one environment, or none for `ENVKIT_ENV`.
        file: the path of a file, in place of an environment. If a profile with access rules adds
            new variables to it, it is found as the file of this profile.
        profiles: the folder of profiles, if the user named it.
        environ: the process environment.
        timeout_seconds: for all reads and locks together.

    Raises:
        UsageError: not exactly one environment or file.
        UntrustedError: the file is outside the project, and the user has not allowed that.
        EnvkitError: the profile cannot be read.
    """
    deadline = Deadline(timeout_seconds)
    if file is not None:
        if environments:
            raise UsageError("name an environment or a file, not both", hint="leave out --file")
        found = of_path(file, environ, deadline)
        guards = guarded_readers(file, profiles, environ, deadline)
        for guard in guards:
            own = of_profile(guard, environ, deadline)
            if own.path == found.path:
                found = own._replace(environment="")  # the user named the file
                break
        return found._replace(guards=tuple(guards))
    names = [*environments] or [name for name in (environ.get("ENVKIT_ENV"),) if name]
    if not names:
        raise IncompleteError("no environment", hint="add --env NAME, or set ENVKIT_ENV")
    if len(names) > 1:
        raise UsageError("only one environment can be changed at a time", hint="use --env once")
    profile = _profile(names[0], profiles, environ)
    if profile is not None:
        found = of_profile(profile, environ, deadline)
        return found._replace(
            guards=tuple(guarded_readers(found.beside, profiles, environ, deadline))
        )
    if not is_profile_name(names[0]):
        raise UsageError(
            f"an environment cannot be called '{names[0]}'", hint="use letters, digits, '-' and '_'"
        )
    return _without_profile(names[0], environ, deadline)


def of_profile(profile: Profile, environ: Mapping[str, str], deadline: Deadline) -> EnvFile:
    """Return the file that a profile reads."""
    found = [name for name in profile.lookup if _is_dotenv(profile, name)]
    found += [name for name in profile.sources if _is_dotenv(profile, name)]
    if not found:
        raise ProfileError(
            f"{profile.name} reads no .env file", hint="name the file with --file FILE"
        )
    source = open_source(profile, found[0], environ=environ, deadline=deadline)
    assert isinstance(source, DotenvSource)  # noqa: S101 - its type says so
    paths = source.files(Reference(source.name, "", ANY))
    if "path" in profile.sources[found[0]].settings:
        beside = paths[main_file(paths)]
    else:
        beside = next((path for path in paths if os.path.lexists(path)), paths[0])
    return _made(profile.name, beside, profile, source)


def of_path(file: str, environ: Mapping[str, str], deadline: Deadline) -> EnvFile:
    """Return the file at a path, whose links are followed: the user named it."""
    real = resolved(file)
    if not os.path.basename(file) or os.path.isdir(real):
        raise UsageError(f"{file or repr('')} is not a file", hint="name a .env file")
    context = SourceContext(
        "dotenv",
        settings={"path": f"./{os.path.basename(real)}"},
        root=os.path.dirname(real),
        environ=environ,
        deadline=deadline,
    )
    return _made("", real, None, DotenvSource(context))


def _profile(name: str, profiles: str | None, environ: Mapping[str, str]) -> Profile | None:
    """Return the profile of an environment; None if the project has no profiles."""
    try:
        folder = profiles_folder(profiles, environ)
    except ProfileNotFoundError:
        if profiles is not None or environ.get("ENVKIT_PROFILES"):
            raise
        return None
    return load(name, folder) if profile_names(folder) else None


def _is_dotenv(profile: Profile, name: str) -> bool:
    return name in profile.sources and profile.sources[name].type == "dotenv"


def _without_profile(name: str, environ: Mapping[str, str], deadline: Deadline) -> EnvFile:
    root = resolved(".")
    context = SourceContext(
        "dotenv", environment=name, root=root, environ=environ, deadline=deadline
    )
    return _made(name, os.path.join(root, f".env.{name}"), None, DotenvSource(context))


def _made(environment: str, path: str, profile: Profile | None, source: DotenvSource) -> EnvFile:
    real, previous = source.places(path)
    beside = previous.removesuffix(PREVIOUS_SUFFIX)
    return EnvFile(environment, display_path(path), real, beside, profile, source)
