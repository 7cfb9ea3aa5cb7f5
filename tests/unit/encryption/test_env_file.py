"""The text of encrypted files: only what must change does."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.dotenv.file import parse
from envkit.encryption.env_file import (
    decrypt_all,
    encrypt_all,
    encrypt_anew,
    encrypt_edited,
    key_of,
    set_encrypted,
    variables,
    with_public_key,
    without_public_keys,
)
from envkit.encryption.errors import KeyInvalidError, UnreadableValueError
from envkit.encryption.keys import generate
from envkit.encryption.reading import Decrypter
from envkit.encryption.values import encrypt, is_encrypted
from envkit.errors import DotenvError, InvalidValueError
from support import dotenvx

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "DOTENV_PUBLIC_KEY_PROD"
PRIVATE = dotenvx.private_key()
KEY = PRIVATE.public_key()


def decrypter(environ: Mapping[str, str] | None = None) -> Decrypter:
    digits = PRIVATE.text.reveal()
    given = {"DOTENV_PRIVATE_KEY_PROD": digits, dotenvx.PRIVATE_NAME: digits}
    environ = given if environ is None else environ
    return Decrypter(".env.prod", path="/nowhere/.env.prod", root="/nowhere", environ=environ)


def values(text: str) -> dict[str, str]:
    file = parse(text, path=".env.prod", expand=True, environ={}, decrypt=decrypter().value)
    return {name: entry.value for name, entry in file.entries.items()}


def encrypted(text: str) -> str:
    text = with_public_key(text, NAME, KEY, path=".env.prod")
    return encrypt_all(text, KEY, decrypter(), path=".env.prod")[0]


@pytest.mark.parametrize("written", ["`{}`", "{}# note", " {} # note", "`{}` # note", '"{}"#note'])
def test_ciphertext_is_read_and_replaced_in_every_form_that_dotenvx_writes(written: str) -> None:
    """dotenvx keeps the quotes and the comment of the plain value."""
    sealed = encrypt("canary", KEY)
    text = f"{NAME}={KEY}\nA={written.format(sealed)}\nB=1\n"
    assert values(text) == {"A": "canary", "B": "1"}
    again = set_encrypted(text, "A", "other", KEY, path=".env.prod")
    assert values(again) == {"A": "other", "B": "1"}
    assert sealed not in again
    assert again.count("note") == written.count("note")


PLAIN = """\
#!/usr/bin/env bash
# database
export A=1  # one

B='two words'
C="x\\ny"
LEVEL_PLAIN=debug
D =  spaced
E=
PEM="-----BEGIN X-----
abc
-----END X-----"
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_file_is_encrypted_and_decrypted_without_a_change_of_its_values(
    newline: str, mark: str
) -> None:
    text = mark + PLAIN.replace("\n", newline)
    sealed = encrypted(text)
    assert values(sealed) == values(text)
    assert [one.name for one in variables(sealed, path="x") if one.exposed] == []
    assert not [word for word in ("two words", "spaced", "BEGIN") if word in sealed]
    again = decrypt_all(sealed, decrypter(), path=".env.prod")
    assert values(again) == values(text)
    bare = without_public_keys(again, path="x")
    assert (values(bare), str(KEY) in bare, "#/" in bare) == (values(text), False, False)
    for kept in ("# database", "export A=", "  # one", "LEVEL_PLAIN=debug", "D =  "):
        assert kept in sealed
    assert ("\n" in sealed.replace("\r\n", "")) == (newline == "\n")
    assert sealed.startswith(f"{mark}#!/usr/bin/env bash{newline}#/ ")
    assert encrypted(sealed) == sealed, "a second time changes nothing"


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        max_size=5,
    )
)
def test_any_values_survive_encryption(wanted: dict[str, str]) -> None:
    text = with_public_key("", NAME, KEY, path=".env.prod")
    for name, value in wanted.items():
        text = set_encrypted(text, name, value, KEY, path=".env.prod")
    found = parse(text, path="x", expand=True, environ={}, decrypt=decrypter().value)
    assert {name: entry.value for name, entry in found.entries.items()} == wanted


