"""Read YAML: a mapping of variables, or a file of Docker Compose. Pure."""

from __future__ import annotations

from envkit.importing.errors import ImportFileError
from envkit.importing.readers.compose_file import is_compose, read_compose
from envkit.importing.readers.platforms import set_by_doppler
from envkit.importing.readers.text import Collected, shown_key
from envkit.importing.readers.yaml_nodes import is_mapping, items, parse_yaml, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.importing.contents import FileContents


def read_yaml(text: str, *, path: str, services: Sequence[str] = ()) -> FileContents:
    """Return the variables of a YAML document.

    Args:
        text: the document.
        path: the file, for messages.
        services: of a Compose file, the services to read; default: all of them.

    Raises:
        ExtraMissingError: PyYAML is not installed.
        ImportFileError: the document is no mapping of texts, and no Compose file.
    """
    root = parse_yaml(text, path=path)
    found = Collected(path, "YAML")
    if root is None:
        return found.contents()
    if not is_mapping(root):
        raise ImportFileError(
            f"{path} is not a mapping of variables", hint="write one variable per line: NAME: value"
        )
    entries = items(root, path=path)
    if is_compose(entries):
        return read_compose(entries, path=path, services=services)
    for key, node, place in entries:
        found.add(key, text_of(node, f"{place}: {shown_key(key)}"), place)
    found.take_out(set_by_doppler(found.names), "is set by Doppler")
    return found.contents()
