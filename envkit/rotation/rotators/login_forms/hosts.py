"""The servers that a login names, and whether two logins share a server.

    >>> hosts_of("h1:5432,[::1]")
    (Host(name='h1', port=5432), Host(name='::1', port=None))
    >>> share_a_server(hosts_of("DB"), hosts_of("db:5432,db2"), 5432)
    True

Names are compared as they are written, without a lookup: a name can resolve differently on each
machine.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[^:@\[\]\s]*))(?::(?P<port>[0-9]*))?"
)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "localhost.localdomain"})


class Host(NamedTuple):
    """A server: its name as written, and its port if there is one."""

    name: str
    port: int | None = None

    def described(self, default_port: int) -> str:
        """Return `db:5432`."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port or default_port}"


def hosts_of(text: str) -> tuple[Host, ...]:
    """Return the servers in a list `host:port,host:port`; empty ones are left out.

    Raises:
        ValueError: the text is not such a list; the message does not quote it.
    """
    found = []
    for one in text.split(","):
        match = _HOST.fullmatch(one)
        if match is None:
            raise ValueError("not a list of hosts")
        if name := match["v6"] or match["name"]:
            found.append(Host(name, int(match["port"]) if match["port"] else None))
    return tuple(found)


def paired(names: str, ports: str) -> tuple[Host, ...]:
    """Return the servers of libpq's two lists: one port for all of them, or one for each.

    Raises:
        ValueError: the lists differ in length.
    """
    all_names = [name.strip() for name in names.split(",")]
    all_ports = [port.strip() for port in ports.split(",")]
    if len(all_ports) == 1:
        all_ports *= len(all_names)
    if len(all_names) != len(all_ports) or not all(re.fullmatch("[0-9]*", p) for p in all_ports):
        raise ValueError("not a list of ports")
    return tuple(
        Host(name, int(port) if port else None)
        for name, port in zip(all_names, all_ports, strict=True)
        if name
    )


def of_service(name: str) -> tuple[Host, ...]:
    """Return a stand-in for the unknown server that a service file of libpq names."""
    return (Host(f"service {name}"),) if name else ()


def share_a_server(ones: tuple[Host, ...], others: tuple[Host, ...], default_port: int) -> bool:
    """Return whether two logins have at least one server in common."""
    return not {_key(host, default_port) for host in ones}.isdisjoint(
        _key(host, default_port) for host in others
    )


def _key(host: Host, default_port: int) -> tuple[str, int]:
    name = host.name.lower().rstrip(".")
    if name in _LOCAL or name.startswith(("/", "@")):  # a socket is on this machine
        name = "localhost"
    return name, host.port or default_port
