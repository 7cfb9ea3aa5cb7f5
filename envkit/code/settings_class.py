"""Environment variables behind the fields of a pydantic settings class. Pure.

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="APP_")
        database_url: str                                      # needs APP_DATABASE_URL
        port: int = Field(8080, validation_alias="PORT")       # looks for PORT

A field without a default is `needed`. A field is left out if the class alone does not determine
its variable (a computed prefix, the parts of a nested model).

Reference: https://docs.pydantic.dev/latest/concepts/pydantic_settings/
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from envkit.code.found import Read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ALIASES = ("validation_alias", "alias", "env")  # `env` is from pydantic 1
_DEFAULTS = ("default", "default_factory")


class Naming(NamedTuple):
    """How a class names its variables.

    Attributes:
        prefix: text before the name of each field; None if it is computed at run time.
        nested: whether the fields of nested models have their own variables.
    """

    prefix: str | None = ""
    nested: bool = False


def naming(node: ast.ClassDef, inherited: Naming) -> Naming:
    """Return the naming rules of a class, from `model_config` or an inner `Config`."""
    found = inherited
    for name, value in _options(node):
        if name == "env_prefix":
            found = found._replace(prefix=_text(value))
        elif name == "env_nested_delimiter":
            found = found._replace(nested=True)
    return found


def fields(node: ast.ClassDef, names: Naming) -> Iterator[Read]:
    """Yield the variables from which the fields of a class are read."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            if not name.startswith("_") and name != "model_config":
                yield from _field(name, statement, names)


def _options(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        if isinstance(statement, ast.ClassDef) and statement.name == "Config":  # pydantic 1
            yield from filter(None, map(_assigned, statement.body))
        elif (found := _assigned(statement)) and found[0] == "model_config":
            yield from _items(found[1])


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return (target.id, statement.value) if isinstance(target, ast.Name) else None
    return None


def _items(value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the items of `SettingsConfigDict(...)` or `{...}`."""
    if isinstance(value, ast.Call):
        yield from ((k.arg, k.value) for k in value.keywords if k.arg)
    elif isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), item


def _field(name: str, statement: ast.AnnAssign, names: Naming) -> Iterator[Read]:
    annotation = ast.unparse(statement.annotation)
    if annotation.startswith(("ClassVar", "typing.ClassVar")) or (
        names.nested and annotation[:1].isupper()
    ):
        return
    given: Mapping[str, ast.expr] = {}
    default = statement.value
    if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("Field"):
        given = {keyword.arg: keyword.value for keyword in default.keywords if keyword.arg}
        first = default.args[0] if default.args else None
        default = first or next((given[key] for key in _DEFAULTS if key in given), None)
    needed = default is None or (isinstance(default, ast.Constant) and default.value is ...)
    alias = next((given[key] for key in _ALIASES if key in given), None)
    if alias is None:
        if names.prefix is not None:
            yield Read(f"{names.prefix}{name}".upper(), statement.lineno, needed)
    elif text := _text(alias):
        yield Read(text.upper(), statement.lineno, needed)
    elif isinstance(alias, ast.Call):  # AliasChoices: any one of them is enough
        for choice in filter(None, map(_text, alias.args)):
            yield Read(choice.upper(), statement.lineno, needed=False)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
