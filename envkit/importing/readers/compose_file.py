"""Read the `environment` of the services in a file of Docker Compose. Pure.

    services:
      web:
        environment:
          LOG_LEVEL: info
          DB_PASSWORD:              # passed on from the shell: no value here
        env_file: .env.web          # named, not read

`$$` is a dollar sign. A value with `${NAME}` depends on the shell that starts Compose, so it is
left out.

Reference: https://docs.docker.com/reference/compose-file/services/#environment
"""

from __future__ import annotations

import re
from typing import Any

from envkit._internal.suggestions import did_you_mean
from envkit.errors import UsageError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.text import Collected, shown_key
from envkit.importing.readers.yaml_nodes import is_list, is_mapping, items, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.importing.contents import FileContents
    from envkit.importing.readers.yaml_nodes import Item

_USE = re.compile(r"\$\$|\$(?=[{A-Za-z_])")


def is_compose(entries: Sequence[Item]) -> bool:
    """Return whether the entries at the top of a YAML document are those of a Compose file."""
    return any(entry.key == "services" and is_mapping(entry.node) for entry in entries)


def read_compose(entries: Sequence[Item], *, path: str, services: Sequence[str]) -> FileContents:
    """Return the variables of services.

    Args:
        entries: at the top of the document.
        path: the file, for messages.
        services: the services to read; default: all of them.

    Raises:
        UsageError: there is no such service.
        ImportFileError: an `environment` cannot be read, or two services differ in a variable.
    """
    [top] = [entry.node for entry in entries if entry.key == "services"]
    known = {item.key: item for item in items(top, path=path)}
    for name in services:
        if name not in known:
            raise UsageError(
                f"{path} has no service '{name}'", hint=did_you_mean(name, list(known))
            )
    found = Collected(path, "Compose")
    seen: dict[str, tuple[str, str | None]] = {}
    for service in services or known:
        for key, value, place in _environment(known[service], path, found):
            other, before = seen.setdefault(key, (service, value))
            if before != value and other == service:
                raise ImportFileError(
                    f"{place}: {shown_key(key)} is set twice", hint="remove one of them"
                )
            if before != value:
                raise ImportFileError(
                    f"{place}: {shown_key(key)} differs between the services {other} and {service}",
                    hint=f"import one service: --service {service}",
                )
            if other == service:
                _add(found, key, value, place)
    return found.contents()


def _environment(
    service: Item, path: str, found: Collected
) -> Iterator[tuple[str, str | None, str]]:
    """Yield the name, value and place of each variable of a service."""
    if not is_mapping(service.node):
        raise ImportFileError(
            f"{service.place}: the service {shown_key(service.key)} is not a mapping",
            hint="fix the file",
        )
    for key, node, place in items(service.node, path=path):
        if key == "env_file":
            found.notes += [
                f"{place}: {shown_key(service.key)} also reads {name}, which is not imported: "
                "name that file, too"
                for name in _file_names(node, place, path)
            ]
        elif key == "environment" and is_mapping(node):
            for name, value, where in items(node, path=path):
                yield name, text_of(value, f"{where}: {shown_key(name)}"), where
        elif key == "environment" and is_list(node):
            for item in node.value:
                where = f"{path}:{item.start_mark.line + 1}"
                name, equals, value = (text_of(item, where) or "").partition("=")
                yield name, value if equals else None, where
        elif key == "environment" and (node.id != "scalar" or text_of(node, place)):
            raise ImportFileError(
                f"{place}: 'environment' is neither a mapping nor a list", hint="fix the file"
            )


def _add(found: Collected, name: str, value: str | None, place: str) -> None:
    if value is None:
        found.leave(name, place, "has no value: Compose passes it on from the shell")
    elif any(match != "$$" for match in _USE.findall(value)):
        found.leave(name, place, "contains a variable of the shell that starts Compose")
    else:
        found.add(name, value.replace("$$", "$"), place)


def _file_names(node: Any, place: str, path: str) -> list[str]:
    """Return the files of `env_file`: a path, or a list of paths and of mappings with a path."""
    names = []
    for item in node.value if is_list(node) else [node]:
        entry = item
        if is_mapping(item):
            entry = next((one.node for one in items(item, path=path) if one.key == "path"), None)
        if entry is not None:
            names.append(text_of(entry, place) or "")
    return [name for name in names if name]
