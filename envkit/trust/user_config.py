"""The user's own configuration: `$XDG_CONFIG_HOME/envkit/config.toml`, default: in `~/.config`.

    trusted = ["/srv/apps", "~/work"]      # profiles in or below these folders need no question
    agent = true                           # `exec` and `get` use the agent: see `__main__`

It contains nothing that a repository needs. A file that belongs to another user, or that others
can write, is ignored with a warning.
"""

from __future__ import annotations

import os
import stat
from errno import EINVAL, EPERM

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_BYTES = 1024 * 1024
KEYS = ("trusted", "agent")


class UserConfig(NamedTuple):
    """What the user has configured.

    Attributes:
        trusted: the real paths of folders.
        warnings: why parts of the file are ignored.
    """

    trusted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def config_path(environ: Mapping[str, str]) -> str:
    """Return the path of the user's configuration; a relative XDG_CONFIG_HOME is ignored."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(folder, "envkit", "config.toml")


def read_config(environ: Mapping[str, str]) -> UserConfig:
    """Return the user's configuration; empty if there is no file."""
    path = config_path(environ)
    try:
        data = _own_content(path)
    except (FileNotFoundError, NotADirectoryError):
        return UserConfig()
    except OSError as error:
        from envkit._internal.os_errors import reason_of

        return _ignored(path, reason_of(error, "it cannot be read"))
    import tomllib

    try:
        return _checked(tomllib.loads(data.decode()), path)
    except (ValueError, RecursionError):
        return _ignored(path, "it is not valid TOML")


def _own_content(path: str) -> bytes:
    """Return the content of a file that only the user can have written."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(EINVAL, "it is not a file")
        if state.st_uid != os.geteuid():
            raise OSError(EPERM, "it belongs to another user")
        if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError(EPERM, f"other users can write to it: run 'chmod go-w {path}'")
        return os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)


def _checked(document: Mapping[str, Any], path: str) -> UserConfig:
    from envkit._internal.suggestions import did_you_mean

    warnings = [
        f"{path}: unknown key {key!r}: {did_you_mean(key, KEYS)}"
        for key in document
        if key not in KEYS
    ]
    folders = []
    said = document.get("trusted", [])
    for folder in said if isinstance(said, list) else [said]:
        if isinstance(folder, str) and folder.startswith(("/", "~/")) and "\0" not in folder:
            folders.append(os.path.realpath(os.path.expanduser(folder)))
        else:
            warnings.append(f"{path}: 'trusted' takes absolute paths, not {folder!r}")
    if not isinstance(document.get("agent", False), bool):
        warnings.append(f"{path}: 'agent' takes true or false")
    return UserConfig(tuple(folders), tuple(warnings))


def _ignored(path: str, reason: str) -> UserConfig:
    return UserConfig(warnings=(f"{path} is ignored: {reason}",))
