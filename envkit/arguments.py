"""The arguments of `exec`, `get` and `export`: which options they have, and how they are parsed.

`cli.options` describes the same options to people. With an answer of the agent, the parser takes
a tenth of the run time of envkit's own code, so nothing else is here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.errors import UsageError

FLAG = "flag"
ONE = "one"  # the last one wins
MANY = "many"
OPTIONAL = "optional"  # has a value only behind `=`: it never takes the next word

# each option: how it takes a value, and the value's name
TAKES = {
    "env": (MANY, "NAME"),
    "only": (MANY, "GLOB"),
    "except": (MANY, "GLOB"),
    "pristine": (FLAG, ""),
    "set": (MANY, "NAME=VALUE"),
    "dry-run": (FLAG, ""),
    "watch": (OPTIONAL, "[=HOW]"),
    "supervise": (FLAG, ""),
    "stop-signal": (ONE, "NAME"),
    "stop-timeout": (ONE, "SECONDS"),
    "debounce": (ONE, "SECONDS"),
    "splay": (ONE, "SECONDS"),
    "files": (ONE, "DIR"),
    "format": (ONE, "FORMAT"),
    "output": (ONE, "FILE"),
    "name": (ONE, "NAME"),
    "reason": (ONE, "TEXT"),
    "break-glass": (FLAG, ""),
    "timeout": (ONE, "SECONDS"),
    "profiles": (ONE, "DIR"),
}
SHORT = {"-e": "env", "-f": "format", "-o": "output"}
# `exec` with one of these stays the parent of the app: see `cli.exec.watching`
WATCHING = ("watch", "supervise", "stop-signal", "stop-timeout", "debounce", "splay")
_LAST = ("reason", "break-glass", "timeout", "profiles")
# each command: its options, in the order of its help
OPTIONS = {
    "exec": (
        *("env", "only", "except", "pristine", "set", "dry-run"),
        *(*WATCHING, "files", *_LAST),
    ),
    "get": ("env", *_LAST),
    "export": ("env", "format", "output", "only", "except", "set", "name", *_LAST),
}


class Arguments:
    """The parsed arguments: `one(key)`, `many(key)`, `flag(key)` and the rest of the line.

    Attributes:
        rest: the words that are no options.
        spent_seconds: of the timeout, before the command ran.
    """

    __slots__ = ("_given", "rest", "spent_seconds")

    def __init__(self) -> None:
        self._given: dict[str, list[str]] = {}
        self.rest: list[str] = []
        self.spent_seconds = 0.0

    def add(self, key: str, value: str) -> None:
        """Record one occurrence of an option."""
        self._given.setdefault(key, []).append(value)

    def one(self, key: str) -> str | None:
        """Return the last value given, or None."""
        values = self._given.get(key)
        return values[-1] if values else None

    def many(self, key: str) -> list[str]:
        """Return all values given."""
        return self._given.get(key, [])

    def flag(self, key: str) -> bool:
        """Return whether the flag was given."""
        return key in self._given

    @property
    def timeout_seconds(self) -> float:
        """The value of `--timeout`.

        Raises:
            UsageError: the value is not a positive number.
        """
        return timeout_seconds(self.one("timeout"))

    @property
    def overrides(self) -> dict[str, str]:
        """The values of `--set`.

        Raises:
            UsageError: a value is not `NAME=VALUE` with a valid variable name.
        """
        found: dict[str, str] = {}
        for text in self.many("set"):
            from envkit._internal.names import is_name

            name, equals, value = text.partition("=")
            if not equals or not is_name(name):
                raise _wrong("--set is not NAME=VALUE", hint="use --set LOG_LEVEL=debug")
            found[name] = value
        return found


def timeout_seconds(text: str | None) -> float:
    """Return the seconds in a text such as `30` or `2.5s`; the default for None.

    Raises:
        UsageError: the text is not a positive number.
    """
    if text is None:
        from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS

        return DEFAULT_TIMEOUT_SECONDS
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise _wrong("--timeout is not a positive number of seconds", hint="use --timeout 30")
    return seconds


def parse(command: str, arguments: "Sequence[str]") -> Arguments:
    """Parse the arguments of a hot command.

    Args:
        command: a key of OPTIONS.
        arguments: the words after the command. Options may precede or follow a name, but must
            precede the command that `exec` runs.

    Raises:
        UsageError: an argument is wrong; the hint has the closest correct spelling.
    """
    found = Arguments()
    queue = list(reversed(arguments))  # the next word is the last one: taking it costs nothing
    while queue:
        word = queue.pop()
        if word == "--":
            found.rest.extend(reversed(queue))
            break
        if word.startswith("-") and word != "-":
            _take_option(command, word, queue, found)
            continue
        found.rest.append(word)
        if command == "exec":
            found.rest.extend(reversed(queue))
            break
    return found


def takes_next_word(command: str, word: str) -> bool:
    """Return whether the word after `word` is the value of an option."""
    key = _key_of(command, word)
    return key is not None and TAKES[key][0] in (ONE, MANY)


def flags_of(key: str) -> tuple[str, ...]:
    """Return the spellings of an option, the long one first."""
    return (f"--{key}", *(short for short, one in SHORT.items() if one == key))


def _key_of(command: str, flag: str) -> str | None:
    key = flag[2:] if flag.startswith("--") else SHORT.get(flag)
    return key if key in OPTIONS[command] else None


def _take_option(command: str, word: str, queue: list[str], found: Arguments) -> None:
    """Record one option, with its value from the word or from the end of the queue."""
    flag, equals, value = word.partition("=")
    key = _key_of(command, flag)
    if key is None and not word.startswith("--"):
        flag, equals, value = word[:2], "=", word[2:]  # -eprod
        key = _key_of(command, flag)
    if key is None:
        from envkit._internal.suggestions import did_you_mean

        raise _wrong(
            f"envkit {command} has no option '{word.partition('=')[0]}'",
            hint=did_you_mean(flag, [f"--{known}" for known in OPTIONS[command]]),
        )
    kind, metavar = TAKES[key]
    if kind == FLAG:
        if equals:
            raise _wrong(f"{flag} takes no value")
    elif kind == OPTIONAL:
        if equals and not value:
            raise _wrong(f"{flag}= has no value", hint=f"write {flag}, or a value behind the '='")
    elif not equals:
        if not queue:
            raise _wrong(f"{flag} needs a value", hint=f"use {flag} {metavar}")
        value = queue.pop()
    found.add(key, value)


def _wrong(message: str, *, hint: str | None = None) -> "UsageError":
    from envkit.errors import UsageError  # costs an agent's client a tenth of its time

    return UsageError(message, hint=hint)
