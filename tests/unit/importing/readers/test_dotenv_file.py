""".env files, also as platforms download them."""

import pytest

from envkit.importing.errors import ImportFileError
from envkit.importing.readers.dotenv_file import read_dotenv


def values(contents):
    return {entry.name: entry.value.reveal() for entry in contents.entries}


def test_values_are_read_as_apps_read_them_and_expanded_from_the_file_itself(monkeypatch):
    monkeypatch.setenv("OUTSIDE", "of this machine")
    contents = read_dotenv(
        "export A=1\nB='two $A'\nC=\"x\\ny ${A}\"\nD=${OUTSIDE}\nE=${OUTSIDE:-none}\nF=\n",
        path=".env",
    )
    assert values(contents) == {"A": "1", "B": "two $A", "C": "x\ny 1", "E": "none", "F": ""}
    [left] = contents.left_out
    assert (left.name, left.where, left.needed) == ("D", ".env:4", True)
    assert "OUTSIDE" in left.reason


def test_variables_that_vercel_sets_are_not_needed():
    text = (
        '# Created by Vercel CLI\nA="x\\ny"\nVERCEL="1"\nVERCEL_OIDC_TOKEN="ey"\n'
        'VERCEL_GIT_REPO_ID=""\nVERCEL_KV="z"\nHIDDEN=""\n'
    )
    contents = read_dotenv(text, path=".env.local")
    assert values(contents) == {"A": "x\ny", "VERCEL_KV": "z"}
    assert {one.name: one.needed for one in contents.left_out} == {
        "VERCEL": False,
        "VERCEL_OIDC_TOKEN": False,
        "VERCEL_GIT_REPO_ID": False,
        "HIDDEN": True,
    }
    # the same names in a file of one's own are variables
    assert "VERCEL" in values(read_dotenv(text.partition("\n")[2], path=".env"))


def test_a_variable_that_is_set_twice_gets_its_last_value_and_a_note():
    contents = read_dotenv("A=1\nA=2\n", path=".env")
    assert values(contents) == {"A": "2"}
    assert contents.notes == (".env: A is set twice",)


def test_a_name_that_no_environment_can_have_is_left_out():
    contents = read_dotenv("discovery.type=single\nA=1\n", path=".env")
    assert values(contents) == {"A": "1"}
    assert [one.name for one in contents.left_out] == ["discovery.type"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DOTENV_PRIVATE_KEY_PROD", "is the key of an encrypted file"),
        ("DOTENV_PRIVATE_KEY", "is the key of an encrypted file"),
        ("ENVKIT_TRUST", "configures envkit"),
    ],
)
def test_a_key_of_encrypted_files_or_a_setting_of_envkit_is_left_out(name, reason):
    contents = read_dotenv(f"{name}=x\nA=1\n", path=".env.keys")
    assert values(contents) == {"A": "1"}
    [left] = contents.left_out
    assert left.needed
    assert left.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nhidden-text\n", ".env:2: the line has no '='"),
        ("A='hidden\n", ".env:1: cannot parse"),
        ("=== shop Config Vars\nA:  1\n", ".env is a table for people"),
    ],
)
def test_a_file_with_a_line_that_cannot_be_read_is_refused(text, message):
    with pytest.raises(ImportFileError) as caught:
        read_dotenv(text, path=".env")
    assert caught.value.message.startswith(message)
    assert "hidden" not in repr(caught.value)
