"""Environment variables that JavaScript and TypeScript read.

This finds `process.env`, `import.meta.env` and `Bun.env`, their aliases, variables destructured
from them, and `Deno.env.get`. A missing variable is `undefined` in all of these, so a read is
`needed` unless it has a default or is a test.
"""

from __future__ import annotations

from envkit.code.found import Found, Read
from envkit.code.grammar import line, nodes, syntax, text, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_ENVIRONMENTS = ("process.env", "import.meta.env", "Bun.env", "globalThis.process.env")
_PROCESS = ("process", "node:process")
_BUILT_IN = ("BASE_URL", "DEV", "MODE", "PROD", "SSR")  # of import.meta.env
_AROUND = (
    "as_expression",
    "non_null_expression",
    "parenthesized_expression",
    "satisfies_expression",
)
_LONGEST = 200  # bytes of a node that may be an environment; longer chains are not read in full
_ALTERNATIVES = ("||", "??")
_TESTS = ("&&", "==", "===", "!=", "!==")


def find(source: bytes, language: str = "JavaScript") -> Found:
    """Return the reads of a file.

    Args:
        source: its content.
        language: `JavaScript`, `TypeScript` or `TSX`.

    Raises:
        ExtraMissingError: the parser is not installed.
    """
    if b"env" not in source:
        return Found()
    root = syntax(language, source)
    file = _File(root)
    reads = [read for node in nodes(root) for read in file.reads(node)]
    return Found(reads, file.given)


class _File:
    def __init__(self, root: Node) -> None:
        self.environments = set(_ENVIRONMENTS)
        self.given: set[str] = set()
        for node in nodes(root):
            if node.type == "import_statement":
                self.import_(node)
            elif node.type == "variable_declarator":
                name = node.child_by_field_name("name")
                value = node.child_by_field_name("value")
                if name is not None and name.type == "identifier" and self.is_environment(value):
                    self.environments.add(text(name))

    def import_(self, node: Node) -> None:
        """Record `import { env } from "node:process"` and `import proc from "process"`."""
        if text(node.child_by_field_name("source"))[1:-1] not in _PROCESS:
            return
        for inner in nodes(node):
            if inner.type == "import_specifier":
                name, alias = (inner.child_by_field_name(field) for field in ("name", "alias"))
                if text(name) == "env":
                    self.environments.add(text(alias or name))
            elif inner.type == "import_clause":
                self.environments.update(
                    f"{text(child)}.env" for child in inner.children if child.type == "identifier"
                )

    def is_environment(self, node: Node | None) -> bool:
        while node is not None and node.type in _AROUND:
            node = node.named_children[0]
        if node is None or node.end_byte - node.start_byte > _LONGEST:
            return False
        return "".join(text(node).split()).replace("?.", ".") in self.environments

    def reads(self, node: Node) -> Iterator[Read]:
        """Yield the reads of this node itself; record the variables that it sets."""
        if node.type in ("member_expression", "subscript_expression"):
            of_what = node.child_by_field_name("object")
            if self.is_environment(of_what):
                yield from self.read(node, built_in=text(of_what).startswith("import"))
        elif (
            node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "in"
        ):
            if self.is_environment(node.child_by_field_name("right")):
                yield _read(node, variable(node.child_by_field_name("left")), needed=False)
        elif node.type == "object_pattern" and node.parent is not None:
            whole = node.parent
            value = whole.child_by_field_name("value") or whole.child_by_field_name("right")
            if self.is_environment(value):
                yield from _destructured(node)
        elif node.type == "call_expression":
            yield from _deno(node)

    def read(self, node: Node, *, built_in: bool) -> Iterator[Read]:
        if node.type == "member_expression":
            name = text(node.child_by_field_name("property"))
        else:
            name = variable(node.child_by_field_name("index"))
        use = _use(node)
        if use == "set":
            self.given.add(name)
        elif not (built_in and name in _BUILT_IN):
            yield _read(node, name, needed=use == "needed")


def _use(node: Node) -> str:
    """Return how a variable is used: `set`, or a read that is `needed` or `optional`."""
    parent = node.parent
    while parent is not None and parent.type in _AROUND:
        node, parent = parent, parent.parent
    if parent is None:
        return "needed"
    if parent.type == "if_statement":
        return "optional"
    first = parent.named_children[0] == node
    operator = text(parent.child_by_field_name("operator"))
    if parent.type == "binary_expression" and operator in _ALTERNATIVES and not first:
        return _use(parent)
    if parent.type in ("assignment_expression", "augmented_assignment_expression") and first:
        return "set"
    if parent.type == "unary_expression":
        return {"delete": "set", "!": "optional", "typeof": "optional"}.get(operator, "needed")
    tested = (
        (parent.type == "binary_expression" and (operator in _TESTS or operator in _ALTERNATIVES))
        or (parent.type == "ternary_expression" and first)
        or parent.child_by_field_name("optional_chain") is not None
        or any(child.type == "optional_chain" for child in parent.children)
    )
    return "optional" if tested else "needed"


def _destructured(pattern: Node) -> Iterator[Read]:
    """Yield the variables of `const { A, B = "default", C: c } = process.env`."""
    for part in pattern.named_children:
        if part.type == "shorthand_property_identifier_pattern":
            yield _read(part, text(part), needed=True)
        elif part.type == "object_assignment_pattern":
            yield _read(part, text(part.child_by_field_name("left")), needed=False)
        elif part.type == "pair_pattern":
            key, value = (part.child_by_field_name(field) for field in ("key", "value"))
            plain = key is not None and key.type == "property_identifier"
            needed = value is not None and value.type != "assignment_pattern"
            yield _read(part, text(key) if plain else variable(key), needed=needed)


def _deno(node: Node) -> Iterator[Read]:
    method = text(node.child_by_field_name("function")).removeprefix("Deno.env.")
    arguments = node.child_by_field_name("arguments")
    if method in ("get", "has") and arguments is not None and arguments.named_children:
        name = variable(arguments.named_children[0])
        yield _read(node, name, needed=method == "get" and _use(node) == "needed")


def _read(node: Node, name: str, *, needed: bool) -> Read:
    return Read(name, line(node), needed and bool(name))
