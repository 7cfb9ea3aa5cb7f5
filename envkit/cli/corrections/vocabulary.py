"""The vocabulary for corrections: options of each command, and names in other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from envkit._internal.suggestions import closest
from envkit.arguments import MANY, ONE, OPTIONAL
from envkit.cli.lazy_commands import lazy_command
from envkit.cli.options import COMMANDS
from envkit.launch.export import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# the names in other programs
SYNONYMS = {
    **dict.fromkeys(("run", "start", "launch", "execute"), "exec"),
    **dict.fromkeys(("ls", "envs", "environments", "profiles"), "list"),
    **dict.fromkeys(("vars", "variables", "printenv", "describe"), "show"),
    **dict.fromkeys(("print", "read", "cat", "echo"), "get"),
    **dict.fromkeys(("dump", "download"), "export"),
    **dict.fromkeys(("delete", "del", "rm", "remove"), "unset"),
    **dict.fromkeys(("add", "put", "write", "update", "create"), "set"),
    **dict.fromkeys(("compare",), "diff"),
    **dict.fromkeys(("lint", "validate", "verify"), "check"),
    **dict.fromkeys(("detect", "grep", "leaks", "search"), "scan"),
    **dict.fromkeys(("undo", "revert"), "rollback"),
    **dict.fromkeys(("log", "versions"), "history"),
    **dict.fromkeys(("allow",), "trust"),
}
_OPTION_SYNONYMS = {
    **dict.fromkeys(("--environment", "--profile", "--stage", "--config"), "--env"),
    **dict.fromkeys(("--include", "--keys"), "--only"),
    **dict.fromkeys(("--exclude", "--ignore", "--skip"), "--except"),
    **dict.fromkeys(("--out", "--file", "--to"), "--output"),
    **dict.fromkeys(("--pure", "--clean", "--isolated"), "--pristine"),
}
SIDES = ("--from", "--source", "--to", "--target")  # options in other programs
GROUPS_OF_COMMANDS = ("env", "rotate", "audit", "backup")
ANY = 1_000  # the number of positional words is not limited


class Flag(NamedTuple):
    """An option: whether it takes a value, which ones, and whether only after `=`."""

    takes_value: bool
    choices: tuple[str, ...] = ()
    optional: bool = False


def below(path: Sequence[str]) -> list[str]:
    """Return the subcommands of a command; none if it is not a group of commands."""
    if path[0] not in GROUPS_OF_COMMANDS:
        return []
    commands = getattr(_command(path), "commands", {})
    return [one for one, command in commands.items() if not command.hidden]


def _command(path: Sequence[str]) -> Any:
    command = lazy_command(path[0])
    for name in path[1:]:
        command = command.commands[name]
    return command


def declared(path: Sequence[str]) -> tuple[dict[str, Flag], int]:
    """Return the options of a command and its number of positional words."""
    if path[0] in COMMANDS:
        spec = COMMANDS[path[0]]
        hot = {
            flag: Flag(
                o.kind in (ONE, MANY),
                FORMATS if o.key == "format" else (),
                optional=o.kind == OPTIONAL,
            )
            for o in spec.options
            for flag in o.flags
        }
        return hot, {"command": ANY, "name": 1}.get(spec.positional, 0)
    command = _command(path)
    command = getattr(command, "commands", {}).get("now", command)  # `rotate` alone
    flags: dict[str, Flag] = {}
    room = 0
    for parameter in command.params:
        if parameter.param_type_name == "option":
            choices = tuple(getattr(parameter.type, "choices", ()))
            for flag in (*parameter.opts, *parameter.secondary_opts):
                flags[flag] = Flag(not parameter.is_flag, choices)
        elif not parameter.hidden:
            room += parameter.nargs if parameter.nargs > 0 else ANY
    if path[0] == "diff":  # pretend that it takes environments like other commands
        flags |= {"--env": Flag(True), "-e": Flag(True)}
    flags |= dict.fromkeys(sides_of(path), Flag(True))
    return flags, room


def sides_of(path: Sequence[str]) -> tuple[str, ...]:
    """Return the options of other programs that name what a command takes as two words."""
    return SIDES if path[0] in ("diff", "promote") else ()


def flag_of(word: str, flags: Mapping[str, Flag]) -> tuple[str | None, str, str]:
    """Return the option that a word names or means, with its value if the word contains one."""
    flag, equals, value = word.partition("=")
    if flag in flags:
        return flag, equals, value
    if "-" + flag in flags:  # -env
        return "-" + flag, equals, value
    if not flag.startswith("--") and word[:2] in flags:  # -eprod
        return word[:2], "=", word[2:]
    if word[:2].lower() in flags and not flag[2:]:  # -E
        return word[:2].lower(), equals, value
    long = {known[2:]: known for known in flags if known.startswith("--")}
    synonym = _OPTION_SYNONYMS.get(flag)
    if synonym in flags:
        return synonym, equals, value
    # dashes would make any two short words similar
    return long.get(closest(flag.lstrip("-"), long) or ""), equals, value
