"""Parse languages other than Python with tree-sitter, which the extra `check` installs."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from envkit._internal.installation import install_hint
from envkit._internal.names import is_name
from envkit.errors import ExtraMissingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser

# a language -> the package, and the function of the package that returns the grammar
_GRAMMARS = {
    "JavaScript": ("tree_sitter_javascript", "language"),
    "TypeScript": ("tree_sitter_typescript", "language_typescript"),
    "TSX": ("tree_sitter_typescript", "language_tsx"),
    "Go": ("tree_sitter_go", "language"),
    "Ruby": ("tree_sitter_ruby", "language"),
    "shell": ("tree_sitter_bash", "language"),
}


def syntax(language: str, source: bytes) -> Node:
    """Return the root of a file's syntax tree; parts with errors are also nodes.

    Raises:
        ExtraMissingError: the parser is not installed.
    """
    return _parser(language).parse(source).root_node


@cache
def _parser(language: str) -> Parser:
    package, function = _GRAMMARS[language]
    try:
        from tree_sitter import Language, Parser

        return Parser(Language(getattr(import_module(package), function)()))
    except ImportError:
        raise ExtraMissingError(
            f"cannot read {language}: its parser is not installed",
            hint=install_hint("check"),
        ) from None


def nodes(root: Node) -> Iterator[Node]:
    """Yield `root` and each named node below it, in the order of the text."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.named_children))


def text(node: Node | None) -> str:
    """Return the text of a node; empty for None."""
    return "" if node is None or node.text is None else node.text.decode(errors="replace")


def variable(node: Node | None) -> str:
    """Return the variable that a quoted text names; empty if the node is not such a text."""
    name = text(node)[1:-1]
    return name if node is not None and "string" in node.type and is_name(name) else ""


def line(node: Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_point[0]) + 1
