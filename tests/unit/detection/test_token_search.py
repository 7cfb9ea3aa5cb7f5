"""Tokens in bytes: the same ones as in texts, wherever they stand."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envkit.detection.token_search import CONTEXT, FIXED, LONGEST, tokens_in
from envkit.detection.token_shapes import SHAPES, find_tokens

KEY = "a private key"
BODY = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


def test_every_shape_has_a_fixed_text():
    assert {*FIXED} == {*SHAPES}


@pytest.mark.parametrize("what", sorted(SHAPES.keys() - {KEY}))
@settings(max_examples=10)
@given(data=st.data())
def test_every_token_that_is_found_in_a_text_is_found_in_bytes(what, data):
    token = data.draw(st.from_regex(re.compile(SHAPES[what], re.ASCII), fullmatch=True))
    assume(len(token) < LONGEST - CONTEXT)
    text = f"a = '{token}'\n"
    expected = {kind for kind, _ in find_tokens(text)}
    assert expected <= {found.what for found in tokens_in(text.encode())}


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN PRIVATE KEY-----\n" + BODY,
        b"  -----BEGIN RSA PRIVATE KEY-----\r\n  " + BODY,
        b'"-----BEGIN EC PRIVATE KEY-----\\n' + BODY,
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\n" + BODY,
    ],
)
def test_a_private_key_with_its_body_is_found(data):
    assert [found.what for found in tokens_in(data)] == [KEY]


@pytest.mark.parametrize(
    "data",
    [
        b'if line == "-----BEGIN PRIVATE KEY-----":\n    pass',
        b"-----BEGIN PUBLIC KEY-----\n" + BODY,
        b"ghp_" + b"x" * 36,
        b"AKIAIOSFODNN7EXAMPLE",
        b"task-" + b"aB3dE5fG7h" * 4,
        b"nothing",
        b"",
    ],
)
def test_code_about_tokens_and_made_up_tokens_are_not_found(data):
    assert list(tokens_in(data)) == []


def test_a_token_is_found_once_with_its_place():
    token = b"glpat-" + b"aB3dE5fG7h" * 2
    [found] = tokens_in(b"x: " + token + b" ")
    assert (found.what, found.start, found.end) == ("a GitLab token", 3, 29)


def test_a_token_with_a_long_beginning_is_found():
    token = b"eyJhbGciOi" + b"aB3dE5fG7h" * 30 + b".eyJzdWIiOi" + b"J9.c2lnbmF0dXJl"
    assert [found.what for found in tokens_in(b"x: " + token)] == ["a JSON web token"]


def test_the_key_of_an_encrypted_env_file_is_found():
    data = b'DOTENV_PRIVATE_KEY_PROD="' + b"0f8a7c3d" * 8 + b'"'
    assert [found.what for found in tokens_in(data)] == ["a dotenvx private key"]
