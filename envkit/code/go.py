"""Environment variables that Go reads: `os.Getenv`, `os.LookupEnv` and `env:"NAME"` tags.

A name may be a constant of the file. `Getenv` returns an empty text for a missing variable. So a
read is `needed` unless its result, or the variable with its result, is compared with an empty
text. A tag says whether its name is `needed`. Names below a prefix are incomplete and left out.

Reference: https://github.com/caarlos0/env, https://github.com/ilyakaznacheev/cleanenv
"""

from __future__ import annotations

import re

from envkit.code.found import Found, Read
from envkit.code.grammar import line, nodes, syntax, text, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_TAG = re.compile(r'\benv:"(?P<name>[A-Za-z_]\w*)(?P<options>[^"]*)"')
_REQUIRED = re.compile(r"\b(?:required|notEmpty)\b")
_PREFIX = re.compile(r'\b(?:env-?prefix|env:",\s*prefix)', re.IGNORECASE)
_EMPTY = ('""', "``")


def find(source: bytes) -> Found:
    """Return the reads of a file.

    Raises:
        ExtraMissingError: the parser is not installed.
    """
    if b"env" not in source and b"Env" not in source:
        return Found()
    root = syntax("Go", source)
    file = _File(root)
    reads = [read for node in nodes(root) for read in file.reads(node)]
    return Found(reads, file.given)


class _File:
    def __init__(self, root: Node) -> None:
        self.packages: set[str] = set()  # the names of the package `os` in this file
        self.constants: dict[str, str] = {}
        self.compared: set[str] = set()
        self.given: set[str] = set()
        self.prefixed = _PREFIX.search(text(root)) is not None
        for node in nodes(root):
            if node.type == "import_spec" and text(node.child_by_field_name("path")) == '"os"':
                self.packages.add(text(node.child_by_field_name("name")) or "os")
            elif node.type == "const_spec":
                values = node.child_by_field_name("value")
                if values is not None and len(values.named_children) == 1:
                    name = text(node.child_by_field_name("name"))
                    self.constants[name] = variable(values.named_children[0])
            elif node.type == "binary_expression" and _is_comparison(node):
                self.compared.add(text(node.child_by_field_name("left")))

    def reads(self, node: Node) -> Iterator[Read]:
        """Yield the reads of this node itself; record the variables that it sets."""
        if node.type == "field_declaration":
            tag = text(node.child_by_field_name("tag"))
            found = None if self.prefixed else _TAG.search(tag)
            if found is not None:
                needed = _REQUIRED.search(found["options"]) or 'env-required:"true"' in tag
                yield Read(found["name"], line(node), bool(needed))
            return
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        arguments = node.child_by_field_name("arguments")
        if function is None or arguments is None or not arguments.named_children:
            return
        if text(function.child_by_field_name("operand")) not in self.packages:
            return
        first = arguments.named_children[0]
        name = variable(first) or self.constants.get(text(first), "")
        method = text(function.child_by_field_name("field"))
        if method in ("Setenv", "Unsetenv"):
            self.given.add(name)
        elif method in ("Getenv", "LookupEnv"):
            needed = method == "Getenv" and bool(name) and not self.is_compared(node)
            yield Read(name, line(node), needed)

    def is_compared(self, call: Node) -> bool:
        parent = call.parent
        if parent is None or parent.type != "expression_list" or parent.parent is None:
            return parent is not None and _is_comparison(parent)
        return text(parent.parent.child_by_field_name("left")) in self.compared


def _is_comparison(node: Node) -> bool:
    """Return whether a node is `x == ""` or `x != ""`."""
    operator = text(node.child_by_field_name("operator"))
    return operator in ("==", "!=") and text(node.child_by_field_name("right")) in _EMPTY
