"""The decisions of the user on this machine: `$XDG_STATE_HOME/envkit/trust.json`.

    {"version": 1, "folders": {"/home/me/shop/profiles": [
        {"kind": "send", "where": "https://vault.example.com:8200", "gets": ["$VAULT_TOKEN"]}]}}

The user owns the file, and no other user may write it. It is never opened through a link. A
folder is identified by its real path.
"""

from __future__ import annotations

import os
import stat

from envkit.errors import UntrustedError
from envkit.trust.destination import LOAD, READ, RUN, SEND, Destination, merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILE = "trust.json"
VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
LOCK_SECONDS = 5.0
_KINDS = (SEND, READ, RUN, LOAD)


class TrustStore:
    """The decisions of one user.

    Args:
        folder: where envkit stores its state; created on the first write.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(os.path.realpath(folder), FILE)
        self._read_last: tuple[object, dict[str, list[Destination]]] = (None, {})

    def allowed(self, profiles: str) -> list[Destination]:
        """Return the destinations that are allowed to the profiles in a folder.

        Args:
            profiles: the folder's real path.

        Raises:
            UntrustedError: the file cannot be trusted.
            LinkRefusedError: the file is a link.
        """
        return self._folders().get(profiles, [])

    def folders(self, project: str) -> list[str]:
        """Return the folders of profiles in a project that have been allowed something.

        Args:
            project: the project's real path.

        Raises:
            UntrustedError: see `allowed`.
        """
        return [folder for folder in self._folders() if os.path.dirname(folder) == project]

    def add(self, profiles: str, destinations: Iterable[Destination]) -> None:
        """Allow more destinations to the profiles in a folder.

        Raises:
            UntrustedError: the file cannot be read or written.
            LockedError: another process did not release the file in time.
        """
        self._change(profiles, lambda known: merged([*known, *destinations]))

    def remove(self, profiles: str, keep: Callable[[Destination], bool]) -> list[Destination]:
        """Revoke destinations of the profiles in a folder, and return what was revoked.

        Args:
            profiles: the folder's real path.
            keep: returns whether a destination stays allowed.

        Raises:
            UntrustedError: the file cannot be read or written.
            LockedError: another process did not release the file in time.
        """
        gone: list[Destination] = []

        def without(known: list[Destination]) -> list[Destination]:
            gone.extend(one for one in known if not keep(one))
            return [one for one in known if keep(one)]

        self._change(profiles, without)
        return gone

    def _folders(self) -> dict[str, list[Destination]]:
        state = self._state()
        if state is None or state != self._read_last[0]:
            self._read_last = (state, self._read())
        return self._read_last[1]

    def _change(
        self, profiles: str, change: Callable[[list[Destination]], list[Destination]]
    ) -> None:
        import json

        from envkit._internal.file_lock import locked
        from envkit._internal.writing.atomic_write import write_own

        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            with locked(self.path, timeout_seconds=LOCK_SECONDS, follow=False):
                folders = self._read()
                folders[profiles] = change(folders.get(profiles, []))
                document = {
                    "version": VERSION,
                    "folders": {
                        folder: [
                            {"kind": one.kind, "where": one.where, "gets": list(one.gets)}
                            for one in destinations
                        ]
                        for folder, destinations in sorted(folders.items())
                        if destinations
                    },
                }
                write_own(self.path, json.dumps(document, indent=1).encode())
        except OSError as error:
            from envkit._internal.os_errors import reason_of

            raise _unusable(self.path, "write", reason_of(error, "it failed")) from None

    def _state(self) -> object:
        """Return a value that changes whenever the file does; None if it does not exist."""
        try:
            state = os.lstat(self.path)
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino, state.st_mode, state.st_uid

    def _read(self) -> dict[str, list[Destination]]:
        import json

        try:
            data = own_content(self.path)
            return _parsed(json.loads(data))
        except FileNotFoundError:
            return {}
        except OSError as error:
            from envkit._internal.os_errors import reason_of

            raise _unusable(self.path, "read", reason_of(error, "it failed")) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise _unusable(self.path, "read", "this version of envkit cannot parse it") from None


def own_content(path: str) -> bytes:
    """Return the content of a file of decisions.

    Raises:
        UntrustedError: another user owns it, or could write to it.
        LinkRefusedError: it is a link.
        OSError: it cannot be read.
    """
    from envkit._internal.files import read_own

    content, state = read_own(path, MAX_BYTES)
    if state.st_uid != os.geteuid():
        raise _unusable(path, "read", "it belongs to another user")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _unusable(path, "read", "other users can write to it")
    return content


def _parsed(document: dict[str, object]) -> dict[str, list[Destination]]:
    if document["version"] != VERSION:
        raise ValueError(document["version"])
    folders = document["folders"]
    if not isinstance(folders, dict):
        raise TypeError(folders)
    return {folder: [_destination(one) for one in found] for folder, found in folders.items()}


def _destination(said: dict[str, object]) -> Destination:
    kind, where, gets = said["kind"], said["where"], said["gets"]
    if kind not in _KINDS or not isinstance(where, str) or not isinstance(gets, list):
        raise ValueError(kind)
    return Destination(str(kind), where, tuple(map(str, gets)))


def _unusable(path: str, verb: str, reason: str) -> UntrustedError:
    return UntrustedError(
        f"cannot {verb} {path}, which records what you trust: {reason.lower()}",
        hint=f"check it with 'ls -l {path}'; if you remove it, envkit asks again",
    )
