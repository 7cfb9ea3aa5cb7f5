"""Read one environment again and again, each time from its profile files and its stores.

What always holds: which environment it is, and in which folder, is decided at the first read,
so that a later `chdir` or a changed `ENVKIT_ENV` leads to no other one; every read opens its
sources anew, so that a read that was too late disturbs no later one; a login is shared by all
reads of the process. Reads are for one thread at a time.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit._internal.named_tuple import NamedTuple
from envkit.audit import log
from envkit.audit.session import Access
from envkit.errors import EnvkitError, ReasonMissingError, UsageError
from envkit.profile.discovery import profiles_folder
from envkit.resolution.prepare import named, prepare
from envkit.resolution.resolve import check_arguments, in_python, resolve_prepared
from envkit.resolution.selection import globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source


class Read(NamedTuple):
    """One read of an environment.

    Attributes:
        environment: every required variable has a value.
        access: records in the audit log which of its variables have changed.
    """

    environment: Environment
    access: Access

    def record(self, names: Sequence[str]) -> None:
        """Record that the values of `names` are new to this program.

        Raises:
            AuditError: a profile is protected, and the log cannot be written.
        """
        known = self.environment
        self.access.record(
            names, log.versions_of(known.variable(name) for name in names if name in known)
        )


class Reader:
    """See the module's docstring. `Live` describes the arguments.

    Attributes:
        name: of the environment; empty until it is known.
        is_local: whether no source of it is behind a network.
    """

    def __init__(
        self,
        environments: Sequence[str],
        *,
        profiles: str | None,
        only: Sequence[str],
        exclude: Sequence[str],
        timeout_seconds: float,
        sources: Mapping[str, Source] | None,
        reason: str | None,
    ) -> None:
        check_arguments(environments, {}, timeout_seconds)
        self.name = "+".join(environments)
        self.is_local = False
        self._environments = tuple(environments)
        self._profiles = None if profiles is None else os.path.abspath(profiles)
        self._only, self._exclude = tuple(globs(only)), tuple(globs(exclude))
        self._timeout_seconds = timeout_seconds
        self._sources = dict(sources or {})
        self._reason = reason
        self._files: dict[str, object] = {}

    def first(self) -> Read:
        """Read the environment, and record that this program begins to use it.

        Raises:
            EnvkitError: it cannot be read, may not be read without a reason, or cannot be
                recorded though a profile is protected.
        """
        with Access("live", reason=self._reason) as access:
            environment = self._read(access)
            access.succeed(environment.variables())
        return Read(environment, access)

    def again(self) -> Read:
        """Read the environment; what has changed is for the caller to record.

        Raises:
            EnvkitError: it cannot be read now, or is not valid.
        """
        access = Access("live", reason=self._reason)
        return Read(self._read(access), access)

    def files_changed(self) -> bool:
        """Return whether a profile file or a `.env` file is not as the last read found it."""
        return self._files != _states(self._files)

    def _read(self, access: Access) -> Environment:
        try:
            deadline = Deadline(self._timeout_seconds)
            prepared = self._prepare(deadline)
            access.begin(prepared)
            environment = resolve_prepared(prepared, deadline)
        except EnvkitError as error:
            if isinstance(error, UsageError | ReasonMissingError) and error.hint:
                error.hint = in_python(error.hint)
            # frames below have the process environment in their variables; see `resolve`
            raise error.with_traceback(None) from error.__cause__
        self.name = environment.name
        return environment

    def _prepare(self, deadline: Deadline) -> list[PreparedProfile]:
        # before anything is read: a file that changes meanwhile is read once more
        self._files = _states(self._files)
        self._environments = tuple(named(self._environments, os.environ))
        self._profiles = profiles_folder(self._profiles, os.environ)
        prepared = prepare(
            self._environments,
            profiles=self._profiles,
            only=self._only,
            exclude=self._exclude,
            environ=os.environ,
            deadline=deadline,
            sources=self._sources,
        )
        paths = dict.fromkeys(path for one in prepared for path in _files_of(one))
        new = _states(path for path in paths if path not in self._files)
        self._files = {path: self._files.get(path, new.get(path)) for path in paths}
        self.is_local = not any(s.remote for one in prepared for s in one.sources.values())
        own = [
            s for one in prepared for name, s in one.sources.items() if name not in self._sources
        ]
        for share in (getattr(source, "share_connection", None) for source in own):
            if share is not None:
                share()
        return prepared


def _files_of(prepared: PreparedProfile) -> Iterator[str]:
    """Yield the profile's files, and those in which its `.env` sources look variables up."""
    yield from prepared.profile.files
    for name, references in prepared.plan.references.items():
        files = getattr(prepared.sources[name], "files", None)
        if files is not None:
            for reference in references:
                yield from files(reference)


def _states(paths: Iterable[str]) -> dict[str, object]:
    """Return what changes about a file with each write; None for one that is not there."""
    return {path: _state(path) for path in paths}


def _state(path: str) -> object:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
