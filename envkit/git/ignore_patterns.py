"""Decide whether a `.gitignore` ignores a file beside it. Pure."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def is_ignored(name: str, patterns: Iterable[str]) -> bool:
    """Return whether git ignores a file: the last pattern that matches it decides.

    Args:
        name: the name of a file in the folder of the `.gitignore`.
        patterns: the lines of the `.gitignore`, without comments.

    Reference: https://git-scm.com/docs/gitignore
    """
    ignored = False
    for pattern in patterns:
        unignores = pattern.startswith("!")
        if _fits(name, pattern.removeprefix("!")):
            ignored = not unignores
    return ignored


def patterns_in(content: str) -> list[str]:
    """Return the patterns in the text of a `.gitignore`."""
    lines = (line.strip() for line in content.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _fits(name: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("\\") if pattern.startswith(("\\!", "\\#")) else pattern
    pattern = pattern.removeprefix("**/").removeprefix("/")
    if "/" in pattern:  # the pattern is for a folder, or a file in one
        return False
    return re.fullmatch(_regex(pattern), name) is not None


def _regex(pattern: str) -> str:
    out = []
    rest = pattern
    while rest:
        bracket = re.match(r"\[([!^]?)(\]?[^\]]*)\]", rest)
        if rest[0] == "\\" and len(rest) > 1:
            out.append(re.escape(rest[1]))
            rest = rest[2:]
        elif bracket:
            inside = re.escape(bracket[2]).replace(r"\-", "-")
            out.append(f"[{'^' if bracket[1] else ''}{inside}]")
            rest = rest[bracket.end() :]
        else:
            out.append({"*": ".*", "?": "."}.get(rest[0], re.escape(rest[0])))
            rest = rest[1:]
    return "".join(out)
