"""Prepare a profile although a source of it cannot be opened.

`prepare` stops at such a source, because an app must not start without it. For a report
it stands there closed, and only the variables that it holds cannot be read.
"""

from __future__ import annotations

from envkit.errors import AbsentError, AuthError, SourceError
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.prepare import prepare
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import ClassVar

    from envkit._internal.clock import Deadline
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import Prepared
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


def prepare_one(
    environment: str,
    *,
    profiles: str | None,
    only: Sequence[str],
    exclude: Sequence[str],
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None,
) -> Prepared:
    """Do what `prepare` does for one environment, with sources that may be closed.

    Raises:
        ProfileError: the profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """

    def prepared(sources: Mapping[str, Source] | None) -> Prepared:
        [one] = prepare(
            (environment,),
            profiles=profiles,
            only=only,
            exclude=exclude,
            environ=environ,
            deadline=deadline,
            sources=sources,
        )
        return one

    try:
        return prepared(sources)
    except (AbsentError, SourceError):
        profile = load(environment, profiles_folder(profiles, environ))
        opened: dict[str, Source] = {}
        for name in profile.sources:
            try:
                opened[name] = open_source(profile, name, environ=environ, deadline=deadline)
            except (AbsentError, SourceError) as error:
                opened[name] = _Closed(name, AuthError(error.message, hint=error.hint))
        return prepared({**opened, **(sources or {})})


class _Closed:
    """Stands for a source that cannot be opened; every reading of it fails alike."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}
    remote: ClassVar[bool] = False

    def __init__(self, name: str, error: AuthError) -> None:
        self.name = name
        self._error = error

    def check(self, ref: Reference) -> None:
        """Accept everything."""

    def locate(self, ref: Reference) -> str:
        """Return the reference as it is written."""
        return str(ref)

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Return the error for each of `refs`."""
        return dict.fromkeys(refs, self._error)
