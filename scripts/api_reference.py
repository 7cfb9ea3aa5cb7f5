"""Write docs/reference/api.md from the docstrings. Needs nothing but Python.

    python scripts/api_reference.py

It parses the sources and does not import them, so that neither a client library nor the
version of Python changes the page.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "docs" / "reference" / "api.md"
WIDTH = 96

# the public names, by the module that users import them from; `*` means all public ones
PUBLIC: dict[str, tuple[str, ...]] = {
    "envkit": ("resolve", "load", "Live", "diff", "Environment", "Secret"),
    "envkit.resident.live": ("Snapshot",),
    "envkit.resident.login": ("*",),
    "envkit.env_diff": (
        *("EnvDiff", "Entry", "DiffStatus", "Cell", "CellState", "Finding", "FindingKind", "Place"),
    ),
    "envkit.environment": ("TypedReader", "Variable", "Origin"),
    "envkit.errors": ("EnvkitError", "ResolutionError", "VariableFailure"),
    "envkit.sources.base": ("*",),
    "envkit.sources.memory": ("*",),
    "envkit.testing": ("*",),
}
HEAD = "# Python API\n\nWritten by `make docs` from the docstrings: edit those.\n"

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Reference):(.*)$", re.MULTILINE)
_ITEM = re.compile(r"^(\w[\w., ]*): ", re.MULTILINE)
_CODE = re.compile(r"^(?: {4}.*\n(?:\n* {4}.*\n)*|>>> (?:.+\n)+)", re.MULTILINE)

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


def render() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for module, names in PUBLIC.items():
        tree = parse(module)
        parts += [f"## {module}", docstring(tree)]
        if module == "envkit.errors":
            parts.append(error_table(tree))
        for name in public_names(tree) if names == ("*",) else names:
            parts.append(member(find(tree, name), module))
    return "\n".join(part.strip("\n") + "\n" for part in parts if part.strip("\n"))


# ---------------------------------------------------------------- reading modules


def parse(module: str) -> ast.Module:
    """Return the tree of a module of the package."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def statements(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a module, including those below an `if`."""
    found: list[ast.stmt] = []
    for node in tree.body:
        found += node.body if isinstance(node, ast.If) else [node]
    return found


def find(tree: ast.Module, name: str) -> Definition:
    """Return the definition of a name, from the module that defines it."""
    for node in statements(tree):
        if isinstance(node, Definition) and name_of(node) == name:
            return node
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return find(parse(node.module or ""), name)
    raise LookupError(f"no definition of {name}")


def public_names(tree: ast.Module) -> list[str]:
    """Return the names in `__all__`, else the functions and classes without a leading `_`."""
    names = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and name_of(node) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            names.append(node.name)
    return names


def name_of(node: Definition) -> str:
    """Return the name that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


# ---------------------------------------------------------------- writing Markdown


def member(node: Definition, module: str) -> str:
    """Return the section of a function, class or constant."""
    title = f"### {module}.{name_of(node)}"
    if isinstance(node, ast.ClassDef):
        return f"{title}\n\n{class_body(node)}"
    if isinstance(node, ast.FunctionDef):
        return f"{title}\n\n{code(signature(node))}\n{docstring(node)}"
    return f"{title}\n\n{code(ast.unparse(node))}"


def class_body(node: ast.ClassDef) -> str:
    """Return the constructor of a class, its attributes, its docstring and its public methods."""
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    head = [f"class {node.name}({bases}):" if bases else f"class {node.name}:"]
    methods = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            head += ["    " + line for line in signature(item).splitlines()]
        elif isinstance(item, Definition) and not name_of(item).startswith("_"):
            if isinstance(item, ast.FunctionDef) and is_overload(item):
                continue  # the implementation follows
            if isinstance(item, ast.FunctionDef):
                methods.append(item)
            else:
                head.append("    " + ast.unparse(item))
    parts = [code("\n".join(head)), docstring(node)]
    for method in methods:
        parts += [f"#### {node.name}.{method.name}\n", code(signature(method)), docstring(method)]
    return "\n".join(part for part in parts if part)


def is_overload(node: ast.FunctionDef) -> bool:
    """Return whether a function is an overload for type checkers."""
    return [ast.unparse(decorator) for decorator in node.decorator_list] == ["overload"]


def signature(node: ast.FunctionDef) -> str:
    """Return a function's `def` line, its arguments one per line where it would be too long."""
    decorators = "".join(f"@{ast.unparse(decorator)}\n" for decorator in node.decorator_list)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = list(argument_texts(node.args))
    line = f"def {node.name}({', '.join(arguments)}){returns}"
    if len(line) > WIDTH:
        listed = "".join(f"    {argument},\n" for argument in arguments)
        line = f"def {node.name}(\n{listed}){returns}"
    return (decorators + line).replace("builtins.", "")  # qualified if a method hides the type


def argument_texts(arguments: ast.arguments) -> list[str]:
    """Return each argument as in the source, and the lone `*`."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    texts = [
        argument_text(argument, default)
        for argument, default in zip(
            positional, [*[None] * missing, *arguments.defaults], strict=True
        )
    ]
    if arguments.vararg:
        texts.append("*" + ast.unparse(arguments.vararg))
    elif arguments.kwonlyargs:
        texts.append("*")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        texts.append(argument_text(argument, default))
    return texts + (["**" + ast.unparse(arguments.kwarg)] if arguments.kwarg else [])


def argument_text(argument: ast.arg, default: ast.expr | None) -> str:
    """Return `name: type = default`."""
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def error_table(tree: ast.Module) -> str:
    """Return every error with its code and exit status, its own or inherited."""
    rows = ["| error | code | exit status | when |", "| --- | --- | --- | --- |"]
    known: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or not node.name.endswith("Error"):
            continue
        facts = dict(known.get(ast.unparse(node.bases[0]), {}))
        for item in node.body:
            if isinstance(item, ast.Assign):
                facts[name_of(item)] = ast.unparse(item.value).strip("'")
            elif "self.exit_status =" in ast.unparse(item):
                facts["exit_status"] = "its cause's"
        known[node.name] = facts
        first_line = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
        cells = (f"`{node.name}`", f"`{facts['code']}`", facts["exit_status"], first_line)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def docstring(node: ast.Module | ast.stmt) -> str:
    """Return a Google-style docstring as Markdown: prose, then its sections."""
    assert isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
    prose, *sections = _SECTION.split(ast.get_docstring(node) or "")
    parts = [_CODE.sub(lambda block: code(dedent(block[0].rstrip("\n"))), prose + "\n")]
    for name, tail, body in zip(*[iter(sections)] * 3, strict=True):
        text = dedent(body.strip("\n"))
        if name in ("Args", "Attributes", "Raises"):
            text = _ITEM.sub(r"- `\1`: ", text).replace("\n    ", "\n  ")
        parts.append(f"**{name}**{tail}\n\n{text}\n")
    return "\n".join(part.strip("\n") + "\n" for part in parts if part.strip("\n"))


def code(text: str) -> str:
    """Return a block of Python."""
    return f"```python\n{text}\n```\n"


if __name__ == "__main__":
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(render(), encoding="utf-8")
