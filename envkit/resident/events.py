"""What a watcher reports: a new environment, or what a person is told."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.resident.state import Began, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from envkit.resident import state as states


class Changed(NamedTuple):
    """A new environment, complete and valid.

    Attributes:
        environ: all variables for the app, as `overlay` returns them.
        names: the profile's variables whose value is new, and those that are gone; for the
            first environment all of them.
        versions: per variable the versions of the secrets that it was made from, for audit.
    """

    environ: dict[bytes, bytes]
    names: tuple[str, ...]
    versions: dict[str, list[str]]

    def __repr__(self) -> str:
        return f"Changed(names={self.names!r})"


class Warned(NamedTuple):
    """A store has begun to fail, or the environment is no longer valid; once per outage.

    Attributes:
        text: for people, without values.
        hints: what to do about it, in the imperative.
    """

    text: str
    hints: tuple[str, ...] = ()


class Recovered(NamedTuple):
    """What a `Warned` said is over.

    Attributes:
        text: for people, without values.
    """

    text: str


if TYPE_CHECKING:
    Event: TypeAlias = Changed | Warned | Recovered


def event_of(notice: states.Notice) -> Warned | Recovered:
    """Return what a person is told of a notice."""
    if isinstance(notice, Began):
        return Warned(_text(notice), tuple(notice.error.hints()))
    return Recovered(_text(notice))


def _text(notice: states.Notice) -> str:
    if notice.source is not None:
        profile, _, source = notice.source.partition("/")
        which = f"source '{source}' of {profile}"
        if isinstance(notice, Began):
            return f"cannot look for changes in {which}: {notice.error.message}"
        return f"{which} answers again"
    if notice.problem is Problem.INVALID:
        if isinstance(notice, Began):
            return f"the changed environment is not valid, and not used: {notice.error.message}"
        return "the environment is valid again"
    if isinstance(notice, Began):
        return f"cannot read the changed environment: {notice.error.message}"
    return "the environment can be read again"
