"""Look at sources: return a token for each reference, which is equal as long as its value is.

A source that implements `VersionCheck` is asked the cheap question. Any other is read, and its
values are hashed with a random key of this process, so a token says nothing about a value. The
process environment and the sources of type `memory` cannot change, and are never looked at.
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import EnvkitError, InvalidReferenceError, ProtocolError, SourceError
from envkit.resolution.fetch import ask
from envkit.sources.fingerprint import fingerprint
from envkit.sources.model import Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source, VersionCheck

    Found: TypeAlias = "str | Absent | EnvkitError"

POLL_SECONDS = 60.0
LOCAL_POLL_SECONDS = 1.0
PROFILES = "profiles"  # the files of the profiles, which are looked at as a source is
_UNCHANGING = ("env", "memory")  # types of sources
_ABSENT = "absent"


class WatchedSource(NamedTuple):
    """A source of a prepared profile that is looked at.

    Attributes:
        name: unique among the prepared profiles: `prod/vault`.
        source: the opened source.
        references: the references to look at.
        poll_seconds: between two looks.
        is_quick: whether a look neither blocks nor needs the client of a store.
    """

    name: str
    source: Source
    references: Sequence[Reference]
    poll_seconds: float
    is_quick: bool


class Look(NamedTuple):
    """What a look at one source gave.

    Attributes:
        tokens: by reference, of plain data.
        error: why it is not all of them.
    """

    tokens: Mapping[Hashable, Hashable]
    error: EnvkitError | None = None


def watched_sources(prepared: Sequence[PreparedProfile]) -> dict[str, WatchedSource]:
    """Return by name the sources of prepared profiles that can change."""
    found = {}
    for one in prepared:
        for name, references in one.plan.references.items():
            source, spec = one.sources[name], one.profile.sources[name]
            if spec.type in _UNCHANGING or not references:
                continue
            quick = not source.remote and hasattr(source, "versions")
            poll = spec.poll_seconds or (LOCAL_POLL_SECONDS if quick else POLL_SECONDS)
            full = f"{one.profile.name}/{name}"
            found[full] = WatchedSource(full, source, references, poll, quick)
    return found


def polls(watched: Mapping[str, WatchedSource]) -> dict[str, float]:
    """Return the seconds between two looks, for the sources by name and for PROFILES."""
    return {
        PROFILES: LOCAL_POLL_SECONDS,
        **{name: one.poll_seconds for name, one in watched.items()},
    }


def look(watched: WatchedSource) -> Look:
    """Look at one source. It raises nothing."""
    source, references = watched.source, watched.references
    if hasattr(source, "versions"):
        found = _versions(source, references)  # type: ignore[arg-type] # `isinstance` takes `typing`
    else:
        found = {ref: _fingerprint(outcome) for ref, outcome in ask(source, references).items()}
    tokens: dict[Hashable, Hashable] = {}
    error = None
    for ref, one in found.items():
        if isinstance(one, EnvkitError):
            error = error or one
        else:
            tokens[tuple(ref)] = _ABSENT if isinstance(one, Absent) else f"={one}"
    return Look(tokens, error)


def _versions(source: VersionCheck, references: Sequence[Reference]) -> dict[Reference, Found]:
    try:
        answer = source.versions(references)
        found = {ref: answer.get(ref, Absent()) for ref in references}
    except (SourceError, InvalidReferenceError) as error:
        return dict.fromkeys(references, error)
    except Exception as bug:  # noqa: BLE001 - what a bug says may show a value
        crash = ProtocolError(f"the source '{_name(source)}' crashed: {type(bug).__name__}")
        return dict.fromkeys(references, crash)
    return found


def _name(source: object) -> str:
    return str(getattr(source, "name", ""))


def _fingerprint(outcome: object) -> Found:
    if isinstance(outcome, Reading):
        return fingerprint(outcome.value.reveal())
    if isinstance(outcome, Absent | EnvkitError):
        return outcome
    raise AssertionError(type(outcome))


def look_at_files(paths: Iterable[str]) -> Look:
    """Look at files, each of which has changed if its token has; it need not be there."""
    return Look({path: _state_of(path) for path in paths})


def _state_of(path: str) -> tuple[int, ...] | int | None:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