_LINES = [
    "A=1",
    "B='x\ny'",
    'C="\\r"',
    "D=${A}",
    "export E= 'q' # c",
    "# c",
    "F",
    "G='open",
    "",
    "\ufeff",
    "H_PLAIN=1",
    "I='encrypted:x'",
    "<<<<<<< HEAD",
]


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(_LINES), st.sampled_from(["\n", "\r\n", "\r", "\n\n"])),
        max_size=6,
    )
)
def test_any_file_keeps_its_values_or_is_refused(lines: list[tuple[str, str]]) -> None:
    text = "".join(line + end for line, end in lines)
    try:
        sealed, _ = encrypt_all(text, KEY, decrypter(), path=".env.prod")
    except (DotenvError, UnreadableValueError, InvalidValueError):
        return
    before = parse(text, path="x", expand=True, environ={})
    after = parse(sealed, path="x", expand=True, environ={}, decrypt=decrypter().value)
    assert list(after.entries) == list(before.entries)
    for name, entry in before.entries.items():
        if name != "I":
            assert after.entries[name].value == entry.value
    assert not [one.name for one in variables(sealed, path="x") if one.exposed]


def test_setting_one_variable_changes_one_line() -> None:
    before = dotenvx.FILE
    after = set_encrypted(before, "API_KEY", "new", KEY, path="x")
    lines = difflib.ndiff(before.split("\n"), after.split("\n"))
    changed = [line for line in lines if line[0] in "+-"]
    assert len(changed) == 2
    assert changed[1].startswith("+ export API_KEY='encrypted:")
    assert changed[1].endswith("' # payment")
    assert values(after) == {**dotenvx.EXPECTED, "API_KEY": "new"}


def test_value_that_refers_to_another_is_encrypted_as_the_app_gets_it() -> None:
    text = "HOST=db\nURL=pg://${HOST}/x\nRAW='${HOST}'\nESCAPED=\"\\${HOST}\"\n"
    sealed, frozen = encrypt_all(text, KEY, decrypter(), path=".env.prod")
    assert frozen == ["URL", "ESCAPED"]
    wanted = {"HOST": "db", "URL": "pg://db/x", "RAW": "${HOST}", "ESCAPED": "${HOST}"}
    assert values(sealed) == values(text) == wanted


def test_decrypted_text_is_never_expanded() -> None:
    text = "B=secret\n"
    for name, value in (("A", "${B} $(id) `id`"), ("D", "${D}")):
        text = set_encrypted(text, name, value, KEY, path="x")
    text += 'C="<${A}>"\n'
    assert values(text) == {
        "A": "${B} $(id) `id`",
        "B": "secret",
        "C": "<${B} $(id) `id`>",
        "D": "${D}",
    }


@pytest.mark.parametrize(
    "text",
    [
        "A=1\nB='open\n",
        "A=1\nNOT A LINE\n",
        "A=${NOPE}\n",
        "<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> x\n",
    ],
)
def test_file_with_a_line_that_cannot_be_read_is_not_encrypted(text: str) -> None:
    with pytest.raises(DotenvError):
        encrypt_all(text, KEY, decrypter(), path=".env.prod")


def test_file_is_encrypted_anew_to_another_key() -> None:
    new = generate()
    text = encrypt_anew(
        dotenvx.FILE, decrypter(), dotenvx.PUBLIC_NAME, new.public_key(), path=".env.production"
    )
    key = key_of(text, path="x")
    assert key is not None
    assert key.key == new.public_key()
    old, now = dotenvx.written(dotenvx.FILE), dotenvx.written(text)
    assert not [name for name in old if is_encrypted(old[name]) and old[name] == now[name]]
    assert now["LOG_LEVEL_PLAIN"] == "debug"


