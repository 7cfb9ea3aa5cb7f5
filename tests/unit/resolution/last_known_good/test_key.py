"""The key of snapshots: in a keyring, or in a file that only its owner can read."""

import os
import stat
import subprocess
import sys

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from envkit.resolution.last_known_good.key import key_path, key_to_encrypt, keys


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 5

    def __init__(self, error=None):
        super().__init__()
        self.entries, self.error = {}, error

    def get_password(self, service, username):
        if self.error:
            raise self.error
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


@pytest.fixture
def environ(tmp_path):
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture(autouse=True)
def _no_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def ring(_no_keyring):
    made = Ring()
    keyring.set_keyring(made)
    return made


def test_a_keyring_gets_the_key_and_no_file_is_written(environ, ring):
    assert list(keys(environ)) == []
    key = key_to_encrypt(environ)
    assert (len(key), list(keys(environ))) == (32, [key])
    assert key_to_encrypt(environ) == key
    assert not os.path.exists(key_path(environ))


def test_a_file_for_its_owner_alone_has_the_key_without_a_keyring(environ):
    before = os.umask(0)
    try:
        key = key_to_encrypt(environ)
    finally:
        os.umask(before)
    assert list(keys(environ)) == [key] == [key_to_encrypt(environ)]
    state = os.stat(key_path(environ))
    assert (stat.S_IMODE(state.st_mode), state.st_size, state.st_nlink) == (0o600, 32, 1)
    assert stat.S_IMODE(os.stat(os.path.dirname(key_path(environ))).st_mode) == 0o700
    assert os.listdir(os.path.dirname(key_path(environ))) == ["last-known-good.key"]


def test_a_keyring_that_fails_is_no_error_and_the_file_is_used(environ, ring):
    ring.error = RuntimeError("locked")
    key = key_to_encrypt(environ)
    assert list(keys(environ)) == [key]
    ring.error = None
    assert key in list(keys(environ)), "what was encrypted meanwhile cannot be decrypted"


@pytest.mark.parametrize("unfit", ["mode", "short", "long", "link", "folder"])
def test_a_key_file_that_is_not_private_or_complete_is_not_used_or_replaced(environ, unfit):
    key_to_encrypt(environ)
    path = key_path(environ)
    if unfit == "mode":
        os.chmod(path, 0o640)
    elif unfit == "link":
        os.rename(path, f"{path}.moved")
        os.symlink(f"{path}.moved", path)
    elif unfit == "folder":
        os.unlink(path)
        os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write(b"x" * (31 if unfit == "short" else 33))
    assert list(keys(environ)) == []
    assert key_to_encrypt(environ) is None


def test_processes_that_start_at_once_agree_on_the_key(environ):
    code = (
        "import os; from envkit.resolution.last_known_good.key import key_to_encrypt, keys\n"
        "key_to_encrypt(os.environ); print(next(keys(os.environ)).hex())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **environ}, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1
