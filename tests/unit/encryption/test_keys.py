"""Key pairs: their forms, their names, and what is never shown."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.encryption.errors import KeyInvalidError
from envkit.encryption.keys import (
    FIELD,
    ORDER,
    generate,
    is_point,
    parse_private_keys,
    parse_public_key,
    variable_names,
)
from envkit.secret import Secret
from support import dotenvx

DIGITS = "f865d4d31f891b5894b0eea3519956e73dfbb3efd05b87f95f6ad9d47148ea86"
PUBLIC = "03d1073ee95380d0324d77f0761d794b0640e46bfe82cfd97755e1a01a531affdb"


def test_recorded_private_key_has_the_recorded_public_key() -> None:
    recorded = dotenvx.written(dotenvx.FILE)[dotenvx.PUBLIC_NAME]
    assert str(dotenvx.private_key().public_key()) == recorded == PUBLIC


def test_new_keys_differ_and_can_be_parsed_again() -> None:
    one, other = generate(), generate()
    assert one != other
    assert parse_private_keys(one.text, where=".env.keys") == [one]
    public = one.public_key()
    assert parse_public_key(str(public), where=".env") == public
    assert is_point(public.x, public.y)


@pytest.mark.parametrize(
    ("file", "suffix"),
    [
        (".env", ""),
        (".env.prod", "_PROD"),
        (".env.PROD", "_PROD"),
        (".env.prod.local", "_PROD_LOCAL"),
        (".env.prod.local.old", "_PROD_LOCAL"),
        (".env.prod.txt", "_PROD"),
        (".env1", "_DEVELOPMENT1"),
        ("app/.env.prod", "_PROD"),
        ("/srv/a.b/.env", ""),
        (".env.prod-eu", "_PROD_EU"),  # dotenvx's PROD-EU cannot be an environment variable
        ("secrets.prod.ci.env", "_CI_ENV"),
    ],
)
def test_names_of_the_keys_follow_from_the_name_of_the_file(file: str, suffix: str) -> None:
    assert variable_names(file) == (f"DOTENV_PUBLIC_KEY{suffix}", f"DOTENV_PRIVATE_KEY{suffix}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        PUBLIC[:-1],
        PUBLIC + "0",
        "04" + PUBLIC[2:],
        PUBLIC.replace("d", "g"),
        " " + PUBLIC[1:],
        "02" + f"{5:064x}",  # the curve has no point with this x
        "02" + f"{FIELD + 1:064x}",
        "0_" + PUBLIC[2:],
    ],
)
def test_text_that_is_no_public_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(KeyInvalidError) as caught:
        parse_public_key(text, where=".env.prod: DOTENV_PUBLIC_KEY_PROD")
    assert caught.value.message == ".env.prod: DOTENV_PUBLIC_KEY_PROD is not a public key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIGITS[:-1],
        DIGITS + "0",
        DIGITS.replace("f", "g"),
        "0" * 64,
        f"{ORDER:064x}",
        f"{DIGITS},",
        f"{DIGITS};{DIGITS}",
        "0x" + DIGITS[2:],
        f"{DIGITS[:31]}_{DIGITS[32:]}",
    ],
)
def test_text_that_is_no_private_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(KeyInvalidError) as caught:
        parse_private_keys(Secret(text), where=".env.keys: DOTENV_PRIVATE_KEY")
    assert caught.value.message == ".env.keys: DOTENV_PRIVATE_KEY is not a private key"
    assert DIGITS[1:31] not in str(caught.value)


def test_several_private_keys_have_commas_between_them() -> None:
    other = f"{1:064x}"
    found = parse_private_keys(Secret(f"{DIGITS.upper()}, {other}"), where="x")
    assert [key.text.reveal() for key in found] == [DIGITS, other]


def test_private_key_is_never_shown_pickled_or_copied() -> None:
    key = dotenvx.private_key()
    key.load()
    assert DIGITS not in f"{key} {key!r} {key.text} {[key]!r} {vars(type(key))!r}"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(key)


@given(st.text(alphabet="0123456789abcdef,gG \n_", max_size=140))
def test_any_text_is_a_key_or_is_refused(text: str) -> None:
    for parse in (
        lambda: parse_public_key(text, where="x"),
        lambda: parse_private_keys(Secret(text), where="x"),
    ):
        try:
            parse()
        except KeyInvalidError as error:
            assert error.message.startswith("x is not a ")  # noqa: PT017
