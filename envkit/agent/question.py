"""What a client asks, as the agent reads it: the agent parses the words of the command line.

A client that has to parse them would take longer than the agent does.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.agent.wire import USUAL, WireError, os_decode, os_encode, pack, patterns, unpack
from envkit.arguments import WATCHING, parse
from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOOK = "hook"
COMMANDS = ("exec", "get", HOOK)

_ITEMS = 4
_CLIENT_ONLY = (*WATCHING, "break-glass", "dry-run")


class NotForAgentError(Exception):
    """The client has to do what a command line says; the message is for people."""


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
        pristine: whether the app inherits only a few variables.
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
    pristine: bool = False

    def selection(self) -> list[bytes]:
        """Return, as bytes, what an answer depends on.

        Whether the reason has a secret in it is only known to the child that reads the secrets.
        """
        profiles = () if self.profiles is None else (self.profiles,)
        lists = (profiles, self.environments, self.only, self.exclude, self.names, self.overrides)
        return [
            *map(os_encode, (self.release, self.folder, self.reason)),
            *(pack(map(os_encode, texts)) for texts in lists),
            b"lasting" if self.command == HOOK else b"",
        ]


def read_question(items: Sequence[bytes], variables: Mapping[bytes, bytes]) -> Question:
    """Return the question of a frame.

    Args:
        items: of the frame; see `asking.question_items`.
        variables: those that the client has sent.

    Raises:
        WireError: it is not a question.
        NotForAgentError: the words are not valid, or say what only a client can do.
    """
    if len(items) != _ITEMS:
        raise WireError("a question has other items")
    release, folder, command, *words = map(os_decode, (*items[:3], *unpack(items[3])))
    if command not in COMMANDS:
        raise WireError("a question is of another command")
    try:
        given = parse("get" if command == HOOK else command, words)
        seconds, overrides = given.timeout_seconds, given.overrides
    except UsageError:
        raise NotForAgentError("the command line is not valid") from None
    if any(map(given.flag, _CLIENT_ONLY)):
        raise NotForAgentError("the command line has an option of the client")
    if len(given.rest) != (command == "get") or not all(given.rest):
        raise NotForAgentError("the command line has another number of words")
    reason = given.one("reason") or os_decode(variables.get(b"ENVKIT_REASON", b""))
    return Question(
        release=release,
        folder=folder,
        profiles=given.one("profiles"),
        environments=given.many("env"),
        only=given.many("only"),
        exclude=given.many("except"),
        names=given.rest,
        overrides=[word for pair in overrides.items() for word in pair],
        command=command,
        reason=reason.strip(),
        timeout_seconds=seconds,
        pristine=given.flag("pristine"),
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
