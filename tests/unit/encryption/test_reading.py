"""Values are decrypted when they are needed, with an error that says what to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from envkit._internal.clock import Deadline
from envkit.encryption import values as module
from envkit.encryption.errors import (
    CiphertextError,
    PrivateKeyMissingError,
    PrivateKeyWrongError,
    UnreadableValueError,
)
from envkit.encryption.keys import generate
from envkit.encryption.values import encrypt
from envkit.profile.placeholder import Reference
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Absent, Reading, SourceContext
from support import dotenvx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envkit.sources.model import Outcome

FILE = ".env.production"


def source(root: Path, environ: dict[str, str] | None = None, **settings: object) -> DotenvSource:
    context = SourceContext(
        "dotenv",
        environment="production",
        root=str(root),
        environ=environ or {},
        settings=settings,
        deadline=Deadline(15),
    )
    return DotenvSource(context)


def outcomes(asked: DotenvSource, *names: str) -> list[Outcome]:
    refs = [Reference("dotenv", "", name) for name in names]
    found = asked.fetch(refs)
    return [found[ref] for ref in refs]


def text(outcome: Outcome) -> str:
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def error(outcome: Outcome) -> UnreadableValueError:
    assert isinstance(outcome, UnreadableValueError), outcome
    return outcome


class Counter:
    """Counts the calls of a function, without replacing it."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.calls = 0
        self._code = function.__code__  # type: ignore[attr-defined]

    def __enter__(self) -> Counter:
        self._before = sys.getprofile()
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _profile(self, frame: object, event: str, _: object) -> None:
        self.calls += event == "call" and frame.f_code is self._code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("names", "decryptions"),
    [
        (["LOG_LEVEL_PLAIN"], 0),
        (["NOT_THERE"], 0),
        (["API_KEY"], 1),
        (["API_KEY", "MULTI"], 2),
        (["URL"], 1),  # refers to API_KEY
        (["URL", "API_KEY", "URL"], 1),
        (["LATER"], 1),
    ],
)
def test_only_selected_values_are_decrypted_and_each_once(
    tmp_path: Path, names: list[str], decryptions: int
) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.write_text(dotenvx.FILE + "URL=x/${API_KEY}\n")
    later = tmp_path / "later.env"
    later.write_text("LATER=${API_KEY}\nOTHER=${MULTI}\n")
    later.chmod(0o600)
    asked = source(tmp_path, path=[FILE, "later.env"])
    with Counter(module.decrypt) as counter:
        found = outcomes(asked, *names)
    assert counter.calls == decryptions
    assert all(isinstance(one, Reading | Absent) for one in found)


