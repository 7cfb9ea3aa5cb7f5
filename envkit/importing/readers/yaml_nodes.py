"""Parse YAML into nodes with their lines, and read mappings of texts. Pure.

No Python object is built from a document: a scalar is its text as written, so that `0755` and
`yes` stay what they are. Aliases and `<<` are followed, up to a limit. Any tag is an error.

PyYAML is in the extra `yaml`: few imports need it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.text import shown_key

_LIMIT = 10_000  # entries of mappings, each counted as often as an alias repeats it
_CORE = "tag:yaml.org,2002:"
_SCALARS = frozenset(_CORE + kind for kind in ("str", "int", "float", "bool", "timestamp", "value"))
_NULL, _MERGE = f"{_CORE}null", f"{_CORE}merge"
_KINDS = {"mapping": "a mapping", "sequence": "a list"}


class Item(NamedTuple):
    """One entry of a mapping, and its place: file and line."""

    key: str
    node: Any
    place: str


def parse_yaml(text: str, *, path: str) -> Any:
    """Return the root node of a document; None if it is empty.

    Raises:
        ExtraMissingError: PyYAML is not installed.
        ImportFileError: the text is not one YAML document.
    """
    try:
        import yaml
    except ImportError:
        raise ExtraMissingError(
            f"cannot read {path}: the parser of YAML is not installed", hint=install_hint("yaml")
        ) from None
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:  # its text quotes the line
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ImportFileError(f"{path}:{line}: not YAML", hint="fix the file") from None
    except yaml.YAMLError:
        raise ImportFileError(f"{path} is not YAML", hint="fix the file") from None
    except RecursionError:
        raise ImportFileError(f"{path} is nested too deeply", hint="flatten the file") from None


def is_mapping(node: Any) -> bool:
    """Return whether a node is a mapping without a tag of its own."""
    return node is not None and node.id == "mapping" and node.tag == f"{_CORE}map"


def is_list(node: Any) -> bool:
    """Return whether a node is a list without a tag of its own."""
    return node is not None and node.id == "sequence" and node.tag == f"{_CORE}seq"


def items(node: Any, *, path: str) -> list[Item]:
    """Return the entries of a mapping; those that `<<` merges into it come last.

    Raises:
        ImportFileError: a key is repeated or no text, `<<` is not a mapping, or there are too many
            entries.
    """
    found: dict[str, Item] = {}
    waiting, count = [node], 0
    while waiting:
        mapping = waiting.pop(0)
        own: set[str] = set()
        for key, value in mapping.value:
            count += 1
            if count > _LIMIT:
                raise ImportFileError(
                    f"{path} has more than {_LIMIT:,} entries, counting those that its aliases "
                    "repeat",
                    hint="remove the aliases",
                )
            place = f"{path}:{key.start_mark.line + 1}"
            if key.tag == _MERGE:
                waiting[:0] = _merged(value, place)
                continue
            name = _key(key, place)
            if name in own:
                raise ImportFileError(
                    f"{place}: the key {shown_key(name)} is there twice", hint="remove one of them"
                )
            own.add(name)
            found.setdefault(name, Item(name, value, place))
    return list(found.values())


def text_of(node: Any, place: str) -> str | None:
    """Return the text of a scalar as written; None for `null` and an empty one.

    Args:
        node: a node of the document.
        place: its place and its name, for messages.

    Raises:
        ImportFileError: the node is a mapping or a list, or has a tag.
    """
    if node.id != "scalar":
        raise ImportFileError(
            f"{place} is {_KINDS[node.id]}, and a variable is text",
            hint="give each variable its own key, or make the value one text",
        )
    if node.tag == _NULL:
        return None
    if node.tag not in _SCALARS:
        raise ImportFileError(
            f"{place} has a tag, which envkit does not evaluate", hint="write the value as text"
        )
    return str(node.value)


def _merged(value: Any, place: str) -> list[Any]:
    """Return the mappings of `<<: *alias` or `<<: [*one, *another]`; the first one wins."""
    nodes: list[Any] = value.value if is_list(value) else [value]
    if not all(map(is_mapping, nodes)):
        raise ImportFileError(f"{place}: '<<' is not followed by a mapping", hint="fix the file")
    return nodes


def _key(node: Any, place: str) -> str:
    if node.id != "scalar" or node.tag not in _SCALARS:
        raise ImportFileError(f"{place}: a key is not text", hint="write the key as text")
    return str(node.value)
