"""The options of the hot commands: one table, parsed here and shown by typer.

`exec`, `get` and `export` parse their arguments from this table without typer.
`hot_commands` builds the same commands from it for `--help` and completion.
`parameters` declares the options that other commands share with them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.errors import UsageError


# no tuples with names: the module that makes them would cost a client of the agent 0.2 ms
class Option:
    """One option; `kind` is `flag`, `one` (the last wins), `many` or `optional`.

    An `optional` one has a value only behind `=`: it never takes the next word. Its `key` is the
    long flag without dashes.
    """

    __slots__ = ("flags", "help", "key", "kind", "metavar")

    def __init__(self, flags: tuple[str, ...], kind: str, metavar: str, help_: str) -> None:
        self.flags = flags
        self.kind = kind
        self.metavar = metavar
        self.help = help_
        self.key = flags[0].removeprefix("--")

    def described(self, help_: str) -> Option:
        """Return the same option with another text."""
        return Option(self.flags, self.kind, self.metavar, help_)


class Command:
    """One hot command.

    Attributes:
        usage: its first line of help; `summary` and `example` are others.
        options: those that it has.
        positional: `command` is the rest of the line, `name` one word, and empty none.
    """

    __slots__ = ("example", "options", "positional", "summary", "usage")

    def __init__(
        self, usage: str, summary: str, example: str, options: tuple[Option, ...], positional: str
    ) -> None:
        self.usage = usage
        self.summary = summary
        self.example = example
        self.options = options
        self.positional = positional


ENV = Option(
    ("--env", "-e"),
    "many",
    "NAME",
    "Environment to use. Repeat to combine several; later ones win. [default: $ENVKIT_ENV]",
)
PROFILES = Option(
    ("--profiles",),
    "one",
    "DIR",
    "Folder with the profiles. [default: $ENVKIT_PROFILES, or the nearest profiles/]",
)
TIMEOUT = Option(
    ("--timeout",),
    "one",
    "SECONDS",
    "Time limit for all stores together. [default: 15]",
)
ONLY = Option(("--only",), "many", "GLOB", "Use only the variables that match. Repeatable.")
EXCEPT = Option(("--except",), "many", "GLOB", "Leave out the variables that match. Repeatable.")
REASON = Option(
    ("--reason",),
    "one",
    "TEXT",
    "Reason for the audit log. Required for protected profiles. [default: $ENVKIT_REASON]",
)
SET = Option(
    ("--set",),
    "many",
    "NAME=VALUE",
    "Set a variable to a literal value. Overrides the profile. Repeatable.",
)

# `exec` with one of these stays the parent of the app: see `watching`
WATCHING = (
    Option(
        ("--watch",),
        "optional",
        "[=HOW]",
        "When a value changes: restart, signal:NAME or run:COMMAND. Alone: restart.",
    ),
    Option(
        ("--supervise",),
        "flag",
        "",
        "Stay the parent of COMMAND, and report changes without a restart.",
    ),
    Option(
        ("--stop-signal",),
        "one",
        "NAME",
        "Signal that asks COMMAND to stop. [default: TERM]",
    ),
    Option(
        ("--stop-timeout",),
        "one",
        "SECONDS",
        "Time from the stop signal to KILL. [default: 10]",
    ),
    Option(
        ("--debounce",),
        "one",
        "SECONDS",
        "Wait until nothing has changed for this long, at most 10. [default: 2]",
    ),
    Option(
        ("--splay",),
        "one",
        "SECONDS",
        "Delay each change by a random time up to this. [default: 0]",
    ),
)

FILES = Option(
    ("--files",),
    "one",
    "DIR",
    'Folder for variables with as = "file". [default: a folder in memory]',
)

COMMANDS = {
    "exec": Command(
        "envkit exec [OPTIONS] -- COMMAND [ARGS]...",
        "Run a command with the variables of an environment.",
        "envkit exec --env prod -- gunicorn app:api",
        (
            ENV,
            ONLY,
            EXCEPT,
            Option(
                ("--pristine",),
                "flag",
                "",
                "Do not inherit variables, except a few such as PATH and HOME.",
            ),
            SET,
            Option(
                ("--dry-run",),
                "flag",
                "",
                "List the variables and their sources. Does not run COMMAND or contact a store.",
            ),
            *WATCHING,
            FILES,
            REASON,
            TIMEOUT,
            PROFILES,
        ),
        "command",
    ),
    "get": Command(
        "envkit get [OPTIONS] NAME",
        "Print one value, byte for byte.",
        "envkit get DATABASE_URL --env staging",
        (ENV, REASON, TIMEOUT, PROFILES),
        "name",
    ),
    "export": Command(
        "envkit export [OPTIONS]",
        "Print an environment in a format for another program.",
        "envkit export --env staging --format docker -o staging.env",
        (
            ENV,
            Option(
                ("--format", "-f"),
                "one",
                "FORMAT",
                "dotenv, shell, json, yaml, docker, github, systemd or k8s. [default: dotenv]",
            ),
            Option(
                ("--output", "-o"),
                "one",
                "FILE",
                "Write to FILE, with mode 0600, instead of standard output.",
            ),
            ONLY,
            EXCEPT,
            SET,
            Option(
                ("--name",),
                "one",
                "NAME",
                "Name of the Secret, with --format k8s. [default: the environment]",
            ),
            REASON,
            TIMEOUT,
            PROFILES,
        ),
        "",
    ),
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


def parse(command: str, arguments: Sequence[str]) -> Arguments:
    """Parse the arguments of a hot command.

    Args:
        command: a key of COMMANDS.
        arguments: the words after the command. Options may precede or follow a name, but must
            precede the command that `exec` runs.

    Raises:
        UsageError: an argument is wrong; the hint has the closest correct spelling.
    """
    spec = COMMANDS[command]
    found = Arguments()
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            found.rest.extend(queue)
            break
        if word.startswith("-") and word != "-":
            _take_option(command, word, queue, found)
            continue
        found.rest.append(word)
        if spec.positional == "command":
            found.rest.extend(queue)
            break
    return found


def _take_option(command: str, word: str, queue: list[str], found: Arguments) -> None:
    """Record one option, with its value from the word or from the queue."""
    flags = {flag: option for option in COMMANDS[command].options for flag in option.flags}
    flag, equals, value = word.partition("=")
    if flag not in flags and not word.startswith("--"):
        flag, equals, value = word[:2], "=", word[2:]  # -eprod
    option = flags.get(flag)
    if option is None:
        from envkit._internal.suggestions import did_you_mean

        raise _wrong(
            f"envkit {command} has no option '{word.partition('=')[0]}'",
            hint=did_you_mean(flag, [known for known in flags if known.startswith("--")]),
        )
    if option.kind == "flag":
        if equals:
            raise _wrong(f"{flag} takes no value")
    elif option.kind == "optional":
        if equals and not value:
            raise _wrong(f"{flag}= has no value", hint=f"write {flag}, or a value behind the '='")
    elif not equals:
        if not queue:
            raise _wrong(f"{flag} needs a value", hint=f"use {flag} {option.metavar}")
        value = queue.pop(0)
    found.add(option.key, value)


def _wrong(message: str, *, hint: str | None = None) -> UsageError:
    from envkit.errors import UsageError  # costs an agent's client a tenth of its time

    return UsageError(message, hint=hint)
