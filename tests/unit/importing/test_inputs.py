"""Files of the user: encrypted ones of dotenvx, and those that cannot be read."""

import json

import pytest

from envkit.dotenv.file import LIMIT_BYTES
from envkit.encryption.errors import PrivateKeyMissingError
from envkit.errors import UsageError
from envkit.importing.inputs import read_input
from support.vectors import DATA

DOTENVX = DATA / "dotenvx"


@pytest.fixture
def production(tmp_path):
    """A file that dotenvx has encrypted."""
    path = tmp_path / ".env.production"
    path.write_bytes((DOTENVX / "dot-env.production").read_bytes())
    return path


def test_a_file_of_dotenvx_is_decrypted_with_the_keys_beside_it(production):
    keys = production.with_name(".env.keys")
    keys.write_bytes((DOTENVX / "dot-env.keys").read_bytes())
    keys.chmod(0o600)
    contents = read_input(str(production), environ={}).contents
    expected = json.loads((DOTENVX / "expected.json").read_text())
    assert {one.name: one.value.reveal() for one in contents.entries} == expected
    assert contents.left_out == ()


def test_a_file_of_dotenvx_is_refused_without_its_keys(production):
    with pytest.raises(PrivateKeyMissingError):
        read_input(str(production), environ={})


@pytest.mark.parametrize("path", ["missing", "folder", "large", "-"])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"A=" + b"x" * LIMIT_BYTES)
    with pytest.raises(UsageError) as caught:
        read_input(path, environ={}, stdin=b"x" * (LIMIT_BYTES + 1))
    assert ("stdin" if path == "-" else path) in caught.value.message
