"""Read one environment again and again, each time from its profile files and its stores.

Guarantees: which environment it is, and in which folder, is decided at the first read,
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
from envkit.resident.in_process.logins import Logins
from envkit.resident.in_process.looking import Watched
from envkit.resident.in_process.outage import LOG
from envkit.resident.logins import RELEASE_SECONDS, hold_leases
from envkit.resident.noticing import PROFILES, look, look_at_files, watched_sources
from envkit.resolution.prepare import named, prepare
from envkit.resolution.resolve import (
    KEEP,
    USE,
    check_arguments,
    in_python,
    resolve_prepared,
    stale_text,
)
from envkit.resolution.selection import globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source


class Read(NamedTuple):
    """One read of an environment.

    Attributes:
        environment: every required variable has a value.
        watched: what says whether it is still the same.
        access: records in the audit log which of its variables have changed.
    """

    environment: Environment
    watched: Watched
    access: Access

    def record(self, names: Sequence[str]) -> None:
        """Record that the values of `names` are new to this program.

        Raises:
            AuditError: a profile is protected, and the log cannot be written.
        """
        known = self.environment
        variables = (known.variable(name) for name in names if name in known)
        self.access.record(names, log.versions_of(variables))


class Reader:
    """See the module's docstring. `Live` describes the arguments.

    Attributes:
        name: of the environment; empty until it is known.
        logins: of its sources.
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
        self.logins = Logins()
        self._environments = tuple(environments)
        self._profiles = None if profiles is None else os.path.abspath(profiles)
        self._only, self._exclude = tuple(globs(only)), tuple(globs(exclude))
        self._timeout_seconds = timeout_seconds
        self._sources = dict(sources or {})
        self._reason = reason
        self._watched: Watched | None = None  # whose sources have the logins

    def first(self) -> Read:
        """Read the environment, and record that this program begins to use it.

        Raises:
            EnvkitError: it cannot be read, may not be read without a reason, or cannot be
                recorded though a profile is protected.
        """
        with Access("live", reason=self._reason, service=True) as access:
            read = self._read(access, USE)
            stale = read.environment.stale_seconds
            access.succeed(read.environment.variables(), stale=stale is not None)
        if stale is not None:
            LOG.warning("%s: %s", self.name, stale_text(stale))
        return read

    def again(self) -> Read:
        """Read the environment; what has changed is for the caller to record.

        Raises:
            EnvkitError: it cannot be read now, or is not valid.
        """
        return self._read(Access("live", reason=self._reason, service=True), KEEP)

    def _read(self, access: Access, saved: str) -> Read:
        try:
            deadline = Deadline(self._timeout_seconds)
            prepared = self._prepare(deadline)
            access.begin(prepared)
            # before the values are read: what changes meanwhile is read once more
            watched = _watched(prepared, deadline)
            try:
                environment = resolve_prepared(
                    prepared, deadline, saved="" if self._sources else saved
                )
            except BaseException:
                self._follow(watched, in_use=self._watched or watched)
                raise
            self._follow(watched, in_use=watched)
        except EnvkitError as error:
            if isinstance(error, UsageError | ReasonMissingError) and error.hint:
                error.hint = in_python(error.hint)
            # frames below have the process environment in their variables; see `resolve`
            raise error.with_traceback(None) from error.__cause__
        self.name = environment.name
        return Read(environment, watched, access)

    def _follow(self, watched: Watched, *, in_use: Watched) -> None:
        """Take over the logins of a read, also of one that failed: it may have leased something."""
        for name, one in watched.sources.items():
            self.logins.store(name, one.source)
        self._watched = in_use
        if in_use is not watched:
            for name, one in in_use.sources.items():
                self.logins.resume(name, one.source)

    def release(self) -> None:
        """Revoke what this process has leased; that takes a few seconds at most."""
        if self._watched is not None and self.logins.have_leases:
            self._watched.deadline.restart(RELEASE_SECONDS)
            self.logins.release(self._watched.sources.values())

    def _prepare(self, deadline: Deadline) -> list[PreparedProfile]:
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
        hold_leases(prepared, os.getpid())
        for one in prepared:
            for name, source in one.sources.items():
                if name not in self._sources:
                    self.logins.resume(f"{one.profile.name}/{name}", source)
        return prepared


def _watched(prepared: Sequence[PreparedProfile], deadline: Deadline) -> Watched:
    sources = watched_sources(prepared)
    files = [path for one in prepared for path in one.profile.files]
    quick = (one for one in sources.values() if one.is_quick)
    base = {PROFILES: look_at_files(files).tokens, **{one.name: look(one).tokens for one in quick}}
    return Watched(sources, files, deadline, base)
