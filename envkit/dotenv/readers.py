"""Find the readers that misread a `.env` value as envkit wrote it. Pure.

envkit and python-dotenv read everything that `editor.quote` writes. Shells, Docker Compose and
Node's dotenv know fewer escapes and expand `$NAME` in double quotes. No form works for them all.

Reference: https://github.com/motdotla/dotenv, https://github.com/compose-spec/compose-go
"""

from __future__ import annotations

import re

SHELL, COMPOSE, NODE = "a shell", "Docker Compose", "Node's dotenv"

_EXPANDED = re.compile(r"\$(?!\{)")


def misreaders(value: str) -> tuple[str, ...]:
    """Return which of SHELL, COMPOSE and NODE read a different value than the one written.

    Args:
        value: a value that `editor.quote` can write.
    """
    written_as_it_is = "'" not in value and "\\\\" not in value and not value.endswith("\\")
    if written_as_it_is and "\r" not in value:
        return ()
    dollar = "$" in value
    if "\r" in value:  # written in double quotes, as `\r`
        in_compose = _EXPANDED.search(value) is not None
        in_node = any(char in value for char in '\\"') or "${" in value
        return _chosen(sh=True, compose=in_compose, node=in_node)
    if dollar or "`" in value:  # written in single quotes, with `\'` and `\\`
        return _chosen(sh=True, compose="\\" in value, node=True)
    return _chosen(sh=False, compose=False, node=any(char in value for char in '\\"'))


def _chosen(*, sh: bool, compose: bool, node: bool) -> tuple[str, ...]:
    wrong = ((SHELL, sh), (COMPOSE, compose), (NODE, node))
    return tuple(reader for reader, misread in wrong if misread)
