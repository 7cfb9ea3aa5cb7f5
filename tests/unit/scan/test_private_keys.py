"""A scan also searches for the private keys of the files that environments read."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.scan.environments import choose
from envkit.scan.private_keys import private_keys_of
from support import dotenvx

DIGITS = dotenvx.private_key().text.reveal()
OTHER = "ab" * 32


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (f"DOTENV_PRIVATE_KEY_DEV={DIGITS}", {".env.dev": [DIGITS]}),
        (f"DOTENV_PRIVATE_KEY_DEV={OTHER},{DIGITS}", {".env.dev": [OTHER, DIGITS]}),
        (f"DOTENV_PRIVATE_KEY_PROD={DIGITS}", {".env.dev": []}),
        ("DOTENV_PRIVATE_KEY_DEV=x", {}),
    ],
)
def test_keys_of_encrypted_files_are_returned_by_file(project, trusted, keys, expected):
    project.profile("dev.toml", '[variables]\nA = "{{ A }}"\nB = "{{ dotenv:plain.env#B }}"\n')
    project.dotenv("dev", dotenvx.encrypted_text({"A": "1"}, "DOTENV_PUBLIC_KEY_DEV"))
    (project.root / "plain.env").write_text("B=1\n")
    dotenvx.write_keys(project.root, keys)
    chosen = choose(
        ["dev"],
        str(project.profiles),
        environ=os.environ,
        deadline=Deadline(5),
        has_reason=False,
    )
    found = private_keys_of(chosen.prepared)
    assert {file: [key.reveal() for key in known] for file, known in found.items()} == expected
