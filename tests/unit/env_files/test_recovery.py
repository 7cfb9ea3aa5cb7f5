"""A copy of a private key replaces no file, and only its owner can read it."""

import stat

import pytest

from envkit.encryption.keys import generate
from envkit.env_files.recovery import write_recovery
from envkit.errors import EnvkitError

NAME = "DOTENV_PRIVATE_KEY_PROD"


def test_a_recovery_copy_has_the_key_and_is_private(tmp_path):
    key = generate()
    write_recovery(str(tmp_path / "copy"), NAME, key, ".env.prod")
    assert f"\n{NAME}={key.text.reveal()}\n" in (tmp_path / "copy").read_text()
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


@pytest.mark.parametrize("linked", [True, False])
def test_a_recovery_copy_replaces_no_file_and_follows_no_link(tmp_path, linked):
    if linked:
        (tmp_path / "copy").symlink_to("elsewhere")
    else:
        (tmp_path / "copy").write_text("mine")
    with pytest.raises(EnvkitError):
        write_recovery(str(tmp_path / "copy"), NAME, generate(), ".env.prod")
    assert not (tmp_path / "elsewhere").exists()
    assert linked or (tmp_path / "copy").read_text() == "mine"
