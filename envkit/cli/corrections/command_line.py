"""Correct a command line that envkit refused, so that the user can paste it.

    envkit exec prod -- app      ->  envkit exec --env prod -- app
    envkit show --evn prod       ->  envkit show --env prod

Only command lines that failed are corrected. A correction moves words to the right place and
fixes misspelled ones. It never adds a word that changes the effect, and it omits words
that may be secret.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from envkit._internal.suggestions import Meant, closest
from envkit.cli.corrections.vocabulary import (
    ANY,
    SYNONYMS,
    Flag,
    below,
    declared,
    flag_of,
    sides_of,
)
from envkit.cli.lazy_commands import LAZY
from envkit.cli.options import COMMANDS
from envkit.detection.secret_literal import suspect
from envkit.detection.token_shapes import find_tokens
from envkit.errors import (
    CommandNotFoundError,
    EnvkitError,
    IncompleteError,
    ProfileNotFoundError,
    UsageError,
)
from envkit.launch.export import FORMATS, meant_format
from envkit.profile.discovery import is_profile_name, profile_names, profiles_folder
from envkit.profile.loader import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMPLETION = {
    **dict.fromkeys(("completion", "completions", "install-completion"), "--install-completion"),
    "show-completion": "--show-completion",
}
_OF_COMPLETION = (["--install-completion"], ["--show-completion"])
_TEMPLATE = ("COMMAND", "[ARGS]...")


class _Line(NamedTuple):
    """The words after a command: options as written, and positional words."""

    options: list[tuple[str, ...]]
    alone: list[str]

    def values(self, *flags: str) -> list[str]:
        return [one[1] for one in self.options if one[0] in flags and len(one) > 1]


def corrected(error: EnvkitError, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the probable command line; empty if it is unclear or unchanged.

    Args:
        error: the error that the command line caused.
        arguments: as in `sys.argv[1:]`.
        environ: the process environment.
    """
    meant = error.hint if isinstance(error.hint, Meant) else None
    kinds = (UsageError, ProfileNotFoundError, CommandNotFoundError)
    if not arguments or not (meant or isinstance(error, kinds)):
        return ""
    try:
        words = _Correction(meant, environ).words(list(arguments))
        if words is None or _alike(words, arguments):
            if not isinstance(error, IncompleteError):
                return ""
            words = list(arguments)
        words = _Correction(None, environ, complete=True).words(words)
    except EnvkitError:
        return ""
    if words is None or _alike(words, arguments):
        return ""
    return " ".join(["envkit", *_shown(words)])


