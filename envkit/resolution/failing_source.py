"""A source that replaces one that cannot be opened, and fails every read.

With it, a report can still cover the variables of all other sources.
"""

from __future__ import annotations

from envkit.errors import AbsentError, AuthError, SourceError
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import ClassVar

    from envkit._internal.clock import Deadline
    from envkit.errors import EnvkitError
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


class FailingSource:
    """A source whose every read fails with the same error.

    Args:
        name: the source's name in the profile.
        cause: why the source cannot be opened.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}
    remote: ClassVar[bool] = False

    def __init__(self, name: str, cause: EnvkitError) -> None:
        self.name = name
        self._error = AuthError(cause.message, hint=cause.hint)

    def check(self, ref: Reference) -> None:
        """Accept every reference."""

    def locate(self, ref: Reference) -> str:
        """Return the reference as written."""
        return str(ref)

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Return the error for each of `refs`."""
        return dict.fromkeys(refs, self._error)


def open_or_fail(
    profile: Profile,
    name: str,
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    locating: bool = False,
) -> Source:
    """Open a source; if that fails, return a `FailingSource`.

    Args:
        profile: a loaded profile.
        name: the name of one of its sources.
        environ: the process environment.
        deadline: nothing waits longer.
        locating: see `open_source`.
    """
    try:
        return open_source(profile, name, environ=environ, deadline=deadline, locating=locating)
    except (AbsentError, SourceError) as error:
        return FailingSource(name, error)
