"""Warn about arguments like '$NAME': envkit starts the app without a shell that expands them.

Imported only on a terminal and if an argument contains a `$`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from envkit.cli.error_text import print_labelled

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = _names("sh bash zsh dash ksh mksh fish ash rbash busybox csh tcsh yash")
# these programs expand `$NAME` themselves, or pass it to a shell
READERS = _names(
    "awk concurrently entr envsubst gawk gojq hyperfine jq just make mawk parallel perl php "
    "runuser screen script ssh su tclsh tmux watch watchexec yq"
)
# these programs start the program in their arguments
WRAPPERS = _names(
    "chronic chrt doas dumb-init env flock gosu ionice nice nohup npx setsid setpriv stdbuf strace "
    "su-exec sudo taskset time timeout tini unbuffer xargs"
)
_USE = re.compile(r"(?<![\\$])\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))", re.ASCII)
_SPLITS_TEXT = re.compile(r"-[A-Za-z]*S|--split-string", re.ASCII)
_TAKES_TEXT = re.compile(r"-[A-Za-z]*c|--command(=.*)?", re.ASCII)


def warn(command: Sequence[str], names: Container[str]) -> None:
    """Print a warning if an argument contains a variable and no shell would expand it.

    Args:
        command: the program and its arguments, as envkit received them.
        names: the variables that the program receives.
    """
    name = next((name for name in _uses(command[1:]) if name in names), None)
    if name is None or _is_read(command):
        return
    program = os.path.basename(command[0])
    print_labelled("warning", f"{program} gets ${name} unexpanded: no shell expands it")
    print_labelled(
        "hint", f"to expand it, run a shell: envkit exec ... -- sh -c '{program} ... \"${name}\"'"
    )


def _uses(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        for found in _USE.finditer(argument):
            yield found[1] or found[2]


def _is_read(command: Sequence[str]) -> bool:
    """Return whether the program, or one that it starts, expands variables."""
    wrapped = os.path.basename(command[0]) in WRAPPERS
    for at, word in enumerate(command):
        program = os.path.basename(word)
        if program in READERS and (at == 0 or wrapped):
            return True
        if program == "env" and any(map(_SPLITS_TEXT.match, command[at + 1 :])):
            return True
        if program in SHELLS and any(map(_TAKES_TEXT.fullmatch, command[at + 1 :])):
            return True
    return False
