"""Channels and notices: which channel gets which events, and the text of a notice. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class EventKind(StrEnum):
    """What a channel may be sent."""

    SUCCESS = "success"
    FAILURE = "failure"
    OVERDUE = "overdue"
    QUARANTINE = "quarantine"
    BLOCKED = "blocked"


class ChannelKind(StrEnum):
    """How a notice is sent; the key that a profile writes."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    COMMAND = "command"


_SENTENCES = {
    EventKind.SUCCESS: "was rotated",
    EventKind.FAILURE: "could not be rotated",
    EventKind.OVERDUE: "is overdue",
    EventKind.QUARANTINE: "is quarantined: envkit no longer retries it",
    EventKind.BLOCKED: "cannot retire its old value",
}


class Channel(NamedTuple):
    """One way to send notices.

    Attributes:
        kind: how it is sent.
        where: the address, or the command's arguments; its placeholders as they are written
            until it is used.
        key: for the signature of a webhook; None for no signature.
        on: the events that are sent.
        environment: the names of variables that a command is given.
    """

    kind: ChannelKind
    where: str | tuple[str, ...]
    key: str | None
    on: tuple[EventKind, ...]
    environment: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Channel({self.kind})"  # address and key may be values


class Notice(NamedTuple):
    """What happened to a rotation.

    Attributes:
        event: the kind.
        profile: its name, `rotation` the rotation's own.
        secret: where it is kept, for people.
        rotator: its type.
        phase: where the rotation stands.
        error: why, for a failure; never a value.
        hint: what to do about it.
        at: seconds since the epoch.
        host: where this was found.
    """

    event: EventKind
    profile: str
    rotation: str
    secret: str
    rotator: str
    phase: str
    error: str
    hint: str
    at: float
    host: str

    @property
    def sentence(self) -> str:
        """What happened, on one line."""
        text = f"{self.profile}/{self.rotation} {_SENTENCES[self.event]}"
        return f"{text}: {self.error}" if self.error else text
