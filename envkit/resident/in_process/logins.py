"""What the sources of a live environment have for a limited time: logins and leases.

They are passed on from read to read; see `LoginState` and `Leasing`.

Guarantees: a login is repeated, and a lease replaced, only when it ends; a login that fails to
be renewed is tried again at the next look; leases are revoked only by the process that read the
secrets, not by its forks.
"""

from __future__ import annotations

import os

from envkit.errors import EnvkitError
from envkit.resident.in_process.outage import LOG
from envkit.resident.logins import has_leases, leased

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from envkit.resident.noticing import WatchedSource
    from envkit.resident.state import Leased


class Logins:
    """Logins by the names of sources: `prod/vault`."""

    def __init__(self) -> None:
        self._states: dict[str, Mapping[str, Any]] = {}

    @property
    def have_leases(self) -> bool:
        """Whether a source holds leases of dynamic secrets."""
        return any(map(has_leases, list(self._states.values())))

    def resume(self, name: str, source: Any) -> None:
        """Have a new source use the login of the one before it."""
        if hasattr(source, "resume_login") and (state := self._states.get(name)):
            source.resume_login(state)

    def store(self, name: str, source: Any) -> None:
        """Store the login of a source that was used."""
        if hasattr(source, "login_state") and (state := source.login_state()):
            self._states[name] = state

    def store_looked(self, name: str, source: Any) -> None:
        """Store the login of a source that was looked at; a look knows nothing new of leases."""
        if not has_leases(self._states.get(name, {})):
            self.store(name, source)

    def leased(self) -> list[Leased]:
        """Return what `decide` must know of each source."""
        return [leased(name, state) for name, state in list(self._states.items())]

    def renew(self, watched: WatchedSource) -> bool:
        """Renew what is due; log what will end for good. Return whether it succeeded."""
        source: Any = watched.source
        if not hasattr(source, "renew_login"):
            return True
        try:
            warning = source.renew_login()
        except EnvkitError:
            return False  # a look says so, if the store fails
        if warning is not None:
            LOG.warning("%s; %s", warning.text, warning.hint)
        return True

    def release(self, watched: Iterable[WatchedSource]) -> None:
        """Revoke the leases of this process, not those that it has from before a fork."""
        for one in watched:
            state = self._states.get(one.name, {})
            if has_leases(state) and state.get("leases_owner") == os.getpid():
                source: Any = one.source
                try:
                    source.release_leases()
                except EnvkitError:
                    continue  # each ends by itself
        self._states.clear()
