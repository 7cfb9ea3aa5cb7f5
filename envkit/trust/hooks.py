"""The projects whose environment the shell hook may load: `$XDG_STATE_HOME/envkit/hooks.json`.

    {"version": 1, "projects": {"/home/me/shop/profiles": "dev"}}

Only `envkit trust --hook` writes it. A project is identified by the real path of its folder of
profiles, so a clone somewhere else is another project. It is as private as the file of `store`.
"""

from __future__ import annotations

import os

from envkit.errors import EnvkitError, UntrustedError
from envkit.trust.store import LOCK_SECONDS, own_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILE = "hooks.json"
VERSION = 1


class HookStore:
    """The projects of one user.

    Args:
        folder: where envkit stores its state; created on the first write.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(os.path.realpath(folder), FILE)

    def environment(self, profiles: str) -> str | None:
        """Return the environment that the hook loads in a project; None if it loads none.

        Args:
            profiles: the real path of the project's folder of profiles.

        Raises:
            UntrustedError: the file cannot be trusted.
            LinkRefusedError: the file is a link.
        """
        return self._read().get(profiles)

    def allow(self, profiles: str, environment: str) -> None:
        """Let the hook load an environment in a project.

        Raises:
            UntrustedError: the file cannot be read or written.
            LockedError: another process did not release the file in time.
        """
        self._change(lambda known: {**known, profiles: environment})

    def revoke(self, profiles: str) -> None:
        """Let the hook load nothing in a project; raises as `allow` does."""
        self._change(lambda known: {key: one for key, one in known.items() if key != profiles})

    def _change(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        import json

        from envkit._internal.file_lock import locked
        from envkit._internal.writing.atomic_write import write_own

        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            with locked(self.path, timeout_seconds=LOCK_SECONDS, follow=False):
                document = {"version": VERSION, "projects": change(self._read())}
                write_own(self.path, json.dumps(document, indent=1).encode())
        except OSError as error:
            raise self._unusable("write", error) from None

    def _read(self) -> dict[str, str]:
        try:
            content = own_content(self.path)
            plain = _plain(content)
            if plain is not None:
                return plain
            import json  # takes longer than the rest of a prompt

            return _parsed(json.loads(content))
        except FileNotFoundError:
            return {}
        except EnvkitError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._unusable("read", error) from None

    def _unusable(self, verb: str, error: Exception) -> UntrustedError:
        from envkit._internal.os_errors import reason_of

        return UntrustedError(
            f"cannot {verb} {self.path}: {reason_of(error, 'this envkit cannot parse it')}",
            hint=f"check it with 'ls -l {self.path}', or remove it and run 'envkit trust --hook'",
        )


def _plain(content: bytes) -> dict[str, str] | None:
    """Return the projects of a file as `_change` writes it; None if it has anything else."""
    head, foot = b'{\n "version": 1,\n "projects": {\n', b"\n }\n}"
    if not (content.startswith(head) and content.endswith(foot) and content.isascii()):
        return None
    if b"\\" in content:
        return None
    found = {}
    for line in content[len(head) : -len(foot)].decode().split(",\n"):
        folder, mark, name = line.removeprefix('  "').removesuffix('"').partition('": "')
        if not mark or f'  "{folder}": "{name}"' != line or '"' in folder + name:
            return None
        found[folder] = name
    return found


def _parsed(document: dict[str, Any]) -> dict[str, str]:
    if document["version"] != VERSION:
        raise ValueError(document["version"])
    return {str(key): str(one) for key, one in document["projects"].items()}
