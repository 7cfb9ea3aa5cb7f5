"""Environment variables that Python code reads, found in its syntax tree.

This finds `os.environ` and `os.getenv` under any imported name, the results of `envkit.resolve` and
`envkit.load`, the readers of decouple, environs, django-environ and starlette, and the settings
classes of pydantic. A name may be a constant of the module. A read is `needed` if it raises an
error when the variable is absent.
"""

from __future__ import annotations

import ast
import warnings
from enum import Enum, auto

from envkit._internal.names import is_name
from envkit.code.found import Found, Read, UnreadableError
from envkit.code.settings_class import Naming, fields, naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class _Kind(Enum):
    """The meaning of a name."""

    MAPPING = auto()  # `os.environ`
    GETENV = auto()  # a function like `os.getenv`
    READER = auto()  # called with the name of a variable
    MAKER = auto()  # called to create a reader
    SETTINGS = auto()  # a class whose fields are variables


# full name -> meaning
_KNOWN = {
    "os.environ": _Kind.MAPPING,
    "os.getenv": _Kind.GETENV,
    "decouple.config": _Kind.READER,
    "environs.env": _Kind.READER,
    "decouple.AutoConfig": _Kind.MAKER,
    "decouple.Config": _Kind.MAKER,
    "environs.Env": _Kind.MAKER,
    "environ.Env": _Kind.MAKER,
    "environ.FileAwareEnv": _Kind.MAKER,
    "starlette.config.Config": _Kind.MAKER,
    "envkit.load": _Kind.MAKER,
    "envkit.resolve": _Kind.MAKER,
    "pydantic_settings.BaseSettings": _Kind.SETTINGS,
    "pydantic.BaseSettings": _Kind.SETTINGS,
}
_MODULES = {name.rpartition(".")[0] for name in _KNOWN}
# methods of readers whose first argument is not the name of a variable
_NO_READS = ("dump", "parser_for", "prefixed", "read_env", "read_envfile", "seal")
_SUBSCRIPTED = (_Kind.MAPPING, _Kind.READER)  # an `envkit.Environment` is both
_CATCHES = ("KeyError", "LookupError", "Exception", "BaseException")


def find(source: bytes) -> Found:
    """Return the reads of a module.

    Raises:
        UnreadableError: this version of Python cannot parse it.
    """
    if not any(word in source.lower() for word in (b"env", b"config", b"basesettings")):
        return Found()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about strings in code that is not ours
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UnreadableError from None
    module = _Module(tree)
    reads = [
        read._replace(needed=read.needed and not guarded)
        for node, guarded in _nodes(tree)
        for read in module.reads(node)
    ]
    return Found(reads, module.given)


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield each node, and whether a KeyError is caught there."""
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, guarded = stack.pop()
        yield node, guarded
        body = node.body if isinstance(node, ast.Try) and _catches(node) else []
        stack.extend((child, guarded or child in body) for child in ast.iter_child_nodes(node))


def _catches(node: ast.Try) -> bool:
    for handler in node.handlers:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(k is None or (isinstance(k, ast.Name) and k.id in _CATCHES) for k in kinds):
            return True
    return False


class _Module:
    """The names in one module that have a known meaning."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, str] = {}  # a name in the module -> its full name
        self.kinds = dict(_KNOWN)  # a full name, or an assigned name -> its meaning
        self.constants: dict[str, str] = {}
        self.given: set[str] = set()
        self.defaults: set[str] = set()
        self.settings: dict[str, Naming] = {}  # the full name of a class -> its naming rules
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.import_(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.assign(target.id, node.value)
            elif isinstance(node, ast.ClassDef):
                self.derive(node)

    def import_(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                full, name = f"{node.module}.{alias.name}", alias.asname or alias.name
            elif alias.asname:
                full, name = alias.name, alias.asname
            else:
                full = name = alias.name.partition(".")[0]
            if full in self.kinds or full in _MODULES:
                self.names[name] = full

    def assign(self, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            # a name that is assigned twice is not a constant
            self.constants[name] = value.value if name not in self.constants else ""
        elif isinstance(value, ast.Call) and self.kind(value.func) == _Kind.MAKER:
            self.names[name] = f"{name} of this module"
            self.kinds[self.names[name]] = _Kind.READER
            self.defaults.update(keyword.arg for keyword in value.keywords if keyword.arg)
        elif self.kind(value) in (_Kind.MAPPING, _Kind.GETENV, _Kind.READER):
            self.names[name] = self.full_name(value)

    def derive(self, node: ast.ClassDef) -> None:
        """Record a settings class, from which others may derive."""
        bases = [self.full_name(base) for base in node.bases if self.kind(base) == _Kind.SETTINGS]
        if bases:
            full = self.names[node.name] = f"{node.name} of this module"
            self.kinds[full] = _Kind.SETTINGS
            self.settings[full] = naming(node, self.settings.get(bases[0], Naming()))

    def full_name(self, node: ast.expr) -> str:
        """Return the full name of an expression, such as `os.environ`; empty if unknown."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            return f"{self.full_name(node.value)}.{node.attr}"
        return ""

    def kind(self, node: ast.expr) -> _Kind | None:
        return self.kinds.get(self.full_name(node))

    def reads(self, node: ast.AST) -> Iterator[Read]:
        """Yield the reads of this node itself; record the variables that it sets."""
        if isinstance(node, ast.Subscript) and self.kind(node.value) in _SUBSCRIPTED:
            if isinstance(node.ctx, ast.Load):
                yield self.read(node.slice, needed=True)
            elif name := self.constant(node.slice):
                self.given.add(name)
        elif isinstance(node, ast.Compare) and self.kind(node.comparators[0]) in _SUBSCRIPTED:
            if isinstance(node.ops[0], ast.In | ast.NotIn):
                yield self.read(node.left, needed=False)
        elif isinstance(node, ast.Call) and node.args:
            yield from self.called(node)
        elif isinstance(node, ast.ClassDef) and self.names.get(node.name) in self.settings:
            yield from fields(node, self.settings[self.names[node.name]])

    def called(self, node: ast.Call) -> Iterator[Read]:
        function, first = node.func, node.args[0]
        method = function.attr if isinstance(function, ast.Attribute) else ""
        owner = self.kind(function.value) if isinstance(function, ast.Attribute) else None
        if self.kind(function) == _Kind.GETENV or (owner in _SUBSCRIPTED and method == "get"):
            yield self.read(first, needed=False)
        elif owner == _Kind.MAPPING and method == "pop":
            yield self.read(first, needed=len(node.args) == 1)
        elif owner == _Kind.MAPPING and method == "setdefault" and (name := self.constant(first)):
            self.given.add(name)
        elif self.kind(function) == _Kind.READER or (
            owner == _Kind.READER and method not in _NO_READS
        ):
            name = self.constant(first)
            if name and is_name(name):
                positional = 2 if method == "enum" else 1  # `env.enum(name, kind, default)`
                default = len(node.args) > positional or any(
                    keyword.arg == "default" for keyword in node.keywords
                )
                yield Read(name, node.lineno, not default and name not in self.defaults)

    def read(self, node: ast.expr, *, needed: bool) -> Read:
        name = self.constant(node)
        return Read(name, node.lineno, needed and bool(name))

    def constant(self, node: ast.expr) -> str:
        """Return the text of a literal or constant; empty if it is computed."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.constants.get(node.id, "") if isinstance(node, ast.Name) else ""
