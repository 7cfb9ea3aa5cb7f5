"""The notice of a person's use of a profile: who, where, what and why. Pure; never a value."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import NamedTuple

from envkit.secret import without_secrets

_SHOWN_NAMES = 5
_SHOWN_REASON = 500  # characters; a chat refuses or hides longer messages


class AccessEvent(StrEnum):
    """What a notice reports."""

    ACCESS = "access"
    BREAK_GLASS = "break-glass"
    TEST = "test"


class Use(NamedTuple):
    """A person's use of one or several profiles.

    Attributes:
        command: `exec`, `set`, ...
        names: the variables that were read or changed.
        reason: the reason that the person gave; empty without one.
        user: the name of the user of the process, as the system has it.
        event: what the notice reports.
    """

    command: str
    names: tuple[str, ...]
    reason: str
    user: str
    event: AccessEvent = AccessEvent.ACCESS

    def notice(self, profile: str, at: float) -> AccessNotice:
        """Return the notice for one of the profiles.

        Args:
            profile: its name.
            at: seconds since the epoch.
        """
        return AccessNotice(
            self.event,
            profile,
            self.user,
            os.uname().nodename,
            self.command,
            self.names,
            without_secrets(self.reason),
            at,
        )


class AccessNotice(NamedTuple):
    """A person's use of a profile.

    Attributes:
        event: what the notice reports.
        profile: the name of the profile.
        user: the name of the user of the process, as the system has it.
        host: the host.
        command: `exec`, `set`, ...
        names: the variables that were read or changed.
        reason: the reason that the person gave; empty without one.
        at: seconds since the epoch.
    """

    event: AccessEvent
    profile: str
    user: str
    host: str
    command: str
    names: tuple[str, ...]
    reason: str
    at: float

    @property
    def schema(self) -> str:
        """The name of the document that a webhook receives."""
        return "envkit.access-event/1"

    @property
    def hint(self) -> str:
        """Nothing: a notice of a use does not say what to do."""
        return ""

    @property
    def sentence(self) -> str:
        """Describe the use on one line."""
        if self.event == AccessEvent.TEST:
            return f"{self.user}@{self.host} tests the notifications of {self.profile}"
        more = len(self.names) - _SHOWN_NAMES
        shown = ", ".join(self.names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
        text = f"{self.user}@{self.host} ran 'envkit {self.command}' on {self.profile}"
        text += f" ({shown})" if shown else ""
        text += f": {_on_one_line(self.reason)}" if self.reason else ""
        return f"BREAK-GLASS: {text}" if self.event == AccessEvent.BREAK_GLASS else text


def _on_one_line(reason: str) -> str:
    """Return a reason without control characters, and no longer than people read."""
    text = " ".join(reason.split())
    shown = "".join(char if char.isprintable() else "?" for char in text[:_SHOWN_REASON])
    return shown + ("..." if len(text) > _SHOWN_REASON else "")
