"""Imports point one way, and only the command line talks to people.

The table lists the packages in the order in which data moves, and what each may import. A module
must follow the row of its package. Imports inside functions and for type checkers count.
`envkit/__init__.py`, which names everything and imports nothing, does not.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "envkit"

# package -> the packages that it may import, all of them above it
ALLOWED = {
    "errors": "",
    "secret": "errors",
    "_internal": "errors",
    "arguments": "_internal errors",
    "dotenv": "_internal errors",
    "encryption": "_internal dotenv errors secret",
    "profile": "_internal dotenv errors",
    "trust": "_internal errors profile",
    "sources": "_internal dotenv encryption errors profile secret trust",
    "resolution": "_internal errors profile secret sources trust",
    "notification": "_internal errors profile resolution",
    "access": "_internal errors notification profile resolution secret sources trust",
    "audit": "_internal access errors profile resolution secret",
    "detection": "",
    "rotation_state": "_internal dotenv encryption errors notification profile secret sources",
    "launch": "_internal detection dotenv errors resolution secret",
    "resident": "_internal audit errors launch profile resolution secret sources",
    "integrations": "_internal errors resident secret",
    "agent": (
        "_internal arguments audit errors launch profile resident resolution secret sources trust"
    ),
    "comparison": (
        "_internal detection dotenv encryption errors profile resolution secret sources"
    ),
    "editing": (
        "_internal dotenv encryption errors profile resolution rotation_state secret sources"
    ),
    "promotion": (
        "_internal detection editing errors profile resolution rotation_state secret sources"
    ),
    "importing": (
        "_internal detection dotenv editing encryption errors profile promotion resolution "
        "rotation_state secret sources"
    ),
    "rotation": (
        "_internal audit errors notification profile resolution rotation_state secret sources"
    ),
    "backup": (
        "_internal editing errors profile promotion resolution rotation rotation_state secret "
        "sources"
    ),
    "code": "_internal errors",
    "checks": (
        "_internal access audit backup code comparison detection dotenv encryption errors "
        "notification profile resident resolution rotation rotation_state sources trust"
    ),
    "scan": (
        "_internal checks comparison detection errors profile resolution rotation secret sources"
    ),
    "git": "_internal detection dotenv encryption errors",
    "scaffold": "_internal detection dotenv errors git profile",
    "env_files": (
        "_internal dotenv editing encryption errors git profile resolution rotation_state secret "
        "sources"
    ),
    "api": "comparison errors resolution",
    "testing": "_internal errors profile rotation rotation_state secret sources",
    "cli": (
        "_internal access agent arguments audit backup checks comparison detection dotenv editing "
        "encryption env_files errors git importing launch profile promotion resident resolution "
        "rotation rotation_state scaffold scan secret sources trust"
    ),
    "__main__": "agent arguments cli launch",
}
# programs and plug-ins import these; envkit does not
FACADES = {
    "placeholder": "profile",
    "environment": "resolution",
    "env_diff": "comparison",
    "check": "checks",
}
FACADE_MODULES = {"envkit.sources.base", "envkit.rotation.base"}
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


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of envkit that a module imports, anywhere in its text."""
    found = set().union(*map(imported_by, ast.walk(tree(module))))
    return frozenset(name for name in found if name in FILES and name not in ("envkit", module))


def foreign_imports(module: str) -> dict[str, str]:
    """Return the modules of other packages that a module imports, with their packages."""
    found = {target: part_of(target) for target in imports(module)}
    return {target: part for target, part in found.items() if part != part_of(module)}


def test_the_layering_table_has_every_package_and_no_other() -> None:
    assert {part_of(m) for m in FILES if m != "envkit"} == {*ALLOWED, *FACADES}


def test_a_package_imports_only_packages_above_it_in_the_table() -> None:
    above: set[str] = set()
    for package, allowed in ALLOWED.items():
        assert set(allowed.split()) <= above, package
        above.add(package)


@pytest.mark.parametrize("package", {**ALLOWED, **FACADES})
def test_a_package_imports_only_what_its_row_allows(package: str) -> None:
    allowed = {**ALLOWED, **FACADES}[package].split()
    offending = [
        f"{module} imports {target}"
        for module in FILES
        if module != "envkit" and part_of(module) == package
        for target, part in foreign_imports(module).items()
        if part not in allowed
    ]
    assert offending == []


def test_every_row_allows_only_packages_that_are_imported() -> None:
    for package, allowed in ALLOWED.items():
        used = {
            part
            for module in FILES
            if module != "envkit" and part_of(module) == package
            for part in foreign_imports(module).values()
        }
        assert set(allowed.split()) == used, package


def test_only_programs_and_plug_ins_import_the_facades() -> None:
    facades = {f"envkit.{name}" for name in FACADES} | FACADE_MODULES
    offending = [
        f"{module} imports {target}"
        for module in FILES
        for target in sorted(imports(module) & facades)
    ]
    assert offending == []


def test_no_module_imports_itself_in_a_cycle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join((*path[path.index(module) :], module))
        if module not in done:
            for target in sorted(imports(module)):
                visit(target, (*path, module))
            done.add(module)

    for module in FILES:
        visit(module, ())


def test_every_package_says_what_belongs_in_it() -> None:
    for module, file in FILES.items():
        if file.name == "__init__.py":
            words = (ast.get_docstring(tree(module)) or "").split()
            assert len(words) >= 8, f"{module} has no docstring that says what belongs in it"


def test_modules_and_folders_stay_small() -> None:
    for module, file in FILES.items():
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{module} has {lines} lines"
    for folder in {file.parent for file in FILES.values()}:
        modules = len(list(folder.glob("*.py")))
        assert modules <= (12 if folder == PACKAGE else 20), f"{folder.name}: {modules} modules"


@pytest.mark.parametrize("module", LIBRARY)
def test_only_the_command_line_prints_or_prompts(module: str) -> None:
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
