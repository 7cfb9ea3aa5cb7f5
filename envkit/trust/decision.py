"""What is trusted without a question: by environment, configuration, or owner of the profiles.

    ENVKIT_TRUST=1                                              everything
    ENVKIT_TRUST=https://vault.example.com:8200,run:./rotate.sh these, and nothing else

In a list, an origin allows everything that is sent there, `run:PROGRAM` a program with any
arguments, `read:PATH` a file, `load:NAME` a variable. Any other entry is an address as the
profile has it. If there is a list, nothing else that would trust has an effect. CI=true alone
trusts nothing.
"""

from __future__ import annotations

import os
import shlex
import stat

from envkit.trust.address import http_server
from envkit.trust.destination import LOAD, READ, RUN, SEND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.trust.destination import Destination

VARIABLE = "ENVKIT_TRUST"
_PREFIXES = {RUN: "run:", READ: "read:", LOAD: "load:"}


def trusts_everything(environ: Mapping[str, str]) -> bool:
    """Return whether the environment trusts everything that any profile asks for."""
    return environ.get(VARIABLE) == "1"


def has_list(environ: Mapping[str, str]) -> bool:
    """Return whether the environment has a list of trusted destinations."""
    return environ.get(VARIABLE, "") not in ("", "1")


def is_listed(destination: Destination, environ: Mapping[str, str]) -> bool:
    """Return whether the environment's list contains a destination."""
    entries = [entry.strip() for entry in environ.get(VARIABLE, "").split(",")]
    return any(_means(entry, destination) for entry in entries if entry)


def is_below(folder: str, trusted: Iterable[str]) -> bool:
    """Return whether a folder is one of these or below one of them; all are real paths."""
    return any(f"{folder}/".startswith(f"{one.rstrip('/')}/") for one in trusted)


def belongs_to_system(folder: str, files: Iterable[str]) -> bool:
    """Return whether only root can have written the profiles, and the caller is not root.

    Nothing is trusted for root on account of its owner: root could have written anything
    itself, or cloned it.

    Args:
        folder: real path of the folder of profiles.
        files: the files of the profiles.
    """
    if os.geteuid() == 0:
        return False
    paths: set[str] = set()
    for path in (folder, *map(os.path.realpath, files)):
        here = path
        while here not in paths:
            paths.add(here)
            here = os.path.dirname(here)
    return all(map(_is_of_root, paths))


def _is_of_root(path: str) -> bool:
    try:
        state = os.lstat(path)
    except OSError:
        return False
    writable = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    # os.access asks the kernel, which also evaluates ACLs
    return state.st_uid == 0 and not writable and not os.access(path, os.W_OK, effective_ids=True)


def _means(entry: str, destination: Destination) -> bool:
    if destination.kind == RUN:
        program = shlex.split(destination.where)[0]
        return entry in (f"run:{program}", f"run:{destination.where}")
    if destination.kind != SEND:
        return entry == f"{_PREFIXES[destination.kind]}{destination.where}"
    if entry == destination.where:
        return True
    listed, wanted = http_server(entry), http_server(destination.where)
    # a longer address, such as a webhook, must match as a whole
    return (
        listed is not None
        and wanted is not None
        and wanted.origin == destination.where
        and entry.rstrip("/").count("/") == 2
        and listed == wanted
    )
