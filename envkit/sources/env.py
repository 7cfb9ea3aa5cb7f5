"""The process environment, as set by a platform (Heroku, Vercel, Railway).

`env:NAME`, or a bare name that is looked up here, is the variable with that name.
"""

from __future__ import annotations

import os

from envkit.errors import InvalidReferenceError
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import ClassVar

    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome, SourceContext


class EnvSource:
    """Reads the environment that envkit was started with."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}
    remote = False

    def __init__(self, context: SourceContext) -> None:
        self.name = context.name
        self._environ = values_of(context.environ)

    def check(self, ref: Reference) -> None:
        """Refuse a reference that is not just the name of a variable."""
        if ref.is_looked_up:
            return
        if ref.version is not None or ref.stage is not None:
            raise InvalidReferenceError(f"{ref} has a version, but environment variables have none")
        if ref.path and ref.field is not None:
            raise InvalidReferenceError(
                f"{ref} has a field, but environment variables have no fields",
                hint=f"for a field of a JSON value, write {self.locate(ref)} | json:/{ref.field}",
            )
        name = _name(ref)
        if not name or "=" in name or "\0" in name:
            raise InvalidReferenceError(f"{ref} is not the name of an environment variable")

    def locate(self, ref: Reference) -> str:
        """Return `env:NAME`."""
        return f"{self.name}:{_name(ref)}"

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Look up the variables."""
        environ = self._environ
        if environ is os.environ:  # its lookup of a missing variable is slow
            environ = dict(environ)
        absent = Absent("not in the environment")
        outcomes: dict[Reference, Outcome] = {}
        for ref in refs:
            value = environ.get(ref.path or ref.field or "")
            outcomes[ref] = (
                absent if value is None else Reading(Secret(value), None, self.locate(ref))
            )
        return outcomes


def _name(ref: Reference) -> str:
    return ref.path or ref.field or ""
