"""Where private keys come from, and which files with keys are refused."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from envkit.encryption.errors import KeyFileExposedError, KeyInvalidError
from envkit.encryption.key_lookup import find_private_keys, key_file_beside
from envkit.encryption.keys import generate
from envkit.errors import DeniedError, DotenvError
from support import dotenvx
from support.permissions import as_nobody, folder_of_nobody

if TYPE_CHECKING:
    from pathlib import Path

    from envkit.encryption.key_lookup import Lookup

NAME = "DOTENV_PRIVATE_KEY_PROD"
ONE, TWO, THREE = (generate() for _ in range(3))


def look(root: Path, environ: dict[str, str] | None = None, **more: object) -> Lookup:
    return find_private_keys(
        [NAME],
        key_file=key_file_beside(str(root / ".env.prod")),
        root=str(root),
        environ=environ or {},
        **more,  # type: ignore[arg-type]
    )


def test_keys_of_the_environment_come_before_those_of_the_file(tmp_path: Path) -> None:
    digits = [key.text.reveal() for key in (ONE, TWO, THREE)]
    dotenvx.write_keys(tmp_path, f"{NAME}='{digits[1]},{digits[2]}'\n")
    found = look(tmp_path, {NAME: digits[0], "DOTENV_PRIVATE_KEY": digits[1]})
    assert found.keys == [ONE, TWO, THREE]
    assert [one.place for one in found.found] == [f"${NAME}", *[str(tmp_path / ".env.keys")] * 2]


def test_lookup_without_a_key_names_every_place(tmp_path: Path) -> None:
    dotenvx.write_keys(tmp_path, "DOTENV_PRIVATE_KEY_DEV=x\n")
    found = look(tmp_path, {NAME: ""})
    assert found.found == ()
    assert found.places[:2] == (f"${NAME}", str(tmp_path / ".env.keys"))


def test_missing_key_file_is_no_error(tmp_path: Path) -> None:
    assert look(tmp_path).found == ()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644])
def test_key_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    dotenvx.write_keys(tmp_path, f"{NAME}={ONE.text.reveal()}\n").chmod(mode)
    with pytest.raises(KeyFileExposedError) as caught:
        look(tmp_path)
    assert caught.value.hint == f"run: chmod 600 {tmp_path / '.env.keys'}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"{NAME}=abc\n", KeyInvalidError),
        (f"{NAME}='{ONE.text.reveal()}\n", DotenvError),
        (f"<<<<<<< HEAD\n{NAME}={ONE.text.reveal()}\n=======\n>>>>>>> x\n", DotenvError),
    ],
    ids=["no key", "open quotation mark", "merge conflict"],
)
def test_key_file_that_cannot_be_read_is_an_error_without_the_key(
    tmp_path: Path, text: str, error: type[DotenvError]
) -> None:
    dotenvx.write_keys(tmp_path, text)
    with pytest.raises(error) as caught:
        look(tmp_path)
    assert ".env.keys:" in caught.value.message
    assert ONE.text.reveal()[:20] not in str(caught.value)


def test_folder_or_dangling_link_in_place_of_the_key_file_is_an_error(tmp_path: Path) -> None:
    keys = tmp_path / ".env.keys"
    keys.symlink_to("nowhere")
    with pytest.raises(DotenvError, match="dangling link"):
        look(tmp_path)
    keys.unlink()
    keys.mkdir()
    with pytest.raises(DotenvError, match="not a regular file"):
        look(tmp_path)


def test_key_file_of_another_user_is_an_error() -> None:
    with folder_of_nobody() as root:
        keys = dotenvx.write_keys(root, f"{NAME}={ONE.text.reveal()}\n")
        keys.chmod(0o600 if os.geteuid() == 0 else 0)
        with as_nobody(), pytest.raises(DeniedError, match=r"cannot read .*\.env\.keys"):
            look(root)


BACKEND = """
from keyring.backend import KeyringBackend

class Fixed(KeyringBackend):
    priority = 1
    stored = {}

    def get_password(self, service, username):
        return self.stored.get((service, username))

    def set_password(self, service, username, password):
        self.stored[service, username] = password
"""


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import keyring

    (tmp_path / "envkit_test_keyring.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = keyring.get_keyring()
    import envkit_test_keyring  # type: ignore[import-not-found]

    keyring.set_keyring(envkit_test_keyring.Fixed())
    yield keyring
    keyring.set_keyring(before)
    del sys.modules["envkit_test_keyring"]


def test_keyring_of_the_system_is_asked_last(tmp_path: Path, backend) -> None:
    public = ONE.public_key()
    backend.set_password("envkit", str(public), ONE.text.reveal())
    assert look(tmp_path, public_keys=[public]).keys == [ONE]
    assert look(tmp_path, public_keys=[TWO.public_key()]).found == ()
    assert look(tmp_path, public_keys=[public]).places[-1] == "the keyring of the system"
    dotenvx.write_keys(tmp_path, f"{NAME}={TWO.text.reveal()}\n")
    assert look(tmp_path, public_keys=[public]).keys == [TWO]
