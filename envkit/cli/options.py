"""What `exec`, `get` and `export` say of themselves and of their options.

`envkit.arguments` says which options they have, and parses them. `hot_commands` builds the same
commands for `--help` and completion. `parameters` declares the options that other commands share
with them.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.arguments import OPTIONS, TAKES, flags_of


class Option(NamedTuple):
    """One option.

    Attributes:
        key: its long flag without dashes.
        help: its description.
    """

    key: str
    help: str

    @property
    def flags(self) -> tuple[str, ...]:
        """Its spellings, the long one first."""
        return flags_of(self.key)

    @property
    def kind(self) -> str:
        """How it takes a value: `FLAG`, `ONE`, `MANY` or `OPTIONAL`."""
        return TAKES[self.key][0]

    @property
    def metavar(self) -> str:
        """The name of its value."""
        return TAKES[self.key][1]

    def described(self, help_: str) -> Option:
        """Return the same option with another description."""
        return Option(self.key, help_)


class Command(NamedTuple):
    """One hot command.

    Attributes:
        name: its name, a key of OPTIONS.
        usage: its first line of help; `summary` and `example` are others.
        positional: `command` is the rest of the line, `name` one word, and empty none.
    """

    name: str
    usage: str
    summary: str
    example: str
    positional: str

    @property
    def options(self) -> list[Option]:
        """The options that it has."""
        return [_DESCRIBED[key] for key in OPTIONS[self.name]]


_DESCRIBED = {
    key: Option(key, help_)
    for key, help_ in {
        "env": (
            "Environment to use. Repeat to combine several; later ones win. [default: $ENVKIT_ENV]"
        ),
        "only": "Use only the variables that match. Repeatable.",
        "except": "Leave out the variables that match. Repeatable.",
        "pristine": "Do not inherit variables, except a few such as PATH and HOME.",
        "set": "Set a variable to a literal value. Overrides the profile. Repeatable.",
        "dry-run": "List the variables and their sources. Does not run COMMAND or contact a store.",
        "watch": "When a value changes: restart, signal:NAME or run:COMMAND. Alone: restart.",
        "supervise": "Stay the parent of COMMAND, and report changes without a restart.",
        "stop-signal": "Signal that asks COMMAND to stop. [default: TERM]",
        "stop-timeout": "Time from the stop signal to KILL. [default: 10]",
        "debounce": "Wait until nothing has changed for this long, at most 10. [default: 2]",
        "splay": "Delay each change by a random time up to this. [default: 0]",
        "files": 'Folder for variables with as = "file". [default: a folder in memory]',
        "format": "dotenv, shell, json, yaml, docker, github, systemd or k8s. [default: dotenv]",
        "output": "Write to FILE, with mode 0600, instead of standard output.",
        "name": "Name of the Secret, with --format k8s. [default: the environment]",
        "reason": (
            "Reason for the audit log. Required for protected profiles. [default: $ENVKIT_REASON]"
        ),
        "break-glass": (
            "In an emergency, use profiles outside their hours. Needs a reason, and is reported."
        ),
        "timeout": "Time limit for all stores together. [default: 15]",
        "profiles": (
            "Folder with the profiles. [default: $ENVKIT_PROFILES, or the nearest profiles/]"
        ),
    }.items()
}
ENV = _DESCRIBED["env"]
PROFILES = _DESCRIBED["profiles"]
ONLY = _DESCRIBED["only"]
EXCEPT = _DESCRIBED["except"]
TIMEOUT = _DESCRIBED["timeout"]
REASON = _DESCRIBED["reason"]
BREAK_GLASS = _DESCRIBED["break-glass"]

COMMANDS = {
    one.name: one
    for one in (
        Command(
            "exec",
            "envkit exec [OPTIONS] -- COMMAND [ARGS]...",
            "Run a command with the variables of an environment.",
            "envkit exec --env prod -- gunicorn app:api",
            "command",
        ),
        Command(
            "get",
            "envkit get [OPTIONS] NAME",
            "Print one value, byte for byte.",
            "envkit get DATABASE_URL --env staging",
            "name",
        ),
        Command(
            "export",
            "envkit export [OPTIONS]",
            "Print an environment in a format for another program.",
            "envkit export --env staging --format docker -o staging.env",
            "",
        ),
    )
}
