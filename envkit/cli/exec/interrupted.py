"""End a command as Ctrl-C does, if that came while the agent read for it: with the same record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.audit.session import Access
from envkit.cli.boundary import guarded
from envkit.errors import EnvkitError
from envkit.sources.registry import never_ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from envkit.resolution.prepare import PreparedProfile


def end(command: str, reason: str | None, prepare: Callable[[], Sequence[PreparedProfile]]) -> int:
    """Record that the read was interrupted, and return the exit status.

    Args:
        command: for the audit log.
        reason: for the audit log; default: `ENVKIT_REASON`.
        prepare: returns what the command would have read; it asks no store for that.
    """

    def interrupt() -> NoReturn:
        never_ask()
        try:
            with Access(command, reason=reason) as access:
                access.begin(prepare())
                raise KeyboardInterrupt
        except EnvkitError:  # without the agent, it would have failed before it asked a store
            raise KeyboardInterrupt from None

    return guarded(interrupt)
