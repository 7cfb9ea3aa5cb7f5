"""Environment variables that shell scripts read: `$NAME` and `${NAME...}`.

Only names in capitals count: by convention, a script's own variables are in lower case. A variable
that the script assigns, reads in or declares is its own. A read is `needed` if it has no default
(`${X:-...}`) and is not a test (`[ -z "$X" ]`, `${X:+...}`).
"""

from __future__ import annotations

import re

from envkit.code.found import Found, Read
from envkit.code.grammar import line, nodes, syntax, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_EXPANSION = re.compile(r"\$\{(?P<sign>[#!]?)(?P<name>\w+)(?:\[[^]]*\])?(?P<operator>:?[-=+])?")
# variables that the shell itself sets
_OWN = re.compile(
    r"BASH\w*|COLUMNS|COMP\w*|DIRSTACK|EPOCH\w+|EUID|FUNCNAME|GROUPS|HOSTNAME|HOSTTYPE|IFS|LINENO"
    r"|LINES|MACHTYPE|OLDPWD|OPTARG|OPTERR|OPTIND|OSTYPE|PIPESTATUS|PPID|PWD|RANDOM|REPLY|SECONDS"
    r"|SHELLOPTS|SHLVL|UID|ZSH\w*|_"
)
_NAMING = ("getopts", "mapfile", "printf", "read", "readarray")  # commands that fill variables
_DECLARING = ("declare", "local", "readonly", "typeset")


def find(source: bytes) -> Found:
    """Return the reads of a script.

    Raises:
        ExtraMissingError: the parser is not installed.
    """
    root = syntax("shell", source)
    given: set[str] = set()
    reads: list[Read] = []
    for node in nodes(root):
        given.update(_given(node))
        reads += _reads(node)
    return Found([read for read in reads if not _OWN.fullmatch(read.name)], given)


def _given(node: Node) -> Iterator[str]:
    if node.type == "variable_assignment":
        yield re.split(r"[\[+]", text(node.child_by_field_name("name")))[0]
    elif node.type == "for_statement":
        yield text(node.child_by_field_name("variable"))
    elif node.type == "declaration_command" and text(node.children[0]) in _DECLARING:
        yield from (text(child) for child in node.named_children if child.type == "variable_name")
    elif node.type == "command" and text(node.child_by_field_name("name")) in _NAMING:
        arguments = (text(child) for child in node.named_children[1:] if child.type == "word")
        yield from (word for word in arguments if _NAME.fullmatch(word))


def _reads(node: Node) -> Iterator[Read]:
    written = text(node).lstrip()  # inside quotes, the node includes the blanks before it
    if node.type == "simple_expansion":
        name = written[1:]
        if _NAME.fullmatch(name):
            yield Read(name, line(node), not _tested(node))
    elif node.type == "expansion":
        found = _EXPANSION.match(written)
        if found is not None and found["sign"] == "!":
            yield Read("", line(node), needed=False)
        elif found is not None and _NAME.fullmatch(found["name"]):
            yield Read(found["name"], line(node), not found["operator"] and not _tested(node))


def _tested(node: Node) -> bool:
    """Return whether an expansion is inside `[ ... ]` or `[[ ... ]]`."""
    parent = node.parent
    while parent is not None and parent.type in (
        "string",
        "unary_expression",
        "binary_expression",
        "parenthesized_expression",
    ):
        parent = parent.parent
    return parent is not None and parent.type == "test_command"
