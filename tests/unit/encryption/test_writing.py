"""Writes to an encrypted file are encrypted, and only to the key that is at hand."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import uniform
from time import sleep

import pytest

from envkit._internal.clock import Deadline
from envkit._internal.files import version_of
from envkit.encryption.errors import KeyInvalidError, UnreadableValueError
from envkit.encryption.keys import generate
from envkit.encryption.values import encrypt, is_encrypted
from envkit.errors import ConflictError, DotenvError, InvalidValueError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Reading, SourceContext
from support import dotenvx
from support.process import run_spawned
from torture.files import die_at

FILE = ".env.production"


def source(root: Path | str) -> DotenvSource:
    context = SourceContext(
        "dotenv", environment="production", root=str(root), environ={}, deadline=Deadline(30)
    )
    return DotenvSource(context)


def ref(name: str) -> Reference:
    return Reference("dotenv", "", name)


def value(root: Path, name: str) -> str:
    found = source(root).fetch([ref(name)])[ref(name)]
    assert isinstance(found, Reading), found
    return found.value.reveal()


def version(root: Path | str, name: str = "LOG_LEVEL_PLAIN") -> str | None:
    found = source(root).fetch([ref(name)])[ref(name)]
    return found.version  # type: ignore[union-attr]


def write(root: Path, name: str, text: str | None) -> list[str]:
    owner = source(root)
    owner.write(ref(name), None if text is None else Secret(text), expected=version(root))
    return owner.write_warnings


@pytest.mark.parametrize("name", ["API_KEY", "NEW"])
def test_written_value_is_encrypted_and_so_is_the_copy(tmp_path: Path, name: str) -> None:
    file = dotenvx.write_pair(tmp_path)
    assert write(tmp_path, name, "canary-1") == []
    assert write(tmp_path, name, "canary-2") == []
    assert value(tmp_path, name) == "canary-2"
    assert not [path for path in tmp_path.iterdir() if "canary" in path.read_text()]
    previous = ref(name)._replace(version="previous")
    assert source(tmp_path).fetch([previous])[previous].value.reveal() == "canary-1"  # type: ignore[union-attr]
    before, after = dotenvx.written(dotenvx.FILE), dotenvx.written(file.read_text())
    assert [one for one in after if after[one] != before.get(one)] == [name]


def test_variable_that_has_the_value_keeps_its_line(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    write(tmp_path, "API_KEY", dotenvx.EXPECTED["API_KEY"])
    assert file.read_text() == dotenvx.FILE


def test_plain_variable_stays_plain(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    write(tmp_path, "LOG_LEVEL_PLAIN", "info")
    assert file.read_text() == dotenvx.FILE.replace("debug", "info")


def test_plain_value_of_a_half_plain_file_is_encrypted_when_it_is_written(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    file.write_text(dotenvx.FILE + "A=1\nB=2\n")
    write(tmp_path, "A", "1")
    written = dotenvx.written(file.read_text())
    assert (is_encrypted(written["A"]), written["B"], value(tmp_path, "A")) == (True, "2", "1")


def test_variable_is_removed(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    write(tmp_path, "API_KEY", None)
    lines = [line for line in dotenvx.FILE.splitlines() if "API_KEY" not in line]
    assert file.read_text().splitlines() == lines


def test_writer_without_a_private_key_is_warned(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    keys = tmp_path / ".env.keys"
    keys.rename(tmp_path / "elsewhere")
    [warning] = write(tmp_path, "API_KEY", "new")
    assert warning.startswith(f"no private key for {FILE} was found, so you cannot read what you")
    (tmp_path / "elsewhere").rename(keys)
    assert value(tmp_path, "API_KEY") == "new"


@pytest.mark.parametrize("name", [dotenvx.PUBLIC_NAME, "DOTENV_PUBLIC_KEY", "DOTENV_PUBLIC_KEY_X"])
def test_nothing_is_encrypted_to_a_key_that_is_not_that_of_the_private_key(
    tmp_path: Path, name: str
) -> None:
    file = dotenvx.write_pair(tmp_path)
    attacker = str(generate().public_key())
    spoilt = dotenvx.FILE.replace(str(dotenvx.private_key().public_key()), attacker)
    spoilt = spoilt.replace(dotenvx.PUBLIC_NAME, name)
    file.write_text(spoilt)
    with pytest.raises(KeyInvalidError, match="does not belong to the private key in"):
        write(tmp_path, "API_KEY", "canary")
    assert file.read_text() == spoilt
    assert not (tmp_path / f"{FILE}.envkit-previous").exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (dotenvx.FILE.replace("03d1", "03d"), KeyInvalidError),
        (dotenvx.FILE.replace("DOTENV_PUBLIC_KEY", "# "), KeyInvalidError),
        (dotenvx.FILE + f"DOTENV_PUBLIC_KEY={generate().public_key()}\n", KeyInvalidError),
        (dotenvx.FILE + "<<<<<<< HEAD\nA=1\n=======\n>>>>>>> x\n", DotenvError),
        (dotenvx.FILE + "A='open\n", DotenvError),
    ],
    ids=[
        "a wrong public key",
        "no public key",
        "two public keys",
        "merge conflict",
        "open quotation mark",
    ],
)
def test_file_that_is_not_valid_is_not_written(
    tmp_path: Path, text: str, error: type[DotenvError]
) -> None:
    file = dotenvx.write_pair(tmp_path)
    expected = version(tmp_path)
    file.write_text(text)
    owner = source(tmp_path)
    with pytest.raises((error, ConflictError)):
        owner.write(ref("API_KEY"), Secret("canary"), expected=expected)
    with pytest.raises(error):
        owner.write(ref("API_KEY"), Secret("canary"), expected=version_of(file.stat()))
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["a\0b", "a\udcff", "encrypted:x"])
def test_value_that_no_reader_could_use_is_refused(tmp_path: Path, text: str) -> None:
    file = dotenvx.write_pair(tmp_path)
    with pytest.raises(InvalidValueError):
        write(tmp_path, "API_KEY", text)
    assert file.read_text() == dotenvx.FILE


def test_value_that_cannot_be_decrypted_can_be_replaced(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    sealed = encrypt("x", generate().public_key())
    file.write_text(dotenvx.FILE.replace(dotenvx.written(dotenvx.FILE)["API_KEY"], sealed))
    with pytest.raises(UnreadableValueError):
        raise source(tmp_path).fetch([ref("API_KEY")])[ref("API_KEY")]  # type: ignore[misc]
    write(tmp_path, "API_KEY", "new")
    assert value(tmp_path, "API_KEY") == "new"


def add_one(root: str, number: int) -> None:
    """Add a variable, however often another process is faster."""
    while True:
        try:
            source(root).write(ref(f"N{number}"), Secret(f"v{number}"), expected=version(root))
        except ConflictError:
            sleep(uniform(0, 0.02))
            continue
        return


def add_five(root: str, first: int) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(add_one, [root] * 5, range(first, first + 5)))


def test_twenty_concurrent_writers_lose_no_value(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    assert run_spawned(*((add_five, str(tmp_path), n) for n in range(0, 20, 5))) == [0] * 4
    assert [value(tmp_path, f"N{number}") for number in range(20)] == [f"v{n}" for n in range(20)]
    assert value(tmp_path, "API_KEY") == dotenvx.EXPECTED["API_KEY"]


def kill_everywhere(folder: str) -> None:
    """Kill a write at each operation on a file: the file has the old value or the new one."""
    root = Path(folder) / "project"
    os.fsync = lambda _: None  # a kill is no power failure
    seen = set()
    for number in range(1, 200):
        root.mkdir(exist_ok=True)
        for path in root.iterdir():
            path.unlink()
        dotenvx.write_pair(root)
        child = os.fork()
        if not child:
            die_at(str(root), number, str(Path(folder) / "report"))
            write(root, "API_KEY", "canary-new")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        seen.add(value(root, "API_KEY"))
        assert value(root, "MULTI") == dotenvx.EXPECTED["MULTI"]
        assert not [path for path in root.iterdir() if b"canary" in path.read_bytes()], number
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            assert seen == {dotenvx.EXPECTED["API_KEY"], "canary-new"}
            assert number > 20, "the operations were not counted"
            return
    raise AssertionError("the process did not come to its end")


def test_process_killed_anywhere_leaves_the_old_value_or_the_new_one(tmp_path: Path) -> None:
    assert run_spawned((kill_everywhere, str(tmp_path))) == [0]
