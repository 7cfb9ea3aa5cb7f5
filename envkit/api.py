"""Functions for programs that load their own environment."""

from __future__ import annotations

import os

from envkit.errors import InvalidValueError
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.comparison.model import EnvDiff
    from envkit.resolution.environment import Environment


def load(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    override: bool = True,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> Environment:
    """Resolve an environment into `os.environ`; if anything fails, change nothing.

    Args:
        environments: names or aliases of profiles; default: `ENVKIT_ENV`.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then an upward search.
        only: one or more globs; only variables that match one of them are included.
        exclude: one or more globs; variables that match one of them are excluded.
        override: whether the profile replaces values that `os.environ` already has.
        timeout_seconds: the limit for all stores together, in seconds.

    Returns:
        the environment.

    Raises:
        UsageError: no environment is given, or no profile has a name in `only` or `exclude`.
        ProfileError: a profile is missing or not valid.
        ResolutionError: required variables have no value; it lists all of them.
        InvalidValueError: a value has a NUL byte, which only a variable as a file can have.
    """
    environment = resolve(
        *environments,
        profiles=profiles,
        only=only,
        exclude=exclude,
        timeout_seconds=timeout_seconds,
    )
    values = {
        name.encode(): value.to_bytes()
        for name, value in environment.items()
        if override or name not in os.environ
    }
    if unfit := [name.decode() for name, value in values.items() if b"\0" in value]:
        raise InvalidValueError(
            f"cannot set {', '.join(unfit)}: no variable of a process can have a NUL byte",
            hint=f"write exclude={unfit}, and read each from envkit.resolve()",
        )
    os.environb.update(values)
    os.environ.pop("ENVKIT_STALE", None)
    if environment.stale_seconds is not None:
        os.environ["ENVKIT_STALE"] = "1"
    return environment


def diff(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> EnvDiff:
    """Compare two or more environments, as far as their stores can be read.

    Args:
        environments: names or aliases of profiles; also `prod@v12`, `prod@2026-11-01`,
            `file:PATH`, `env:` and `pid:NUMBER`.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then an upward search.
        only: one or more globs; only variables that match one of them are included.
        exclude: one or more globs; variables that match one of them are excluded.
        timeout_seconds: the limit for all stores together, in seconds.

    Returns:
        the differences, without any secret. A variable that could not be read is
        `unreadable`, which is not an error.

    Raises:
        UsageError: a name is unknown, or there are fewer than two names.
        ProfileError: a profile is missing or not valid.
        EnvkitError: a file or a process cannot be read.
    """
    from envkit.comparison import compare
    from envkit.comparison.sides import prepare_sides, read_sides
    from envkit.errors import EnvkitError

    try:
        prepared = prepare_sides(
            environments,
            profiles=profiles,
            only=only,
            exclude=exclude,
            timeout_seconds=timeout_seconds,
        )
        return compare.diff(*read_sides(prepared))
    except EnvkitError as error:
        raise error.with_traceback(None) from error.__cause__  # as `resolve` does
