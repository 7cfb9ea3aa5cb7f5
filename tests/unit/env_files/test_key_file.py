"""A private key is never lost from `.env.keys`, and never readable by others."""

import stat

import pytest

from envkit.encryption.key_lookup import find_private_keys
from envkit.encryption.keys import generate
from envkit.env_files.key_file import add_key, write_recovery
from envkit.errors import EnvkitError

NAME = "DOTENV_PRIVATE_KEY_PROD"


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".env.keys"


def found(path, name=NAME):
    lookup = find_private_keys([name], key_file=str(path), root=str(path.parent), environ={})
    return [key.text.reveal() for key in lookup.keys]


def test_a_key_is_added_before_the_keys_of_its_name_and_beside_those_of_others(path):
    first, second, other = (generate() for _ in range(3))
    for name, key in ((NAME, first), ("DOTENV_PRIVATE_KEY", other), (NAME, second)):
        add_key(str(path), name, key, timeout_seconds=5)
    assert found(path) == [second.text.reveal(), first.text.reveal()]
    assert found(path, "DOTENV_PRIVATE_KEY") == [other.text.reveal()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_cannot_be_read_stops_the_change(path):
    path.write_text(f"{NAME}='open\n")
    with pytest.raises(EnvkitError):
        add_key(str(path), NAME, generate(), timeout_seconds=5)
    assert path.read_text() == f"{NAME}='open\n"


def test_a_link_in_the_place_of_the_key_file_is_refused(path):
    (path.parent / "elsewhere").write_text("")
    path.symlink_to("elsewhere")
    with pytest.raises(EnvkitError):
        add_key(str(path), NAME, generate(), timeout_seconds=5)
    assert (path.parent / "elsewhere").read_text() == ""


def test_a_recovery_copy_replaces_no_file(tmp_path):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(EnvkitError):
        write_recovery(str(tmp_path / "copy"), NAME, generate(), ".env.prod")
    assert (tmp_path / "copy").read_text() == "mine"
