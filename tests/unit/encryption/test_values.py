"""Encrypt and decrypt: recorded values of dotenvx, and every alteration of one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.encryption.errors import CiphertextError
from envkit.encryption.keys import FIELD, generate
from envkit.encryption.values import decrypt, encrypt, is_encrypted, parts, stays_plain
from support import dotenvx

KEY = dotenvx.private_key()
WRITTEN = dotenvx.written(dotenvx.FILE)
ENCRYPTED = sorted(name for name, text in WRITTEN.items() if is_encrypted(text))
SHORT = WRITTEN["EMPTY"]
HEADER = base64.b64decode(SHORT.removeprefix("encrypted:"))


@pytest.mark.parametrize("name", ENCRYPTED)
def test_value_encrypted_by_dotenvx_is_decrypted(name: str) -> None:
    assert decrypt(WRITTEN[name], [KEY]) == dotenvx.EXPECTED[name]


def test_every_recorded_value_is_encrypted_except_a_plain_one() -> None:
    assert set(dotenvx.EXPECTED) - set(ENCRYPTED) == {"LOG_LEVEL_PLAIN"}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("LOG_LEVEL_PLAIN", True),
        ("DOTENV_PUBLIC_KEY_PROD", True),
        ("LOG_LEVEL_PLAIN_TEXT", False),
        ("LOG_LEVEL_plain", False),
        ("API_KEY", False),
    ],
)
def test_name_decides_whether_a_variable_stays_plain(name: str, *, plain: bool) -> None:
    assert stays_plain(name) is plain


@settings(max_examples=60)
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_decrypted_as_it_was_encrypted(text: str) -> None:
    sealed = encrypt(text, KEY.public_key())
    assert decrypt(sealed, [KEY]) == text
    assert is_encrypted(sealed)
    assert sealed != encrypt(text, KEY.public_key())


def test_both_roots_of_the_shared_point_are_found() -> None:
    """One root in two is odd: 30 values have both, except once in a billion runs."""
    public = KEY.public_key()
    assert {decrypt(encrypt("x", public), [KEY]) for _ in range(30)} == {"x"}


def test_every_key_is_tried() -> None:
    keys = [generate(), KEY, generate()]
    assert decrypt(WRITTEN["UNICODE"], keys) == dotenvx.EXPECTED["UNICODE"]


@pytest.mark.parametrize("keys", [[], [generate()], [generate(), generate()]])
def test_value_of_another_key_is_not_decrypted(keys: list[object]) -> None:
    assert decrypt(WRITTEN["EMPTY"], keys) is None  # type: ignore[arg-type]


def outcome(text: str) -> str | None:
    try:
        return decrypt(text, [KEY])
    except CiphertextError:
        return None


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_flipped_bit_of_any_byte_is_detected(bit: int) -> None:
    for index in range(len(HEADER)):
        data = bytearray(HEADER)
        data[index] ^= 1 << bit
        text = f"encrypted:{base64.b64encode(data).decode()}"
        assert outcome(text) is None, f"byte {index}"


def test_changed_character_of_the_text_is_detected_wherever_it_is() -> None:
    for index in range(len("encrypted:"), len(SHORT)):
        for char in "A=!\n":
            if SHORT[index] != char:
                text = SHORT[:index] + char + SHORT[index + 1 :]
                assert outcome(text) is None, f"character {index}"


def test_value_cut_off_anywhere_is_detected() -> None:
    for length in range(len("encrypted:"), len(SHORT)):
        assert outcome(SHORT[:length]) is None, f"{length} characters"


@pytest.mark.parametrize("more", ["A", "AAAA", "=", "\n", " ", "é"])
def test_value_with_something_appended_is_detected(more: str) -> None:
    assert outcome(SHORT + more) is None


X_TOO_LARGE = b"\x04" + FIELD.to_bytes(32, "big") + HEADER[33:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is cut off or altered: its text is not base64"),
        (HEADER[:96], "is cut off: its text is too short"),
        (b"\x03" + HEADER[1:], "is altered: its ephemeral key is not valid"),
        (bytes(97), "is altered: its ephemeral key is not valid"),
        (b"\x04" + bytes(96), "is altered: its ephemeral key is not valid"),
        (X_TOO_LARGE, "is altered: its ephemeral key is not valid"),
    ],
)
def test_malformed_value_is_refused_without_a_key(data: bytes, message: str) -> None:
    with pytest.raises(CiphertextError) as caught:
        parts(f"encrypted:{base64.b64encode(data).decode()}")
    assert caught.value.message == message


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: HEADER[:65] + data))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    assert outcome(f"encrypted:{base64.b64encode(data).decode()}") is None
