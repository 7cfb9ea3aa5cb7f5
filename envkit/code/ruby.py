"""Environment variables that Ruby reads: `ENV[...]`, `ENV.fetch` and similar.

Only `fetch` without a default or a block is `needed`: all others return nil for an absent variable.
"""

from __future__ import annotations

from envkit.code.found import Found, Read
from envkit.code.grammar import line, nodes, syntax, text, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_READS = ("dig", "fetch", "has_key?", "include?", "key?", "member?", "slice", "values_at")
_WRITES = ("delete", "store")


def find(source: bytes) -> Found:
    """Return the reads of a file.

    Raises:
        ExtraMissingError: the parser is not installed.
    """
    if b"ENV" not in source:
        return Found()
    root = syntax("Ruby", source)
    given: set[str] = set()
    reads = [read for node in nodes(root) for read in _reads(node, given)]
    return Found(reads, given)


def _reads(node: Node, given: set[str]) -> Iterator[Read]:
    if node.type == "element_reference" and text(node.child_by_field_name("object")) == "ENV":
        name = variable(node.named_children[1]) if len(node.named_children) > 1 else ""
        if _is_assigned(node):
            given.add(name)
        else:
            yield Read(name, line(node), needed=False)
    elif node.type == "call" and text(node.child_by_field_name("receiver")) == "ENV":
        method = text(node.child_by_field_name("method"))
        found = node.child_by_field_name("arguments")
        arguments = [] if found is None else found.named_children
        if method in _WRITES and arguments:
            given.add(variable(arguments[0]))
        elif method in _READS:
            alone = len(arguments) == 1 and node.child_by_field_name("block") is None
            for argument in arguments[:1] if method == "fetch" else arguments:
                name = variable(argument)
                yield Read(name, line(node), method == "fetch" and alone and bool(name))


def _is_assigned(node: Node) -> bool:
    """Return whether a node is on the left of `=` or `||=`."""
    parent = node.parent
    if parent is None or parent.type not in ("assignment", "operator_assignment"):
        return False
    return parent.child_by_field_name("left") == node