class _Correction:
    def __init__(
        self, meant: Meant | None, environ: Mapping[str, str], *, complete: bool = False
    ) -> None:
        self.meant = meant
        self.environ = environ
        self.complete = complete  # whether to add a missing environment and command
        self.named_folder: str | None = None

    def words(self, arguments: list[str]) -> list[str] | None:
        """Return the corrected arguments; None if the correction is unclear."""
        own, tail = _split(arguments)
        if own[-1:] in (["--help"], ["--version"]) or own[:1] in _OF_COMPLETION:
            return arguments
        if own and own[0] in ("help", "version", "-v", "-V", "-version"):
            if own[0] != "help":
                return ["--version"]
            return [*(self._command(word) or word for word in own[1:2]), "--help"]
        if own and own[0] in _COMPLETION:
            return [_COMPLETION[own[0]]]
        at = next((i for i, word in enumerate(own) if self._command(word)), None)
        first_is_option = bool(own) and own[0].startswith("-")
        if at is None or (at > 0 and not first_is_option):
            return self._without_command(own, tail)
        name = str(self._command(own[at]))
        rest = own[at + 1 :]
        if name == "list" and any(self._is_environment(word.split("=")[-1]) for word in rest):
            name = "show"
        before, path = own[:at], [name]
        rest = self._go_below(path, rest)
        return self._behind(path, [*before, *rest] if name != "exec" else rest, tail, before)

    def _go_below(self, path: list[str], rest: list[str]) -> list[str]:
        """Add subcommands to the path, and return the words after them."""
        while rest and (known := below(path)):
            match = rest[0] if rest[0] in known else None
            if match is None and path != ["rotate"]:  # which also takes names of rotations
                match = closest(rest[0], known)
            if match is None:
                break
            path.append(match)
            rest = rest[1:]
        if path == ["env"]:  # the name of `show` in other programs
            path[:] = ["show"]
        return rest

    def _command(self, word: str) -> str | None:
        """Return the command that a word names or probably means."""
        known = (*COMMANDS, *LAZY)
        if word in known:
            return word
        if word in SYNONYMS:
            return SYNONYMS[word]
        if self.meant is not None and word == self.meant.wrong and self.meant.right in known:
            return self.meant.right
        return None

    def _without_command(self, own: list[str], tail: list[str] | None) -> list[str] | None:
        """Correct a line that starts with an environment: run the app, or show the environment."""
        if own and own[0].startswith("-"):  # `--env prod -- app`
            words = self._behind(["exec"], own, tail, [])
            return words if words and "--" in words else None
        if not own or not self._is_environment(own[0]):
            return None
        program = [*own[1:], *(tail or ())]
        if program:
            return ["exec", "--env", own[0], "--", *program]
        return ["show", "--env", own[0]] if tail is None else None

    def _behind(
        self, path: list[str], own: list[str], tail: list[str] | None, before: list[str]
    ) -> list[str] | None:
        flags, room = declared(path)
        starting = path == ["exec"]
        line = self._read(own, flags, stops=starting)
        moved = self._read(before, flags, stops=False) if starting else None
        if line is None or (starting and moved is None):
            return None
        if moved is not None:
            line.options[:0] = moved.options
            line.alone[:0] = moved.alone
        self.named_folder = next(iter(line.values("--profiles")), None)
        if path[-1] == "set" and line.alone and not self._leave_out_value(line):
            return None
        sides = sides_of(path)
        line.alone[:0] = [word for side in sides for word in line.values(side)]
        line.options[:] = [one for one in line.options if one[0] not in sides]
        if path == ["diff"]:
            self._complete_comparison(line)
        elif "--env" in flags:
            self._move_environments(path, line, room)
        if starting:
            return self._start(line, tail)
        if len(line.alone) > room:
            return None
        options = [word for option in line.options for word in option]
        return [*path, *line.alone, *options, *(() if tail is None else ("--", *tail))]

    def _read(self, own: list[str], flags: Mapping[str, Flag], *, stops: bool) -> _Line | None:
        line = _Line([], [])
        queue = list(own)
        while queue:
            word = queue.pop(0)
            if not word.startswith("-") or word == "-":
                line.alone.append(self._right(word))
                if stops and not (not line.values("--env", "-e") and self._is_environment(word)):
                    line.alone.extend(queue)
                    break
                continue
            flag, equals, value = flag_of(word, flags)
            if flag is None:
                return None
            if flags[flag].optional:
                line.options.append((flag + equals + self._right(value),))
            elif not flags[flag].takes_value:
                if equals:
                    return None
                line.options.append((flag,))
            elif equals or queue:
                value = value if equals else queue.pop(0)
                line.options.append((flag, self._value(value, flags[flag].choices)))
            else:
                return None
        return line

    def _right(self, word: str) -> str:
        meant = self.meant
        return meant.right if meant is not None and word == meant.wrong else word

    def _leave_out_value(self, line: _Line) -> bool:
        """Keep only the name in `NAME VALUE` or `prod NAME VALUE`; False if unclear."""
        name = self._name_behind_environment(line.alone)
        if not name and self._is_environment(line.alone[0]):
            return False
        line.alone[:] = [line.alone[0], name] if name else [line.alone[0].partition("=")[0]]
        return True

    def _name_behind_environment(self, words: Sequence[str]) -> str:
        """Return the variable in `prod NAME VALUE`; empty if the second word is not a variable."""
        if len(words) < 2 or not self._is_environment(words[0]):
            return ""
        name = words[1].partition("=")[0]
        for one in self._names():
            with suppress(EnvkitError):
                if name in load(one, self._folder()).variables:
                    return name
        return ""

    def _value(self, value: str, choices: Sequence[str]) -> str:
        if choices == FORMATS:
            return meant_format(value) or value
        if choices and value not in choices:
            return closest(value, choices) or value
        return self._right(value)

    def _move_environments(self, path: list[str], line: _Line, room: int) -> None:
        """Pass bare environments to `--env`, and other surplus words to `--only`."""
        given = bool(line.values("--env", "-e"))
        surplus = len(line.alone) - room
        if path == ["exec"]:
            while line.alone and self._is_environment(line.alone[0]):
                line.options.append(("--env", line.alone.pop(0)))
        elif not given or surplus > 0:
            chosen = [
                word
                for word in line.alone
                if self._is_environment(word) or (path[-1] == "init" and is_profile_name(word))
            ]
            if room and room < ANY:
                chosen = chosen[:surplus] if surplus > 0 else []
            for word in chosen:
                line.alone.remove(word)
                if word not in line.values("--env", "-e"):
                    line.options.append(("--env", word))
        if len(line.alone) > room:
            self._move_misspelt_environments(line)
        own = ("init", "rotate", "list", "doctor", "trust", "restore")
        if self.complete and path[0] not in own and "--env" in declared(path)[0]:
            self._name_the_only_environment(line)
        if room == 0:
            self._move_variables(path, line)

    def _name_the_only_environment(self, line: _Line) -> None:
        named = line.values("--env", "-e") or self.environ.get("ENVKIT_ENV")
        names = self._names()
        if not named and len(names) == 1:
            line.options.append(("--env", names[0]))

    def _move_variables(self, path: list[str], line: _Line) -> None:
        """Pass words that are written like variables to `--only`."""
        if "--only" in declared(path)[0]:
            line.options.extend(("--only", word) for word in line.alone if word.isupper())
            line.alone[:] = [word for word in line.alone if not word.isupper()]

    def _move_misspelt_environments(self, line: _Line) -> None:
        if line.values("--env", "-e"):
            return
        for word in [word for word in line.alone if not word.isupper()]:  # as in `show prd`
            match = closest(word, self._names())
            if match is not None and match not in line.values("--env", "-e"):
                line.alone.remove(word)
                line.options.append(("--env", match))

    def _complete_comparison(self, line: _Line) -> None:
        """Compare a single environment with another existing one."""
        line.alone.extend(line.values("--env", "-e"))
        line.options[:] = [one for one in line.options if one[0] not in ("--env", "-e")]
        others = [name for name in self._names() if name not in line.alone]
        if len(line.alone) == 1 and self._is_environment(line.alone[0]) and others:
            line.alone.insert(0, "staging" if "staging" in others else others[-1])

    def _start(self, line: _Line, tail: list[str] | None) -> list[str] | None:
        if tail is not None and len(line.alone) == 1 and not line.values("--env", "-e"):
            match = closest(line.alone[0], self._names())  # as in `exec prd -- app`
            if match is not None:
                line.options.append(("--env", match))
                line.alone.clear()
        if tail is None and not line.values("--env", "-e"):
            self._take_last_environment(line)
        named = line.values("--env", "-e") or self.environ.get("ENVKIT_ENV")
        program = [
            *line.alone,
            *(("--",) if line.alone and tail is not None else ()),
            *(tail or ()),
        ]
        options = [word for option in line.options for word in option]
        if not named and self.complete:
            options += ["--env", "NAME"]
        if self.complete:
            program = program or [*_TEMPLATE]
        return ["exec", *options, *(("--", *program) if program else ())]

    def _take_last_environment(self, line: _Line) -> None:
        """Move the option at the end of `npm start --env prod` if its value is an environment."""
        flag, equals, name = line.alone[-1].partition("=") if line.alone else ("", "", "")
        if not equals and len(line.alone) > 2:
            flag, name = line.alone[-2:]
        if flag in ("--env", "-e") and self._is_environment(name):
            del line.alone[-1 if equals else -2 :]
            line.options.append((flag, name))

    def _names(self) -> list[str]:
        try:
            return profile_names(self._folder())
        except EnvkitError:
            return []

    def _folder(self) -> str:
        return profiles_folder(self.named_folder, self.environ)

    def _is_environment(self, word: str) -> bool:
        names = self._names()
        return word in names or word in self._aliases(names)

    def _aliases(self, names: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            with suppress(EnvkitError):  # a broken profile has none
                found.update(load(name, self._folder()).aliases)
        return found


def _split(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _alike(words: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether two command lines differ only in the order or form of their options.

    They are not alike if options precede the command, where envkit takes none, or if options follow
    the name of the app, because these belong to the app.
    """
    if others[0].startswith("-") or (words[0] == "exec" and words[-1] != others[-1]):
        return False
    return _pieces(words) == _pieces(others)


def _pieces(words: Sequence[str]) -> list[str]:
    pieces = []
    for word in words:
        if word.startswith("--"):
            pieces += word.split("=", 1)
        elif word.startswith("-"):
            pieces += (word[:2], word[2:])
        else:
            pieces.append(word)
    return sorted(piece for piece in pieces if piece not in ("", "--"))


def _shown(words: Sequence[str]) -> list[str]:
    """Return words quoted for a shell, without words that may be secret."""
    shown = []
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if before == "--set":
            shown.append(shlex.quote(word.partition("=")[0]) + "=...")
        elif word in _TEMPLATE:
            shown.append(word)
        else:
            shown.append("..." if _may_be_secret(word, before) else shlex.quote(word))
    return shown


def _may_be_secret(word: str, before: str) -> bool:
    name, equals, value = word.partition("=")
    if not equals and before.startswith("-"):
        name, value = before, word
    named = suspect(name.lstrip("-"), value)
    return any(find_tokens(word)) or (named or suspect("", word)) is not None
