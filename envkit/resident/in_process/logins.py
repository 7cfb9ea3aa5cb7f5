"""The logins of the sources of a live environment, passed on from read to read; see `LoginState`.

Guarantees: a login is repeated only when it ends; one that fails to be renewed is tried
again at the next look.
"""

from __future__ import annotations

from time import monotonic

from envkit.errors import EnvkitError
from envkit.resident.in_process.outage import LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Logins:
    """Logins by the names of sources: `prod/vault`."""

    def __init__(self) -> None:
        self._states: dict[str, Mapping[str, Any]] = {}

    def resume(self, name: str, source: Any) -> None:
        """Have a new source use the login of the one before it."""
        if hasattr(source, "resume_login") and (state := self._states.get(name)):
            source.resume_login(state)

    def store(self, name: str, source: Any) -> None:
        """Store the login of a source that was used."""
        if hasattr(source, "login_state") and (state := source.login_state()):
            self._states[name] = state

    def renew(self, name: str, source: Any) -> None:
        """Renew the login of a source if that is due; log it if the login will end."""
        due_at = self._states.get(name, {}).get("due_at", float("inf"))
        if monotonic() < due_at or not hasattr(source, "renew_login"):
            return
        try:
            warning = source.renew_login()
            self.store(name, source)
        except EnvkitError:
            return  # the look that follows says so, if the store fails
        if warning is not None:
            LOG.warning("%s; %s", warning.text, warning.hint)
