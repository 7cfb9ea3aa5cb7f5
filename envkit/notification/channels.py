"""Channels and notices: which channel gets which events, and the text of a notice. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, Protocol


class EventKind(StrEnum):
    """An event that can cause a notice."""

    SUCCESS = "success"
    FAILURE = "failure"
    OVERDUE = "overdue"
    QUARANTINE = "quarantine"
    BLOCKED = "blocked"


class ChannelKind(StrEnum):
    """How a notice is sent; the value is the key in the profile."""

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
        kind: how notices are sent.
        where: the address, or the command's arguments. Placeholders are unresolved until
            a notice is sent.
        key: signs a webhook; None means no signature.
        on: the events that are sent.
        environment: the names of the variables that the command receives.
    """

    kind: ChannelKind
    where: str | tuple[str, ...]
    key: str | None
    on: tuple[EventKind, ...]
    environment: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Channel({self.kind})"  # address and key may be secret values


class AnyNotice(Protocol):
    """What a channel can send: the facts are strings, numbers, booleans and tuples of strings."""

    @property
    def schema(self) -> str:
        """The name of the document that a webhook receives."""

    @property
    def hint(self) -> str:
        """What to do about it; empty if there is nothing to do."""

    @property
    def sentence(self) -> str:
        """Describe the event on one line."""

    def _asdict(self) -> dict[str, Any]: ...


class Notice(NamedTuple):
    """What happened to a rotation.

    Attributes:
        event: the kind of event.
        profile: the name of the profile; `rotation` is the name of the rotation.
        secret: the location of the secret, for people.
        rotator: the type of the rotator.
        phase: the phase of the rotation.
        error: why the rotation failed, never with a value; empty without a failure.
        hint: what to do about the error.
        at: seconds since the epoch.
        host: the host that found the event.
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
        """Describe the event on one line."""
        text = f"{self.profile}/{self.rotation} {_SENTENCES[self.event]}"
        return f"{text}: {self.error}" if self.error else text

    @property
    def schema(self) -> str:
        """The name of the document that a webhook receives."""
        return "envkit.rotation-event/1"
