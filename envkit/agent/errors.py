"""What a person is told if the agent cannot be used."""

from __future__ import annotations

from envkit.errors import AgentError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.agent.asking import Unusable


def wrong_mode(mode: str) -> UsageError:
    """Return the error for a value of `ENVKIT_AGENT`."""
    return UsageError(
        f"ENVKIT_AGENT is '{mode}', which is not a mode", hint="set it to off, auto or require"
    )


def unusable(reason: Unusable) -> AgentError:
    """Return the error for a command that requires the agent."""
    return AgentError(
        f"the agent cannot be used: {reason}",
        hint="run 'envkit agent start', or set ENVKIT_AGENT=auto",
    )
