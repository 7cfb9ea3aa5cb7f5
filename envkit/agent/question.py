"""What a client asks, as the agent reads it; the client builds only the items."""

from __future__ import annotations

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS
from envkit._internal.named_tuple import NamedTuple
from envkit.agent.wire import (
    USUAL,
    WireError,
    os_decode,
    patterns,
    question_items,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOOK = "hook"
COMMANDS = (b"exec", b"get", HOOK.encode())


class Question(NamedTuple):
    """One selection of variables.

    Attributes:
        release: of envkit; an agent of another one does not answer.
        folder: the working folder.
        profiles: the value of `--profiles`, or None.
        environments: the values of `--env`.
        only: the values of `--only`.
        exclude: the values of `--except`.
        names: the variable of `get`; empty for all.
        overrides: name and value of each `--set`, alternately.
        command: `exec`, `get` or `hook`, for the audit log.
        reason: for the audit log, or empty.
        timeout_seconds: for all stores together.
    """

    release: str
    folder: str
    profiles: str | None
    environments: Sequence[str]
    only: Sequence[str]
    exclude: Sequence[str]
    names: Sequence[str]
    overrides: Sequence[str]
    command: str
    reason: str
    timeout_seconds: float

    def items(self) -> list[bytes]:
        """Return the items of a frame."""
        profiles = () if self.profiles is None else (self.profiles,)
        last = (self.command, self.reason, str(self.timeout_seconds))
        return question_items(self.release, self.folder, (profiles, *self[3:8]), *last)

    def selection(self) -> list[bytes]:
        """Return the items that an answer depends on."""
        lasting = b"lasting" if self.command == HOOK else b""
        return [*self.items()[:-3], lasting]


def read_question(items: Sequence[bytes]) -> Question:
    """Return the question of a frame.

    Raises:
        WireError: it is not a question.
    """
    if len(items) != len(Question._fields):
        raise WireError("a question has other items")
    release, folder, profiles, *lists, command, reason, timeout = items
    if command not in COMMANDS:
        raise WireError("a question is of another command")
    texts = [[os_decode(one) for one in unpack(part)] for part in lists]
    of_profiles = [os_decode(one) for one in unpack(profiles)]
    if len(of_profiles) > 1 or len(texts[4]) % 2:
        raise WireError("a question has other items")
    try:
        seconds = float(timeout or DEFAULT_TIMEOUT_SECONDS)
    except ValueError:
        raise WireError("a question has no timeout") from None
    if not 0 < seconds < 86_400:  # also not a NaN
        raise WireError("a question has no timeout")
    given = of_profiles[0] if of_profiles else None
    return Question._make(
        (
            *(os_decode(release), os_decode(folder), given, *texts),
            *(os_decode(command), os_decode(reason), seconds),
        )
    )


def read_pairs(items: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return variables from names and values, alternately.

    Raises:
        WireError: the last one has no value, or one could not be in an environment.
    """
    if len(items) % 2:
        raise WireError("a variable has no value")
    if any(b"\0" in item for item in items):
        raise WireError("not a variable")
    return dict(zip(items[::2], items[1::2], strict=True))


def unusual(wanted: Iterable[bytes]) -> list[bytes]:
    """Return the variables that a client does not send with its question."""
    exact, beginnings, endings = _OF_USUAL
    return [
        one
        for one in wanted
        if one not in USUAL
        and one not in exact
        and (b"*" in one or not (one.startswith(beginnings) or one.lower().endswith(endings)))
    ]


_OF_USUAL = patterns(USUAL)
