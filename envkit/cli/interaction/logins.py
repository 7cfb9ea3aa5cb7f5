"""Find and open the source that `envkit login` and `envkit logout` mean."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from envkit._internal.suggestions import did_you_mean
from envkit.audit import log
from envkit.errors import UsageError
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from envkit.resolution.prepare import named, require_trust
from envkit.sources.protocols import Login
from envkit.sources.registry import open_source, source_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile


class Found(NamedTuple):
    """The source to log in to or out of."""

    profile: Profile
    name: str
    login: Login


def opened_source(
    name: str | None, env: Sequence[str], profiles: str | None, deadline: Deadline
) -> Found:
    """Open the named source of a profile, or its only one that has logins.

    Raises:
        UsageError: no environment is given, or the source is not clear or has no logins.
        ProfileError: the profile is missing or not valid.
        UntrustedError: the profile is not trusted with the login.
    """
    environments = named(env, os.environ)
    if len(environments) > 1:
        raise UsageError("a login is for one environment", hint="give --env once")
    profile = load(environments[0], profiles_folder(profiles, os.environ))
    log.destination(os.environ)
    chosen = _chosen(profile, name)
    # the person decides, before anything is sent
    require_trust(profile, {chosen: ()}, os.environ, deadline)
    source = open_source(profile, chosen, environ=os.environ, deadline=deadline)
    assert isinstance(source, Login)  # noqa: S101 - `_chosen` has looked
    return Found(profile, chosen, source)


def _chosen(profile: Profile, name: str | None) -> str:
    known = [one for one in profile.sources if _has_logins(profile, one)]
    if name is not None:
        if name in known:
            return name
        if name in profile.sources:
            raise UsageError(
                f"'{name}' in {profile.name} is not a store that you log in to",
                hint="name a source of type vault or aws-secrets-manager",
            )
        raise UsageError(
            f"{profile.name} has no source '{name}'", hint=did_you_mean(name, profile.sources)
        )
    used = plan(profile, profile.variables).references
    wanted = [one for one in known if one in used or profile.sources[one].settings]
    asking = [
        one for one in wanted if {"auth", "mfa_serial"} & profile.sources[one].settings.keys()
    ]
    wanted = asking or wanted
    if len(wanted) == 1:
        return wanted[0]
    if not wanted:
        raise UsageError(
            f"{profile.name} uses no store that you log in to",
            hint="name a source of type vault or aws-secrets-manager",
        )
    raise UsageError(
        f"{profile.name} uses several stores that you log in to: {', '.join(wanted)}",
        hint=f"name one of them: envkit login --env {profile.name} {wanted[0]}",
    )


def _has_logins(profile: Profile, name: str) -> bool:
    kind = source_type(profile.sources[name])
    return all(hasattr(kind, method) for method in ("log_in", "log_out"))
