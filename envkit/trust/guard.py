"""Refuse what a profile would do without its user's permission.

    guard = Guard(os.environ, ask=ask)
    guard.require(profile_folder, destinations)

The command line creates one per process. What a person allows is stored and not asked again.
"""

from __future__ import annotations

import os

from envkit._internal.files import project_of
from envkit._internal.paths import state_folder
from envkit.errors import UntrustedError
from envkit.trust.decision import (
    VARIABLE,
    belongs_to_system,
    has_list,
    is_below,
    is_listed,
    trusts_everything,
)
from envkit.trust.destination import READ, Destination, left_over, merged
from envkit.trust.rotations import of_rotation, of_secret
from envkit.trust.store import TrustStore
from envkit.trust.user_config import read_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envkit._internal.person import Person
    from envkit.profile.model import Profile


class Guard:
    """Decides what the user allows.

    Args:
        environ: the process environment.
        ask: called with the folder and its new destinations, if a person can be asked; returns
            whether they allow it.
        warn: called with problems of the user's configuration.
        person: the person at the terminal, for logins.

    Attributes:
        person: None if there is none, or envkit must not ask.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        ask: Callable[[str, Sequence[Destination]], bool] | None = None,
        warn: Callable[[str], None] = lambda _: None,
        person: Person | None = None,
    ) -> None:
        self.person = person
        self.store = TrustStore(state_folder(environ))
        self._environ = environ
        self._ask = ask
        self._warn = warn
        self._trusted_folders: tuple[str, ...] | None = None
        # the folder of each profile seen so far -> the project's folder, and the profile files
        self._seen: dict[str, tuple[str, set[str]]] = {}

    def stop_asking(self) -> None:
        """Refuse, from now on, what a person would be asked about."""
        self._ask = self.person = None

    # ---------------------------------------------------------------- before anything is done

    def before_rotations(
        self, rotations: Iterable[tuple[Profile, str]], *, reading: bool = False
    ) -> dict[str, UntrustedError]:
        """Check which rotations are allowed, and ask if necessary.

        Args:
            rotations: each profile with the name of a rotation.
            reading: whether only the secrets and records of the rotations are read.

        Returns:
            the reason of each refusal, by the name of the profile.
        """
        of = of_secret if reading else of_rotation
        found: dict[str, list[tuple[Profile, Destination]]] = {}
        refused: dict[str, UntrustedError] = {}
        for profile, name in rotations:
            try:
                wanted = [(profile, one) for one in of(profile, name, self._environ)]
            except UntrustedError as error:
                refused[profile.name] = error
            else:
                found.setdefault(profile.name, []).extend(wanted)
        allowed = {name: one for name, one in found.items() if name not in refused}
        try:
            self.require([pair for wanted in allowed.values() for pair in wanted])
        except UntrustedError:
            refusals = {name: self._refusal(wanted) for name, wanted in allowed.items()}
            refused.update((name, why) for name, why in refusals.items() if why is not None)
        return refused

    def require(self, wanted: Sequence[tuple[Profile, Destination]]) -> bool:
        """Check that all destinations are allowed, and ask if necessary.

        Returns:
            whether a person was asked.

        Raises:
            UntrustedError: something is not allowed; the error lists everything that is not.
        """
        new = self._new(wanted)
        if not new:
            return False
        if self._ask is not None and not has_list(self._environ) and _in_main_thread():
            by_folder: dict[str, list[Destination]] = {}
            for profile, destination in new:
                by_folder.setdefault(folder_of(profile), []).append(destination)
            if all(self._is_granted(folder, merged(found)) for folder, found in by_folder.items()):
                return True
        raise self._untrusted(new)

    # ---------------------------------------------------------------- where it is done

    def check(self, profile: Profile, destinations: Iterable[Destination]) -> None:
        """Refuse destinations that are not allowed, without asking.

        Raises:
            UntrustedError: a destination is not allowed.
        """
        error = self._refusal([(profile, one) for one in destinations])
        if error is not None:
            raise error

    def check_rotation(self, profile: Profile, name: str) -> None:
        """Refuse to run a rotation that is not allowed, without asking.

        Raises:
            UntrustedError: a destination of the rotation is not allowed.
        """
        self.check(profile, of_rotation(profile, name, self._environ))

    def may_leave(self, root: str, target: str) -> bool:
        """Return whether a file outside a project may be read or written for the project.

        Args:
            root: the real path of the project's folder.
            target: the real path of the file.
        """
        wanted = Destination(READ, target)
        folders = {
            folder: files for folder, (project, files) in self._seen.items() if project == root
        }
        if not folders:  # a profile that is a link is read before its folder is known
            known = [*self.store.folders(root), os.path.join(root, "profiles"), root]
            folders = {folder: {target} for folder in known}
        return any(self._left(one, files, wanted) is None for one, files in folders.items())

    def unknown(self, profile: Profile, destinations: Iterable[Destination]) -> list[Destination]:
        """Return the destinations that the user has not allowed, each reduced to its new part."""
        return [one for _, one in self._new([(profile, one) for one in destinations])]

    def allow(self, folder: str, destinations: Sequence[Destination]) -> None:
        """Store that the user allows these destinations to the profiles in a folder."""
        self.store.add(folder, destinations)

    # ---------------------------------------------------------------- deciding

    def _is_granted(self, folder: str, destinations: Sequence[Destination]) -> bool:
        assert self._ask is not None  # noqa: S101 - the caller has checked
        if not self._ask(folder, destinations):
            return False
        self.allow(folder, destinations)
        return True

    def _refusal(self, wanted: Sequence[tuple[Profile, Destination]]) -> UntrustedError | None:
        new = self._new(wanted)
        return self._untrusted(new) if new else None

    def _new(
        self, wanted: Sequence[tuple[Profile, Destination]]
    ) -> list[tuple[Profile, Destination]]:
        new = []
        for profile, destination in wanted:
            folder = folder_of(profile)
            _, files = self._seen.setdefault(folder, (project_of(profile.root), set()))
            files.update(profile.files)
            left = self._left(folder, files, destination)
            if left is not None:
                new.append((profile, left))
        return new

    def _left(self, folder: str, files: Iterable[str], wanted: Destination) -> Destination | None:
        """Return the part of a destination that is not allowed: all, or some of its `gets`."""
        if trusts_everything(self._environ) or is_listed(wanted, self._environ):
            return None
        if has_list(self._environ):
            return wanted
        left = left_over(wanted, self.store.allowed(folder))
        if left is None or is_below(folder, self._trusted()):
            return None
        return None if belongs_to_system(folder, files) else left

    def _untrusted(self, new: Sequence[tuple[Profile, Destination]]) -> UntrustedError:
        names = list(dict.fromkeys(profile.name for profile, _ in new))
        verb = "is" if len(names) == 1 else "are"
        asked = "; ".join(one.summary for one in merged(destination for _, destination in new))
        command = f"envkit trust{''.join(f' --env {name}' for name in names)}"
        hint = f"run '{command}', or set {VARIABLE} if there is no terminal"
        if has_list(self._environ):
            hint = f"add it to {VARIABLE}, which trusts only the environments that it names"
        return UntrustedError(
            f"{' and '.join(names)} {verb} not trusted with this: {asked}", hint=hint
        )

    def _trusted(self) -> tuple[str, ...]:
        if self._trusted_folders is None:
            config = read_config(self._environ)
            for warning in config.warnings:
                self._warn(warning)
            self._trusted_folders = config.trusted
        return self._trusted_folders


def folder_of(profile: Profile) -> str:
    """Return the real path of the folder that a profile is in.

    A folder that is a link is identified by the location of the link: the programs and files
    beside the link are not those beside its target.
    """
    return os.path.join(
        os.path.realpath(profile.root), os.path.basename(os.path.dirname(profile.path))
    )


def _in_main_thread() -> bool:
    """Return whether this thread may ask a person, which only the main thread can."""
    import threading

    return threading.current_thread() is threading.main_thread()
