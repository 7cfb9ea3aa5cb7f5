"""The state of a running watcher, in a file without values, for `envkit doctor --watchers`.

    $XDG_STATE_HOME/envkit/watchers/4711-8842.json      # pid, and when that process started

The file is 0600 in a folder 0700, and is removed when the watcher ends. The next listing removes
that of a watcher that was killed, even if another process has the pid by now: it started at
another time. It is a convenience: a file that cannot be written stops nothing.
"""

from __future__ import annotations

import os
import time
from time import monotonic

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.paths import state_folder
from envkit._internal.processes import namespace, process_name
from envkit.errors import EnvkitError
from envkit.resident.state import (
    FOREVER,
    Announced,
    Lease,
    Leased,
    Looked,
    ReadRefused,
    ReadValid,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Any

    from envkit.resident.noticing import WatchedSource
    from envkit.resident.state import Event, State

    def _quoted(text: str) -> str: ...
else:
    try:  # as `json` does
        from _json import encode_basestring_ascii as _quoted
    except ImportError:
        from json.encoder import encode_basestring_ascii as _quoted

FOLDER = "watchers"
PAUSE_SECONDS = 10.0  # between two writes that say only when a source is looked at next
MAX_BYTES = 4 * 1024 * 1024


class Holding(NamedTuple):
    """The state of one watcher; times are seconds since the epoch.

    Attributes:
        pid: of the watcher.
        profiles: their names.
        since: when it began.
        variables: per name its `versions` in the stores, and `since` when it has this value.
        sources: per name its `poll_seconds`, the `next_look` (None for files), the `failure` of
            the last look, a code; empty if it succeeded; and when its login and leases are renewed
            next, and its secrets read anew: `renew_at` and `replace_at`, or None.
        failure: the code of the last read of the environment; empty if it succeeded.
    """

    pid: int
    profiles: Sequence[str]
    since: float
    variables: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, Mapping[str, Any]]
    failure: str


class HoldingFile:
    """Writes the file of this process. Nothing that it does raises."""

    def __init__(self) -> None:
        self._path = os.path.join(_folder(), _name(os.getpid()))
        self._pid = os.getpid()
        self._since = time.time()
        self._failures: dict[str, str] = {}
        self._failure = ""
        self._variables: dict[str, dict[str, object]] = {}
        self._changed = True
        self._checked_at = float("-inf")
        self._written: Holding | None = None

    def note(self, event: Event) -> None:
        """Take over what an event says of failures."""
        match event:
            case Looked():
                code = event.error.code if event.error is not None else ""
                self._changed |= self._failures.get(event.source, "") != code
                self._failures[event.source] = code
            case ReadRefused():
                self._failure, self._changed = event.error.code, True
            case ReadValid():
                self._failure, self._changed = "", True
            case Announced() | Leased():
                self._changed = True
            case _:
                pass

    def hold(
        self,
        names: Sequence[str],
        versions: Mapping[str, Sequence[str]],
        changed: Collection[str],
    ) -> None:
        """Take over the variables of an environment that was announced.

        Args:
            names: all variables.
            versions: of the secrets that they were made from.
            changed: those that have another value than before.
        """
        now = time.time()
        before = self._variables
        self._variables = {
            name: {
                "versions": list(versions.get(name, ())),
                "since": now if name in changed or name not in before else before[name]["since"],
            }
            for name in names
        }
        self._changed = True

    def write(self, state: State, watched: Mapping[str, WatchedSource], now: float) -> None:
        """Write the file if there is something new.

        Args:
            state: of the watcher.
            watched: its sources.
            now: on the monotonic clock.
        """
        if not self._changed and now < self._checked_at + PAUSE_SECONDS:
            return
        self._changed, self._checked_at = False, now
        clock = time.time() - monotonic()
        sources = {
            name: {
                "poll_seconds": one.poll_seconds,
                # files are looked at too often for that
                "next_look": None if one.is_quick else round(state.sources[name].next_look + clock),
                "failure": self._failures.get(name, ""),
                "renew_at": _moment(state.leases.get(name, Lease()).renew_at, clock),
                "replace_at": _moment(state.leases.get(name, Lease()).replace_at, clock),
            }
            for name, one in watched.items()
            if name in state.sources
        }
        profiles = list(dict.fromkeys(name.partition("/")[0] for name in watched))
        holding = Holding(self._pid, profiles, self._since, self._variables, sources, self._failure)
        if holding != self._written:
            self._written = holding
            self._persist(holding)

    def remove(self) -> None:
        """Remove the file; a child process does not."""
        if os.getpid() == self._pid:
            _remove(self._path)

    def _persist(self, holding: Holding) -> None:
        from envkit._internal.writing.atomic_write import write_own

        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            folder = os.path.realpath(os.path.dirname(self._path))
            path = os.path.join(folder, os.path.basename(self._path))
            write_own(path, _json({**holding._asdict(), "host": namespace()}).encode())
        except (OSError, EnvkitError):
            return


def running() -> list[Holding]:
    """Return the state of each running watcher of this user on this host, oldest first."""
    return sorted(_running(), key=lambda one: one.since)


def _running() -> Iterator[Holding]:
    import json

    from envkit._internal.files import read_own

    folder = os.path.realpath(_folder())
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        try:
            content, state = read_own(path, MAX_BYTES)
            parts = dict(json.loads(content))
            host, holding = parts.pop("host"), Holding(**parts)
            if state.st_uid != os.geteuid() or host != namespace():
                continue  # it may run in another container, which has the same home
        except (OSError, EnvkitError, ValueError, TypeError, LookupError, RecursionError):
            continue
        if _name(holding.pid) == name:
            yield holding
        else:
            _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _moment(at: float, clock: float) -> int | None:
    return None if at == FOREVER else round(at + clock)


def _json(value: object) -> str:
    """Return JSON text without `json`, whose import a watcher would keep in memory."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    return "null" if value is None else repr(value)  # a number


def _folder() -> str:
    return os.path.join(state_folder(os.environ), FOLDER)


def _name(pid: int) -> str:
    """Return the name of the file of the process that has this pid now; empty if none has."""
    name = process_name(pid)
    return f"{name}.json" if name else ""
