"""The calls for programs that load their own environment."""

from __future__ import annotations

import os

from envkit.resolution import DEFAULT_TIMEOUT_SECONDS, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.environment import Environment


def load(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    override: bool = True,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> Environment:
    """Resolve an environment into `os.environ`, where nothing is changed if anything fails.

    Args:
        environments: names or aliases of profiles; `ENVKIT_ENV` where none is given.
        profiles: the folder of profiles.
        only: globs; variables that match none of them are left out.
        exclude: globs; variables that match one of them are left out.
        override: whether the profile wins over what `os.environ` has already.
        timeout_seconds: for all stores together.

    Returns:
        the environment.

    Raises:
        EnvkitError: as `resolve`.
    """
    environment = resolve(
        *environments,
        profiles=profiles,
        only=only,
        exclude=exclude,
        timeout_seconds=timeout_seconds,
    )
    for name, value in environment.items():
        if override or name not in os.environ:
            os.environb[name.encode()] = value.to_bytes()
    return environment
