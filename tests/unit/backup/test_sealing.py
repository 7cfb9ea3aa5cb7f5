"""Encryption: who can decrypt a file, and that a damaged one never gives a text."""

import sys
from itertools import count
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from envkit.backup import sealing
from envkit.backup.errors import BackupDamagedError, BackupKeyError
from envkit.backup.sealing import read_file, read_identity, recipients, seal, unseal
from envkit.errors import ExtraMissingError, UsageError
from support.backups import new_keys

TEXT = b"canary-90f1 " * 8
# A fixed key: its text is part of the names of tests, which must be the same in all workers.
SECRET_KEY = "AGE-SECRET-KEY-18DXJEZ40UFWVT5N9ZPR8QNV7WYWLJVPXC70HCXAKD2XTZHS55T7S2SU0EZ"
OF_SSH = "OPENSSH PRIVATE KEY"
# made for this test by `ssh-keygen -t ed25519 -N passphrase`
WITH_PASSPHRASE = """\
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAR0g/yCK
XfMbwJqsGhZA/lAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIO8xCnz6+YlMNGh/
xAJ0flcnuu/iSLWs6E8XypiANxDnAAAAkAVt0S0i8FTJMoF5FnRLIOctF1qUjevAaLOlYH
ZFDbIZrIIKczTvHY/Ixndr5Sq1SWnczX+eegShcvhampoI/YTRuco0TRcUTpFQNkfTwxvK
ZhRcAK66FdsidW4zibXqoJcfmg7P3Wg7QHLt7nLShgDEcnsy+rIz23uoqUxNa/x4hWphRC
DlDzneNp8wLfEsLQ==
"""


def ssh_keys(folder):
    """Return the public key, and the path of the private one."""
    key = Ed25519PrivateKey.generate()
    path = folder / "id_ed25519"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} someone@example.com", str(path)


def test_each_recipient_can_decrypt_the_file(tmp_path):
    ours, theirs = new_keys(tmp_path), new_keys(tmp_path, "theirs.txt")
    ssh_public, ssh_private = ssh_keys(tmp_path)
    data = seal(TEXT, recipients([ours.recipient, theirs.recipient, f" {ssh_public}\n"]))
    assert TEXT not in data
    for path in (ours.identity, theirs.identity, ssh_private):
        assert unseal(data, read_identity(path)) == TEXT


def test_an_identity_file_may_have_comments_and_several_keys(tmp_path):
    ours, theirs = new_keys(tmp_path), new_keys(tmp_path, "theirs.txt")
    both = tmp_path / "both.txt"
    texts = [Path(keys.identity).read_text(encoding="utf-8") for keys in (ours, theirs)]
    both.write_text(f"# created: 2026-11-30\n\n{''.join(texts)}")
    for keys in (ours, theirs):
        data = seal(TEXT, recipients([keys.recipient]))
        assert unseal(data, read_identity(str(both))) == TEXT


def test_a_file_for_other_recipients_is_not_called_damaged(tmp_path):
    data = seal(TEXT, recipients([new_keys(tmp_path, "theirs.txt").recipient]))
    with pytest.raises(BackupKeyError, match="not encrypted for this identity"):
        unseal(data, read_identity(new_keys(tmp_path).identity))


def test_no_truncated_or_changed_file_gives_a_text(tmp_path):
    keys = new_keys(tmp_path)
    identity = read_identity(keys.identity)
    data = seal(TEXT, recipients([keys.recipient]))
    damaged = [data[:length] for length in range(len(data))]
    damaged += [
        data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))
    ]
    damaged += [data + b"x", data[:-20] + data[-10:]]
    for one in damaged:
        with pytest.raises((BackupDamagedError, BackupKeyError)) as raised:
            unseal(one, identity)
        assert "canary" not in str(raised.value)
        assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "recipient 1 is not a public key"),
        ("age1qqqq", "recipient 1 is not a public key"),
        ("ssh-ed25519 AAAC3Nz", "recipient 1 is not a public key"),
        ("ssh-rsa AAAAB3NzaC1yc2E=", "recipient 1 is not a public key"),
        ("me@example.com", "recipient 1 is not a public key"),
        (SECRET_KEY, "recipient 1 is a secret key"),
        (SECRET_KEY.lower(), "recipient 1 is a secret key"),
    ],
    ids=count(),  # a new key in each process
)
def test_a_wrong_recipient_is_refused_and_not_repeated(text, told):
    with pytest.raises(UsageError, match=told) as raised:
        recipients([text])
    assert not text or text not in str(raised.value)


def test_a_backup_needs_a_recipient():
    with pytest.raises(UsageError, match="no recipient"):
        recipients([])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file or directory"),
        ("", "has no secret key"),
        ("# only a comment\n", "has no secret key"),
        (f"#\n{SECRET_KEY}x\n", "line 2 of .* is not a secret key"),
        ("age1w4xh\n", "line 1 of .* is not a secret key"),
        ("AGE-PLUGIN-YUBIKEY-1Q\n", "line 1 of .* is not a secret key that envkit can use"),
        ("age-encryption.org/v1\n-> scrypt x\n", "is itself encrypted"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "is itself encrypted"),
        (f"-----BEGIN {OF_SSH}-----\n", "cannot use the SSH key"),
    ],
    ids=count(),  # a new key in each process
)
def test_a_wrong_identity_is_refused_and_not_repeated(tmp_path, text, told):
    path = tmp_path / "key.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BackupKeyError, match=told) as raised:
        read_identity(str(path))
    assert SECRET_KEY not in str(raised.value)


@pytest.mark.parametrize(
    "text", [SECRET_KEY, SECRET_KEY.lower(), f" {SECRET_KEY}"], ids=["upper", "lower", "space"]
)
def test_a_secret_key_in_place_of_the_identity_file_is_refused_and_not_repeated(text):
    with pytest.raises(BackupKeyError, match="the identity is a secret key") as raised:
        read_identity(text)
    assert text.strip() not in str(raised.value)


def test_an_ssh_key_with_a_passphrase_is_refused_with_a_hint(tmp_path):
    path = tmp_path / "id_ed25519"
    path.write_text(f"-----BEGIN {OF_SSH}-----\n{WITH_PASSPHRASE}-----END {OF_SSH}-----\n")
    with pytest.raises(BackupKeyError, match="has a passphrase") as raised:
        read_identity(str(path))
    assert "ssh-keygen -p" in raised.value.hint


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_an_identity_that_others_can_read_is_used_with_a_warning(tmp_path, mode, warned):
    path = new_keys(tmp_path).identity
    (tmp_path / "key.txt").chmod(mode)
    found = read_identity(path)
    assert found.identities
    assert bool(found.warning) == warned
    assert SECRET_KEY not in repr(found)


def test_a_file_with_a_passphrase_is_no_backup(tmp_path):
    data = pyrage.passphrase.encrypt(TEXT, "made up")
    with pytest.raises(BackupKeyError, match="encrypted with a passphrase"):
        unseal(data, read_identity(new_keys(tmp_path).identity))


def test_a_backup_that_would_be_too_large_to_be_restored_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="larger than 100 bytes"):
        seal(TEXT, recipients([new_keys(tmp_path).recipient]))


def test_a_missing_package_is_an_error_that_names_the_extra_backup(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(ExtraMissingError, match="'pyrage', which is not installed") as raised:
        recipients(["age1"])
    assert "backup" in raised.value.hint


def test_a_file_that_cannot_be_read_is_reported(tmp_path):
    with pytest.raises(UsageError, match="no such file or directory"):
        read_file(str(tmp_path / "prod.age"))
