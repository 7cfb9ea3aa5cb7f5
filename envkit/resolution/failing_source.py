"""Stands in for a source that cannot be opened, so that a report covers everything else."""

from __future__ import annotations

from envkit.errors import AuthError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import ClassVar

    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome


class FailingSource:
    """A source of which every reading fails in the same way.

    Args:
        name: as in the profile.
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
        """Return the reference as it is written."""
        return str(ref)

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Return the error for each of `refs`."""
        return dict.fromkeys(refs, self._error)