def test_two_different_public_keys_are_an_error_that_names_both_lines() -> None:
    other = generate().public_key()
    text = f"DOTENV_PUBLIC_KEY={KEY}\nA=1\nDOTENV_PUBLIC_KEY_PROD={other}\n"
    with pytest.raises(KeyInvalidError) as caught:
        key_of(text, path=".env.prod")
    assert caught.value.message == (
        ".env.prod:3: DOTENV_PUBLIC_KEY_PROD is a second public key; the first is "
        "DOTENV_PUBLIC_KEY in .env.prod:1"
    )
    assert key_of(f"{NAME}={KEY}\n{NAME}='{KEY}'\n", path="x") is not None


def test_second_public_key_of_the_same_name_replaces_the_first() -> None:
    other = generate().public_key()
    once = with_public_key("A=1\n", NAME, KEY, path=".env.prod")
    twice = with_public_key(once, NAME, other, path=".env.prod")
    assert twice == once.replace(str(KEY), str(other))


class TestEdited:
    """`encrypt_edited`: a person has changed the decrypted text."""

    before = dotenvx.FILE
    shown = decrypt_all(before, decrypter(), path=".env.production")

    def edited(self, text: str) -> str:
        return encrypt_edited(self.before, text, decrypter(), KEY, path=".env.production")

    def test_unchanged_text_gives_the_same_bytes(self) -> None:
        assert "encrypted:" not in self.shown
        assert self.edited(self.shown) == self.before

    def test_changed_and_new_values_are_encrypted_and_others_keep_their_lines(self) -> None:
        text = self.shown.replace("line two", "line 2") + "NEW='${x}'\nNEW_PLAIN=y\n"
        text = text.replace("# database\n", "# the database\n")
        after = self.edited(text)
        old, now = dotenvx.written(self.before), dotenvx.written(after)
        assert [name for name in now if now[name] != old.get(name)] == ["MULTI", "NEW", "NEW_PLAIN"]
        assert "# the database\n" in after
        assert values(after) == {
            **dotenvx.EXPECTED,
            "MULTI": "line one\nline 2",
            "NEW": "${x}",
            "NEW_PLAIN": "y",
        }

    def test_removed_and_moved_lines_are_as_the_person_wrote_them(self) -> None:
        lines = self.shown.splitlines(keepends=True)
        redis = next(line for line in lines if line.startswith("REDIS_URL"))
        rest = [line for line in lines if line != redis and not line.startswith("EMPTY")]
        after = self.edited("".join([*rest, redis]))
        assert list(values(after))[-1] == "REDIS_URL"
        assert dotenvx.written(after)["REDIS_URL"] == dotenvx.written(self.before)["REDIS_URL"]
        assert "EMPTY" not in values(after)

    @pytest.mark.parametrize(
        "plain",
        ["A=1\nA=1\n", "A=\nB=2\nA=\n", 'A="\\${x}\\r\ny"\r\nB=1\r\n', "A='x\r\n${y}'\r\n"],
        ids=["same value twice", "empty twice", "carriage return", "CRLF in a value"],
    )
    def test_every_unchanged_line_keeps_its_ciphertext(self, plain: str) -> None:
        before = encrypted(plain)
        shown = decrypt_all(before, decrypter(), path=".env.prod")
        assert encrypt_edited(before, shown, decrypter(), KEY, path=".env.prod") == before

    def test_pasted_ciphertext_must_be_one_that_the_key_decrypts(self) -> None:
        own, other = (encrypt("x", key) for key in (KEY, generate().public_key()))
        assert values(self.edited(f"{self.shown}NEW='{own}'\n"))["NEW"] == "x"
        for text in (other, own[:-4], "encrypted:"):
            with pytest.raises(UnreadableValueError, match="NEW"):
                self.edited(f"{self.shown}NEW='{text}'\n")

    def test_value_that_would_be_expanded_is_refused(self) -> None:
        with pytest.raises(InvalidValueError, match="never expanded"):
            self.edited(self.shown + "URL=pg://${HOST}\n")


def test_nothing_is_decrypted_without_the_key() -> None:
    with pytest.raises(UnreadableValueError, match=r"there is no private key for \.env\.prod"):
        decrypt_all(dotenvx.FILE, decrypter({}), path=".env.prod")
