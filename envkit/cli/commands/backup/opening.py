"""Open the backup that a command names."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from envkit.backup.format import decode, moment
from envkit.backup.sealing import read_file, read_identity, unseal
from envkit.cli.error_text import print_labelled
from envkit.cli.output import printable
from envkit.errors import UsageError
from envkit.resolution.last_known_good.use import age_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.audit.session import Access
    from envkit.backup.format import Backup

File = Annotated[str, typer.Argument(metavar="FILE", help="File that 'envkit backup' has written.")]
Identities = Annotated[
    list[str] | None,
    typer.Option(
        "--identity",
        "-i",
        metavar="ID",
        help="Secret key file of age-keygen, or an ed25519 SSH key. Use - for stdin. Repeatable.",
    ),
]


class Opened(NamedTuple):
    """A backup, and the SHA-256 of its encrypted file."""

    backup: Backup
    sha256: str


def open_backup(file: str, identities: Sequence[str] | None, access: Access) -> Opened:
    """Decrypt a backup; every audit record from now on names its file.

    The command has a record, also if this fails: who tried to open the file.

    Args:
        file: the file.
        identities: files with secret keys, all of which are tried.
        access: of the command.

    Raises:
        UsageError: no identity is given, or the file cannot be read.
        BackupDamagedError: the file was truncated or changed, or is no backup.
        BackupKeyError: an identity cannot be read, or none is that of a recipient.
    """
    if not identities:
        raise UsageError("no identity given", hint="use --identity FILE, with the secret key")
    access.observe([], [])
    found = [read_identity(one) for one in dict.fromkeys(identities)]
    data = read_file(file)
    digest = sha256(data).hexdigest()
    access.use_file(digest)
    for one in found:
        if one.warning:
            print_labelled("warning", one.warning)
    backup = decode(unseal(data, *found))
    lacking = [
        name for one in backup.environments for failed in one.failed for name in failed.names
    ]
    if lacking:
        names = ", ".join(dict.fromkeys(lacking))
        print_labelled("warning", f"the backup is incomplete: it lacks {names}")
    return Opened(backup, digest)


def refuse_other_content(path: str, option: str, *beginnings: bytes) -> None:
    """Refuse to replace a file that another program wrote, such as a key or a `.env` file.

    Args:
        path: the file to replace.
        option: which names it.
        beginnings: of what envkit writes there.

    Raises:
        UsageError: the file is there, and begins with something else.
    """
    if not path:
        raise UsageError(
            f"{option} is empty: your shell expanded a variable that is not set",
            hint="name a file",
        )
    with suppress(OSError):
        if os.path.isfile(path) and os.path.getsize(path):
            with open(path, "rb") as file:
                found = file.read(max(map(len, beginnings)))
            if not found.startswith(beginnings):
                raise UsageError(
                    f"{path} was not written by this command, and is not replaced",
                    hint=f"name another file with {option}",
                )


def count(number: int, what: str) -> str:
    """Return a number with its noun: `2 secrets`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def described(opened: Opened, age_seconds: float) -> str:
    """Return what a backup is, for people."""
    made = opened.backup
    return printable(
        f"backup of {', '.join(made.names)}, made {moment(made.created_at)} on {made.host} "
        f"({age_text(age_seconds)} ago), sha256 {opened.sha256}"
    )
