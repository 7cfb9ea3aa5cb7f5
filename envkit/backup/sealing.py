"""Encrypt a backup for its recipients, and decrypt it: the age format.

    data = seal(text, recipients(["age1...", "ssh-ed25519 AAAA..."]))
    text = unseal(data, read_identity("key.txt"))

Guarantees: a file that was truncated or changed at any bit is refused as a whole, and the clear
text is never written to a disk. age does not prove who wrote a file: anyone who knows a recipient
can write one. So commands put the SHA-256 of the file into the audit log.

Reference: https://age-encryption.org/v1
"""

from __future__ import annotations

import os
import stat
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from envkit._internal.os_errors import reason_of
from envkit.backup.errors import BackupDamagedError, BackupKeyError
from envkit.errors import ExtraMissingError, UsageError
from envkit.secret import notice

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"age-encryption.org/v1\n"
ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_WITH_PASSPHRASE = MAGIC + b"-> scrypt "
MAX_BYTES = 256 * 1024 * 1024
_MAX_IDENTITY_BYTES = 64 * 1024
_SECRET_KEY = "AGE-SECRET-KEY-"  # noqa: S105 - how every secret key begins
_NAME_A_KEY = "name the file that age-keygen wrote, or a private key of SSH"
_NAME_A_BACKUP = "name a file that 'envkit backup' has written"
_FOR_OTHERS = "No matching keys found"  # pyrage has one class for all failures


class Identity(NamedTuple):
    """The keys of an identity file.

    Attributes:
        identities: as pyrage needs them.
        warning: why the file is not safe; empty if it is.
    """

    identities: tuple[Any, ...]
    warning: str = ""

    def __repr__(self) -> str:
        return f"Identity({len(self.identities)} keys)"


def recipients(texts: Sequence[str]) -> list[Any]:
    """Parse recipients, each `age1...` or `ssh-ed25519 ...`.

    Raises:
        UsageError: one is not a recipient; the message does not repeat it.
        ExtraMissingError: pyrage is not installed.
    """
    pyrage = _pyrage()
    found = []
    for number, text in enumerate(texts, 1):
        written = text.strip()
        if written.upper().startswith(_SECRET_KEY):
            raise UsageError(
                f"recipient {number} is a secret key, which other users can see on a command line",
                hint="make a new key with age-keygen, and use its public key: age1...",
            )
        try:
            if written.startswith("age1"):
                found.append(pyrage.x25519.Recipient.from_str(written))
                continue
            if written.startswith("ssh-ed25519 "):
                found.append(pyrage.ssh.Recipient.from_str(written))
                continue
        except pyrage.RecipientError:
            pass
        raise UsageError(
            f"recipient {number} is not a public key that envkit can use",
            hint="write --to age1..., or --to 'ssh-ed25519 AAAA...'",
        )
    if not found:
        raise UsageError("no recipient given", hint="use --to age1...; make a key with age-keygen")
    return found


def seal(text: bytes, to: Sequence[Any]) -> bytes:
    """Encrypt a text so that each of the recipients can decrypt it.

    Raises:
        UsageError: the file would be too large to be restored.
    """
    sealed: bytes = _pyrage().encrypt(text, list(to))
    if len(sealed) > MAX_BYTES:
        raise UsageError(
            f"the backup would be larger than {MAX_BYTES:,} bytes, and envkit could not read it",
            hint="make a backup of each environment",
        )
    return sealed


def read_identity(path: str) -> Identity:
    """Read an identity file: the output of age-keygen, or a private key of SSH; `-` is stdin.

    Raises:
        BackupKeyError: the file cannot be read, or has no key that can be used.
        ExtraMissingError: pyrage is not installed.
    """
    pyrage = _pyrage()
    if path.strip().upper().startswith(_SECRET_KEY):
        raise BackupKeyError(
            "the identity is a secret key, which other users can see on a command line",
            hint="write the key to a file with mode 0600, and use --identity FILE",
        )
    try:
        with open("/dev/stdin" if path == "-" else path, "rb") as file:
            state = os.fstat(file.fileno())
            data = file.read(_MAX_IDENTITY_BYTES + 1)
    except OSError as error:
        raise BackupKeyError(
            f"cannot read the identity {path}: {reason_of(error)}", hint=_NAME_A_KEY
        ) from None
    if data.startswith((MAGIC, ARMOR)):
        raise BackupKeyError(
            f"the identity {path} is itself encrypted",
            hint=f"decrypt it while it is used: --identity <(age -d {quote(path)})",
        )
    if data.startswith(b"-----BEGIN"):
        try:
            identities = (pyrage.ssh.Identity.from_buffer(data),)
        except pyrage.IdentityError:
            raise BackupKeyError(
                f"cannot use the SSH key in {path}: it has a passphrase, or is not an ed25519 key",
                hint=f"make a copy without a passphrase: cp {quote(path)} KEY && "
                "ssh-keygen -p -N '' -f KEY",
            ) from None
    else:
        identities = _age_keys(pyrage, data, path)
    loose = stat.S_ISREG(state.st_mode) and stat.S_IMODE(state.st_mode) & 0o077
    return Identity(
        identities,
        f"other users can read the secret key in {path}; run: chmod 600 {quote(path)}"
        if loose
        else "",
    )


def unseal(data: bytes, *identities: Identity) -> bytes:
    """Decrypt a file with the first of all keys that can.

    Raises:
        BackupDamagedError: the file is not in the age format, or was truncated or changed.
        BackupKeyError: the file was encrypted for other keys.
    """
    pyrage = _pyrage()
    if not data.startswith((MAGIC, ARMOR)):
        raise BackupDamagedError(
            "the file is not in the age format, or its beginning is damaged",
            hint=_NAME_A_BACKUP,
        )
    if data.startswith(_WITH_PASSPHRASE):
        raise BackupKeyError(
            "the file is encrypted with a passphrase, and so is not a backup of envkit",
            hint=_NAME_A_BACKUP,
        )
    try:
        text: bytes = pyrage.decrypt(data, [key for one in identities for key in one.identities])
    except pyrage.DecryptError as error:
        if _FOR_OTHERS in str(error):
            raise BackupKeyError(
                "the backup was not encrypted for this identity, or its header is damaged",
                hint="name the identity of one of its recipients with --identity",
            ) from None
        raise BackupDamagedError(
            "the file was truncated or changed after envkit wrote it",
            hint="use another copy, or another backup",
        ) from None
    return text


def read_file(path: str) -> bytes:
    """Read a backup file.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}", hint=_NAME_A_BACKUP) from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES:,} bytes, and so is not a backup")
    return data


def _age_keys(pyrage: Any, data: bytes, path: str) -> tuple[Any, ...]:
    found = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        notice(written)
        try:
            found.append(pyrage.x25519.Identity.from_str(written))
        except pyrage.IdentityError:
            raise BackupKeyError(
                f"line {number} of {path} is not a secret key that envkit can use",
                hint=_NAME_A_KEY,
            ) from None
    if not found:
        raise BackupKeyError(
            f"{path} has no secret key",
            hint=_NAME_A_KEY,
        )
    return tuple(found)


def _pyrage() -> Any:
    try:
        import pyrage
        import pyrage.ssh
        import pyrage.x25519
    except ImportError:
        from envkit._internal.installation import install_hint

        raise ExtraMissingError(
            "backups need the package 'pyrage', which is not installed",
            hint=install_hint("backup"),
        ) from None
    return pyrage
