"""Which environments have encrypted files, and where their private keys are."""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.paths import display_path
from envkit.dotenv.parser import PUBLIC_KEY
from envkit.encryption.at_hand import PrivateKeyState, at_hand
from envkit.encryption.key_lookup import KEY_FILE
from envkit.encryption.reading import Decrypter
from envkit.env_files.contents import contents, read_text
from envkit.env_files.locate import DEFAULT_SECONDS, locate, of_path, of_profile
from envkit.errors import EnvkitError, ProfileNotFoundError
from envkit.profile.discovery import profile_names, profiles_folder
from envkit.profile.loader import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.encryption.at_hand import AtHand
    from envkit.env_files.contents import Contents
    from envkit.env_files.locate import EnvFile


class KeyStatus(NamedTuple):
    """The keys of one file.

    Attributes:
        environments: the names of the environments that read the file.
        file: the path of the file for people.
        path: the absolute path of the file.
        name: the name of the public key in the file.
        public_key: the public key.
        private_key: whether the private key is at hand.
        place: where it was found, or where envkit looked.
        encrypted: how many values are encrypted.
        plain: the names of values that are not encrypted and should be.
        problem: why the file or its keys cannot be read; empty if they can.
    """

    environments: tuple[str, ...]
    file: str
    path: str
    name: str
    public_key: str
    private_key: PrivateKeyState
    place: str
    encrypted: int
    plain: tuple[str, ...]
    problem: str = ""


def statuses(
    environments: Sequence[str],
    file: str | None,
    *,
    profiles: str | None,
    environ: Mapping[str, str],
) -> list[KeyStatus]:
    """Return the keys of each encrypted file.

    Args:
        environments: the environments to look at; default: all, and all `.env` files beside
            the profiles or in the working folder.
        file: a file to look at, in place of an environment.
        profiles: the folder of profiles, if the user named it.
        environ: the process environment.

    Raises:
        EnvkitError: an environment that was named cannot be read.
    """
    if environments or file is not None:
        wanted = [[name] for name in environments] if environments else [[]]
        files = [locate(names, file, profiles=profiles, environ=environ) for names in wanted]
    else:
        files = list(_all(profiles, environ))
    found: dict[str, KeyStatus] = {}
    for one in files:
        known = found.get(one.path)
        names = (one.environment,) if one.environment else ()
        if known is not None:
            found[one.path] = known._replace(environments=(*known.environments, *names))
            continue
        status = _status(one, environ)
        if status is not None:
            found[one.path] = status._replace(environments=names)
    return list(found.values())


def encrypted_files(environ: Mapping[str, str]) -> list[str]:
    """Return the absolute paths of the encrypted files of a project."""
    return [one.path for one in statuses((), None, profiles=None, environ=environ)]


def private_key(file: EnvFile, found: Contents, environ: Mapping[str, str]) -> AtHand:
    """Look for the private key of a file with a public key.

    Raises:
        SourceError: a place has something that is not a key, or cannot be read.
    """
    return at_hand(decrypter_of(file, environ), found.public_keys)


def decrypter_of(file: EnvFile, environ: Mapping[str, str]) -> Decrypter:
    """Return the object that decrypts the values of a file."""
    return Decrypter(file.name, path=file.beside, root=file.source.root, environ=environ)


def _status(file: EnvFile, environ: Mapping[str, str]) -> KeyStatus | None:
    """Return the keys of a file; None if it has no public key."""
    state = PrivateKeyState.UNREADABLE
    try:
        text = read_text(file)
        if text is None or PUBLIC_KEY not in text:
            return None
        found = contents(text, path=file.name)
    except EnvkitError as error:
        return KeyStatus((), file.name, file.path, "", "", state, "", 0, (), error.message)
    if found.key is None:
        return None
    problem = ""
    try:
        state, place, _ = private_key(file, found, environ)
    except EnvkitError as error:
        place, problem = "", error.message
    return KeyStatus(
        (),
        file.name,
        file.path,
        found.key.name,
        str(found.key.key),
        state,
        place,
        len(found.encrypted),
        found.plain,
        problem,
    )


def _all(profiles: str | None, environ: Mapping[str, str]) -> Iterator[EnvFile]:
    """Yield the files of all environments, then the other `.env` files of the project."""
    deadline = Deadline(DEFAULT_SECONDS)
    root = os.getcwd()
    try:
        folder = profiles_folder(profiles, environ)
    except ProfileNotFoundError:
        pass
    else:
        root = os.path.dirname(folder)
        for name in profile_names(folder):
            try:
                yield of_profile(load(name, folder), environ, deadline)
            except EnvkitError:
                continue  # other commands report a profile that cannot be read
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if _is_usual(name) and os.path.isfile(path):
            file = of_path(path, environ, deadline)
            yield file._replace(name=display_path(path))


def _is_usual(name: str) -> bool:
    copies = (".envkit-previous", ".envkit-rotation", ".envkit-lock", ".envkit-tmp")
    return (name == ".env" or name.startswith(".env.")) and not name.endswith((KEY_FILE, *copies))
