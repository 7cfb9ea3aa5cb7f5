"""The options of the hot commands: one table, parsed here, shown by typer.

`exec`, `get` and `export` parse their arguments from this table without typer;
`hot_commands` builds the same commands from it for `--help` and completion, and
`parameters` declares the options that other commands share with them.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import UsageError
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Option(NamedTuple):
    """One option; `kind` is `flag`, `one` (the last wins) or `many`."""

    flags: tuple[str, ...]
    kind: str
    metavar: str
    help: str

    @property
    def key(self) -> str:
        """The name under which its value is found: the long flag without dashes."""
        return self.flags[0].removeprefix("--")


class Command(NamedTuple):
    """One hot command: how it is called, an example, its options."""

    usage: str
    summary: str
    example: str
    options: tuple[Option, ...]
    positional: str  # `command`: the rest of the line; `name`: one; empty: none


ENV = Option(
    ("--env", "-e"), "many", "NAME", "Profile to use, else ENVKIT_ENV; of several, later ones win."
)
PROFILES = Option(("--profiles",), "one", "DIR", "The folder of profiles.")
TIMEOUT = Option(
    ("--timeout",),
    "one",
    "SECONDS",
    f"For all stores together; {DEFAULT_TIMEOUT_SECONDS:g} unless said.",
)
ONLY = Option(("--only",), "many", "GLOB", "Only the variables that match.")
EXCEPT = Option(("--except",), "many", "GLOB", "Without the variables that match.")
REASON = Option(
    ("--reason",), "one", "TEXT", "Why, for the audit log; a protected profile asks for it."
)
SET = Option(("--set",), "many", "K=V", "A literal value that wins over the profile.")

COMMANDS = {
    "exec": Command(
        "envkit exec [OPTIONS] -- COMMAND [ARGS]...",
        "Run a command with an environment's variables.",
        "envkit exec --env prod -- gunicorn app:api",
        (
            ENV,
            ONLY,
            EXCEPT,
            Option(
                ("--pristine",), "flag", "", "Pass on nothing else but PATH, HOME and the like."
            ),
            SET,
            Option(
                ("--dry-run",), "flag", "", "Show names and where they come from; ask no store."
            ),
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
        "Print an environment in a format that other programs read.",
        "envkit export --env staging --format docker -o staging.env",
        (
            ENV,
            Option(
                ("--format", "-f"),
                "one",
                "FORMAT",
                "dotenv, shell, json, yaml, docker, github, systemd or k8s.",
            ),
            Option(("--output", "-o"), "one", "FILE", "Write a file, mode 0600, all or nothing."),
            ONLY,
            EXCEPT,
            SET,
            Option(("--name",), "one", "NAME", "The name of the Secret, for k8s."),
            REASON,
            TIMEOUT,
            PROFILES,
        ),
        "",
    ),
}


class Arguments:
    """What was given: `one(key)`, `many(key)`, `flag(key)` and the rest of the line."""

    __slots__ = ("_given", "rest")

    def __init__(self) -> None:
        self._given: dict[str, list[str]] = {}
        self.rest: list[str] = []

    def add(self, key: str, value: str) -> None:
        """Note one occurrence of an option."""
        self._given.setdefault(key, []).append(value)

    def one(self, key: str) -> str | None:
        """Return the last value given."""
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
            UsageError: it is not a positive number.
        """
        return timeout_seconds(self.one("timeout"))

    @property
    def overrides(self) -> dict[str, str]:
        """The values of `--set`.

        Raises:
            UsageError: one is not `K=V` with a variable's name.
        """
        from envkit._internal.names import is_name

        found = {}
        for text in self.many("set"):
            name, equals, value = text.partition("=")
            if not equals or not is_name(name):
                raise UsageError("--set takes NAME=VALUE", hint="write --set LOG_LEVEL=debug")
            found[name] = value
        return found


def timeout_seconds(text: str | None) -> float:
    """Return the seconds that `--timeout` says, `30` or `2.5s`; the usual ones for None.

    Raises:
        UsageError: it is not a positive number.
    """
    if text is None:
        return DEFAULT_TIMEOUT_SECONDS
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise UsageError("--timeout takes seconds, more than 0", hint="write --timeout 30")
    return seconds


def parse(command: str, arguments: Sequence[str]) -> Arguments:
    """Parse the arguments of a hot command.

    Args:
        command: a key of COMMANDS.
        arguments: what follows it; options may stand before and after a name, and
            only before the command that `exec` runs.

    Raises:
        UsageError: what is wrong, with the nearest right spelling.
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
    """Note one option, taking its value from the word or from the queue."""
    flags = {flag: option for option in COMMANDS[command].options for flag in option.flags}
    flag, equals, value = word.partition("=")
    if flag not in flags and not word.startswith("--"):
        flag, equals, value = word[:2], "=", word[2:]  # -eprod
    option = flags.get(flag)
    if option is None:
        from envkit._internal.suggestions import did_you_mean

        raise UsageError(
            f"envkit {command} has no option '{word.partition('=')[0]}'",
            hint=did_you_mean(flag, [known for known in flags if known.startswith("--")]),
        )
    if option.kind == "flag":
        if equals:
            raise UsageError(f"{flag} takes no value")
    elif not equals:
        if not queue:
            raise UsageError(f"{flag} needs a value", hint=f"write {flag} {option.metavar}")
        value = queue.pop(0)
    found.add(option.key, value)