def test_every_recorded_value_is_read(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    found = outcomes(source(tmp_path), *dotenvx.EXPECTED)
    assert dict(zip(dotenvx.EXPECTED, map(text, found), strict=True)) == dotenvx.EXPECTED


def test_file_with_carriage_returns_is_read(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.write_bytes(dotenvx.FILE.replace("\n", "\r\n").encode())
    assert [text(one) for one in outcomes(source(tmp_path), *dotenvx.EXPECTED)] == list(
        dotenvx.EXPECTED.values()
    )


def test_half_plain_file_is_read(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.write_text(dotenvx.FILE + "PLAIN=1\n")
    assert [text(one) for one in outcomes(source(tmp_path), "PLAIN", "EMPTY")] == ["1", ""]


def test_public_key_in_the_file_wins_over_its_name(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path, file=".env.other")
    assert text(*outcomes(source(tmp_path, path=".env.other"), "API_KEY"))


def test_file_without_a_public_key_is_read_by_the_key_of_its_name(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.write_text("".join(dotenvx.FILE.splitlines(keepends=True)[1:]))
    assert text(*outcomes(source(tmp_path), "EMPTY")) == ""


def test_key_of_the_environment_is_enough(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    (tmp_path / ".env.keys").unlink()
    digits = dotenvx.private_key().text.reveal()
    asked = source(tmp_path, {dotenvx.PRIVATE_NAME: f"{generate().text.reveal()},{digits}"})
    assert text(*outcomes(asked, "EMPTY")) == ""


def test_missing_key_is_an_error_that_names_the_file_and_every_place(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    (tmp_path / ".env.keys").unlink()
    found = error(*outcomes(source(tmp_path), "API_KEY"))
    assert isinstance(found, PrivateKeyMissingError)
    assert found.message.startswith(
        f"there is no private key for {FILE}: looked in ${dotenvx.PRIVATE_NAME}, "
        f"{tmp_path / '.env.keys'}"
    )
    assert found.hint is not None
    assert dotenvx.PRIVATE_NAME in found.hint


def test_wrong_key_is_an_error_that_names_the_place_of_the_key(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    dotenvx.write_keys(tmp_path, f"{dotenvx.PRIVATE_NAME}={generate().text.reveal()}\n")
    found = error(*outcomes(source(tmp_path), "API_KEY"))
    assert isinstance(found, PrivateKeyWrongError)
    keys = tmp_path / ".env.keys"
    assert found.message.startswith(f"the private key in {keys} is not that of {FILE}: looked in $")


KEY = dotenvx.private_key().public_key()
SEALED = dotenvx.written(dotenvx.FILE)["API_KEY"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (SEALED[:58], "API_KEY is cut off: its text is too short"),
        (SEALED[:-3], "API_KEY is cut off or altered: its text is not base64"),
        (SEALED.replace("BBnnz", "BBnnA"), "API_KEY is altered: its ephemeral key is not valid"),
        (
            SEALED.replace("v8uf", "v8ug").replace("tbN/", "tbN0"),
            "API_KEY cannot be decrypted: it was altered, or encrypted to another key",
        ),
        (
            encrypt("x", generate().public_key()),
            "API_KEY cannot be decrypted: it was altered, or encrypted to another key",
        ),
    ],
    ids=["short", "cut off", "another point", "another tag", "another key"],
)
def test_altered_value_is_an_error_of_its_variable_alone(
    tmp_path: Path, written: str, message: str
) -> None:
    file = dotenvx.write_pair(tmp_path)
    assert written != SEALED
    file.write_text(dotenvx.FILE.replace(SEALED, written))
    altered, other = outcomes(source(tmp_path), "API_KEY", "MULTI")
    found = error(altered)
    assert isinstance(found, CiphertextError)
    assert found.message == f"{FILE}:7: {message}"
    assert found.written == written
    assert text(other) == dotenvx.EXPECTED["MULTI"]


def test_entries_swapped_between_names_are_not_detected(tmp_path: Path) -> None:
    """The format does not authenticate names: the threat model says so."""
    file = dotenvx.write_pair(tmp_path)
    swapped = dotenvx.FILE.replace("API_KEY=", "X=").replace("EMPTY=", "API_KEY=")
    file.write_text(swapped.replace("X=", "EMPTY="))
    assert text(*outcomes(source(tmp_path), "API_KEY")) == ""


def test_merge_conflict_is_one_error_for_every_variable(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    theirs = f"EMPTY='{encrypt('theirs', KEY)}'\n"
    file.write_text(
        dotenvx.FILE.replace("EMPTY=", "<<<<<<< HEAD\nEMPTY=")
        + f"=======\n{theirs}>>>>>>> feature\n"
    )
    found = {str(one) for one in outcomes(source(tmp_path), *dotenvx.EXPECTED, "OTHER")}
    message = f"{FILE}:9: an unresolved merge conflict\nhint: choose the lines to keep in {FILE}, "
    assert found == {f"{message}and remove the marks of git"}


def test_file_in_which_everything_is_encrypted_may_be_read_by_others(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.chmod(0o644)
    asked = source(tmp_path)
    outcomes(asked, "EMPTY")
    assert asked.warnings == []
    file.write_text(dotenvx.FILE + "A=1\n")
    asked = source(tmp_path)
    outcomes(asked, "EMPTY")
    assert asked.warnings == [f"{FILE} can be read by other users: run 'chmod 600 {FILE}'"]


def test_key_file_is_read_once_for_all_values(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    opened = []
    real = os.open

    def note(path: object, *args: object, **more: object) -> int:
        opened.append(str(path).endswith(".env.keys"))
        return real(path, *args, **more)  # type: ignore[arg-type]

    asked = source(tmp_path)
    outcomes(asked, "EMPTY")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", note)
        outcomes(source(tmp_path), *dotenvx.EXPECTED)
    assert sum(opened) == 1
