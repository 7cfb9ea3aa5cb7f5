"""`envkit env` leaves values only where the user wants them, and private keys in `.env.keys`."""

import re

import pytest

from envkit.encryption.keys import generate
from envkit.encryption.values import encrypt
from support.checking import git

OLD, NEW = "canary-old-5f21c9", "canary-new-81d04e"


@pytest.fixture
def prod(project, places):
    """A repository with an encrypted file that has the old value."""
    git(project.root, "init", "-q")
    project.profile("prod.toml", 'protected = true\n[variables]\nSECRET = "{{ SECRET }}"\n')
    key = generate()
    public = key.public_key()
    text = f"DOTENV_PUBLIC_KEY_PROD={public}\nSECRET='{encrypt(OLD, public)}'\n"
    project.dotenv("prod", text)
    project.dotenv("keys", f"DOTENV_PRIVATE_KEY_PROD={key.text.reveal()}\n")
    project.environ |= {"ENVKIT_ENV": "prod", "ENVKIT_REASON": "INC-1", "ENVKIT_DEBUG": "1"}
    places.hidden = [OLD, NEW, key.text.reveal()]
    return places


def test_encrypt_leaves_no_value_of_a_plain_file(prod):
    prod.project.dotenv("prod", f"SECRET={OLD}\n")
    prod.project.dotenv("prod.envkit-previous", f"SECRET={NEW}\n")
    prod.run("env", "init")
    prod.run("env", "encrypt")
    assert prod.traces() == {".env.keys"}


@pytest.mark.parametrize(
    ("arguments", "piped", "status"),
    [
        ("init", "", 0),
        ("init --recovery inside", "", 2),
        ("encrypt", "", 0),
        ("decrypt", "", 2),
        ("set SECRET", f"{NEW}\n", 0),
        ("set OTHER", NEW, 0),
        (f"set SECRET {NEW}", "", 2),
        (f"set SECRET={NEW}", "", 2),
        ("set SECRET", f"encrypted:{NEW}", 3),
        ("keys", "", 0),
        ("keys --format json", "", 0),
        ("rotate-key --drop-old", "", 0),
        ("textconv .env.prod", "", 0),
        ("textconv .env.keys", "", 0),
        ("hook install --textconv", "", 0),
        ("hook run", "", 0),
    ],
)
def test_env_leaks_no_value_and_no_private_key(prod, arguments, piped, status):
    prod.run("env", *arguments.split(), input=piped, status=status)
    assert prod.traces() == {".env.keys"}


def test_rotate_key_leaks_no_key(prod):
    prod.run("env", "rotate-key")
    text = (prod.project.root / ".env.keys").read_text()
    prod.hidden += re.findall(r"[0-9a-f]{64}", text)
    assert prod.traces() == {".env.keys"}


def test_edit_leaks_no_value_that_was_or_is_in_the_editor(prod):
    prod.project.environ["EDITOR"] = f"sed -i s/{OLD}/{NEW}/"
    prod.run("env", "edit")
    assert prod.traces() == {".env.keys"}
    prod.project.environ["EDITOR"] = "sed -i s/SECRET=/SECRET/"
    prod.run("env", "edit", status=3)
    assert prod.traces() == {".env.keys"}


def test_decrypted_text_is_only_where_the_user_wants_it(prod):
    prod.run("env", "decrypt", "--output", "plain.env")
    assert prod.traces() == {".env.keys", "plain.env"}
    (prod.project.root / "plain.env").unlink()
    prod.run("env", "decrypt", "--yes")
    assert prod.traces() == {".env.keys", ".env.prod"}
    prod.run("env", "encrypt")
    assert prod.traces() == {".env.keys"}


def test_the_hook_quotes_no_value_and_no_key_that_it_refuses(prod):
    (prod.project.root / ".env.prod").write_text(
        (prod.project.root / ".env.prod").read_text()
        + f"A={NEW}\nB='encrypted:{NEW}'\n{NEW}\nC='{NEW}\n"
    )
    git(prod.project.root, "add", "-f", ".env.prod", ".env.keys")
    done = prod.run("env", "hook", "run", status=1)
    assert done.stderr.count("envkit: error: ") >= 4


def test_a_wrong_private_key_is_not_quoted(prod):
    wrong = "ab" * 32
    prod.hidden.append(wrong)
    (prod.project.root / ".env.keys").unlink()
    for key, status in ((wrong, 6), (wrong[:-1], 3), ("0" * 64, 3)):
        env = {"DOTENV_PRIVATE_KEY_PROD": key}
        prod.run("env", "decrypt", "--output", "-", status=status, env=env)
        prod.run("env", "keys", env=env)
