"""Imports point one way, and only the command line talks to people.

The spine below is the order in which data moves. What is not on it stands beside it and
needs no entry: a module that the profile imports, however indirectly, must not lead on to
the plan. Imports for type checkers count too; `envkit/__init__.py`, which names everything
and imports nothing, does not.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "envkit"

SPINE = (
    ("errors",),
    ("secret", "_internal"),
    ("detection",),
    ("dotenv", "placeholder", "profile"),
    ("sources",),
    ("environment", "resolution"),
    ("audit",),
    ("comparison", "env_diff"),
    ("launch",),
    ("editing",),
    ("promotion",),
    ("api",),
    ("notification",),
    ("rotation_state",),
    ("rotation",),
    ("code",),
    ("check", "checks"),
    ("scaffold",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
TALKS_TO_PEOPLE = ("cli", "__main__")


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


FILES = {module_name(file): file for file in PACKAGE.rglob("*.py")}


def part_of(module: str) -> str:
    """`envkit.sources.vault.source` is part of `sources`."""
    return module.split(".")[1]


LIBRARY = sorted(m for m in FILES if m == "envkit" or part_of(m) not in TALKS_TO_PEOPLE)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imported_by(node: ast.AST) -> set[str]:
    """The modules that one statement imports, by their full names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written in full"
        modules = set()
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            modules.add(whole if whole in FILES else str(node.module))
        return modules
    return set()


def for_type_checkers(module: str) -> set[ast.AST]:
    return {
        inner
        for node in ast.walk(tree(module))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }


@cache
def imports(module: str, *, typing: bool) -> frozenset[str]:
    """The modules of envkit that a module imports, anywhere in its text."""
    left_out = frozenset() if typing else for_type_checkers(module)
    found = set().union(*(imported_by(n) for n in ast.walk(tree(module)) if n not in left_out))
    return frozenset(name for name in found if name in FILES and name not in ("envkit", module))


def way(start: str, is_end) -> list[str] | None:
    """The shortest chain of imports from a module to one that `is_end` holds for."""
    chains, seen = [[start]], {start}
    for chain in chains:
        for target in sorted(imports(chain[-1], typing=True) - seen):
            seen.add(target)
            if is_end(target):
                return [*chain, target]
            chains.append([*chain, target])
    return None


@pytest.mark.parametrize("level", range(len(SPINE)), ids=["+".join(level) for level in SPINE])
def test_nothing_leads_on_to_what_comes_after_it(level: int) -> None:
    after = {name for names in SPINE[level + 1 :] for name in names}
    modules = [m for m in FILES if m != "envkit" and part_of(m) in SPINE[level]]
    assert modules, f"{SPINE[level]} is not there any more"
    for module in modules:
        chain = way(module, lambda target: part_of(target) in after)
        assert chain is None, " imports ".join(chain)


def test_every_package_has_its_place() -> None:
    packages = {part_of(module) for module in FILES if module.count(".") > 1}
    assert packages <= {name for names in SPINE for name in names}


def test_no_module_of_the_library_needs_itself() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join((*path[path.index(module) :], module))
        if module not in done:
            for target in sorted(imports(module, typing=False)):
                visit(target, (*path, module))
            done.add(module)

    for module in LIBRARY:
        visit(module, ())


@pytest.mark.parametrize("module", LIBRARY)
def test_only_the_command_line_talks_to_people(module: str) -> None:
    for node in ast.walk(tree(module)):
        where = f"{module}:{getattr(node, 'lineno', 0)}"
        for name in imported_by(node):
            assert name.split(".")[0] not in ("typer", "click", "rich", "getpass"), where
            assert name not in FILES or name == "envkit" or part_of(name) not in TALKS_TO_PEOPLE, (
                where
            )
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            assert not {alias.name for alias in node.names} & {"argv", "exit"}, where
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            assert text not in ("sys.argv", "sys.exit", "logging.basicConfig"), f"{where}: {text}"
        if isinstance(node, ast.Name):
            assert node.id not in ("print", "input", "breakpoint", "SystemExit"), (
                f"{where}: {node.id}"
            )
