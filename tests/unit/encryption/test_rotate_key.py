"""Replace a key pair: whatever happens, the file can be read with the keys beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envkit._internal.clock import Deadline
from envkit.encryption.env_file import key_of
from envkit.encryption.errors import (
    CiphertextError,
    KeyFileExposedError,
    KeyInvalidError,
    PrivateKeyMissingError,
    UnreadableValueError,
)
from envkit.encryption.keys import generate, parse_private_keys
from envkit.encryption.rotate_key import RotatedKey, drop_old_keys, rotate_key
from envkit.encryption.values import decrypt, encrypt
from envkit.errors import DotenvError, EnvkitError, LinkRefusedError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Reading, SourceContext
from support import dotenvx
from support.permissions import as_nobody, folder_of_nobody
from support.process import run_spawned
from support.small_disk import SmallDisk
from torture.files import die_at

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = ".env.production"
SECONDS = 15.0


def source(root: Path | str, environ: dict[str, str] | None = None) -> DotenvSource:
    context = SourceContext(
        "dotenv",
        environment="production",
        root=str(root),
        environ=environ or {},
        deadline=Deadline(SECONDS),
    )
    return DotenvSource(context)


def rotate(root: Path | str, environ: dict[str, str] | None = None) -> RotatedKey:
    owner = source(root, environ)
    path, previous = owner.places(NAME)
    return rotate_key(owner.decrypter(NAME), path, previous, timeout_seconds=SECONDS)


def drop(root: Path | str) -> int:
    owner = source(root)
    path, previous = owner.places(NAME)
    return drop_old_keys(owner.decrypter(NAME), path, previous, timeout_seconds=SECONDS)


def values(root: Path | str, version: str | None = None) -> dict[str, str]:
    """Return the values that the source reads with the keys beside the file."""
    refs = {name: Reference("dotenv", name, version=version) for name in dotenvx.EXPECTED}
    found = source(root).fetch(refs.values())
    wrong = {name: found[ref] for name, ref in refs.items() if not isinstance(found[ref], Reading)}
    assert not wrong, wrong
    return {name: found[ref].value.reveal() for name, ref in refs.items()}  # type: ignore[union-attr]


def private_keys(root: Path) -> list[str]:
    return dotenvx.written((root / ".env.keys").read_text())[dotenvx.PRIVATE_NAME].split(",")


def test_rotated_key_replaces_both_keys_and_every_ciphertext(tmp_path: Path) -> None:
    file = dotenvx.write_pair(tmp_path)
    before = file.read_text()
    done = rotate(tmp_path)
    after = file.read_text()
    assert (done.name, str(done.old), done.values) == (
        dotenvx.PUBLIC_NAME,
        str(dotenvx.private_key().public_key()),
        6,
    )
    key = key_of(after, path=NAME)
    assert key is not None
    assert key.key == done.new != done.old
    old, new = dotenvx.written(before), dotenvx.written(after)
    assert [name for name in old if old[name] == new[name]] == ["LOG_LEVEL_PLAIN"]
    assert values(tmp_path) == dotenvx.EXPECTED
    # comments, blank lines, `export`, and the order
    shape = [line.partition("=")[0] for line in before.splitlines()]
    assert [line.partition("=")[0] for line in after.splitlines()] == shape


def test_old_key_stays_behind_the_new_one_until_it_is_dropped(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    rotate(tmp_path)
    [new, old] = private_keys(tmp_path)
    assert old == dotenvx.private_key().text.reveal() != new
    assert values(tmp_path, "previous") == dotenvx.EXPECTED
    assert drop(tmp_path) == 1
    assert private_keys(tmp_path) == [new]
    assert values(tmp_path) == values(tmp_path, "previous") == dotenvx.EXPECTED
    assert drop(tmp_path) == 0
    assert stat.S_IMODE((tmp_path / ".env.keys").stat().st_mode) == 0o600


def test_dropping_old_keys_encrypts_rotation_records_anew(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    beside = tmp_path / f"{NAME}.API_KEY.envkit-rotation"
    sealed = encrypt("pending", dotenvx.private_key().public_key())
    beside.write_text(
        f'{{"record": {{"x": 1.50}}, "values": {{"old": {{"API_KEY": "{sealed}"}}}}}}'
    )
    beside.chmod(0o600)
    rotate(tmp_path)
    drop(tmp_path)
    found = json.loads(beside.read_text())
    assert '{"x": 1.50}' in beside.read_text()
    keys = parse_private_keys(Secret(",".join(private_keys(tmp_path))), where="")
    assert decrypt(found["values"]["old"]["API_KEY"], keys) == "pending"


def test_other_keys_of_the_key_file_stay(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    keys = tmp_path / ".env.keys"
    dotenvx.write_keys(tmp_path, f"# mine\nDOTENV_PRIVATE_KEY_DEV=x\n{dotenvx.KEY_FILE}# end\n")
    rotate(tmp_path)
    drop(tmp_path)
    text = keys.read_text()
    assert text.startswith("# mine\nDOTENV_PRIVATE_KEY_DEV=x\n# .env.production\n")
    assert text.endswith("# end\n")


def test_key_from_the_environment_is_saved_before_it_is_replaced(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    (tmp_path / ".env.keys").unlink()
    digits = dotenvx.private_key().text.reveal()
    rotate(tmp_path, {dotenvx.PRIVATE_NAME: digits})
    assert private_keys(tmp_path)[1:] == [digits]
    assert values(tmp_path) == dotenvx.EXPECTED


def test_file_below_a_link_is_rotated(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    dotenvx.write_pair(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    rotate(tmp_path / "link")
    assert values(tmp_path / "link") == values(tmp_path / "real") == dotenvx.EXPECTED
    assert drop(tmp_path / "link") == 1


def test_key_file_that_is_a_link_is_not_replaced(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    (tmp_path / ".env.keys").rename(tmp_path / "keys")
    (tmp_path / ".env.keys").symlink_to("keys")
    before = contents(tmp_path)
    with pytest.raises(LinkRefusedError):
        rotate(tmp_path)
    assert contents(tmp_path) == before


def no_key(root: Path) -> None:
    (root / ".env.keys").unlink()


def another_key(root: Path) -> None:
    dotenvx.write_keys(root, f"{dotenvx.PRIVATE_NAME}={generate().text.reveal()}\n")


def exposed_keys(root: Path) -> None:
    (root / ".env.keys").chmod(0o640)


def altered_value(root: Path) -> None:
    file = root / NAME
    file.write_text(file.read_text().replace("BPt6Sjt8", "BPt6Sjt9"))


def value_of_another_key(root: Path) -> None:
    with (root / NAME).open("a") as file:
        file.write(f"OTHER='{encrypt('x', generate().public_key())}'\n")


def no_public_key(root: Path) -> None:
    (root / NAME).write_text("A=1\n")


def two_public_keys(root: Path) -> None:
    with (root / NAME).open("a") as file:
        file.write(f"DOTENV_PUBLIC_KEY_DEV={generate().public_key()}\n")


def merge_conflict(root: Path) -> None:
    with (root / NAME).open("a") as file:
        file.write("<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> theirs\n")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (no_key, PrivateKeyMissingError),
        (another_key, KeyInvalidError),
        (exposed_keys, KeyFileExposedError),
        (altered_value, UnreadableValueError),
        (value_of_another_key, UnreadableValueError),
        (no_public_key, KeyInvalidError),
        (two_public_keys, KeyInvalidError),
        (merge_conflict, DotenvError),
    ],
)
def test_key_of_a_file_with_a_problem_is_not_rotated(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[EnvkitError]
) -> None:
    dotenvx.write_pair(tmp_path)
    spoil(tmp_path)
    before = contents(tmp_path)
    for change in (rotate, drop):
        with pytest.raises(error):
            change(tmp_path)
        assert contents(tmp_path) == before


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_key_file_keeps_its_owner_when_root_rotates_the_key() -> None:
    with folder_of_nobody() as root:
        dotenvx.write_pair(root)
        os.chown(root / ".env.keys", *root.stat()[4:6])
        rotate(root)
        assert (root / ".env.keys").stat().st_uid == root.stat().st_uid


def test_damaged_copy_is_named_when_old_keys_are_dropped(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    rotate(tmp_path)
    copy = tmp_path / f"{NAME}.envkit-previous"
    copy.write_text(re.sub("(API_KEY=.encrypted:).{9}", r"\1", copy.read_text()))
    with pytest.raises(CiphertextError, match=rf"^{re.escape(str(copy))}:\d+: API_KEY is cut off"):
        drop(tmp_path)


def test_nothing_is_lost_on_a_full_disk(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk") as disk:
        dotenvx.write_pair(disk.folder)
        disk.fill()
        for change in (rotate, drop):
            with contextlib.suppress(EnvkitError, OSError):
                change(disk.folder)
                assert change is drop  # it had nothing to do
            assert values(disk.folder) == dotenvx.EXPECTED
        disk.free()
        rotate(disk.folder)
        assert values(disk.folder) == dotenvx.EXPECTED


def test_read_only_folder_is_refused_before_anything_changes() -> None:
    with folder_of_nobody() as root:
        dotenvx.write_pair(root)
        for path in root.iterdir():
            os.chown(path, *root.stat()[4:6])
        root.chmod(0o555)
        before = contents(root)
        with as_nobody():
            for change in (rotate, drop):
                with pytest.raises((PermissionError, EnvkitError)):
                    change(root)
        assert contents(root) == before
        root.chmod(0o700)


def kill_everywhere(folder: str) -> None:
    """Kill `rotate` and `drop` at each operation on a file; every time, all values can be read."""
    root = Path(folder) / "project"
    report = str(Path(folder) / "report")
    os.fsync = lambda _: None  # a kill is no power failure
    for number in range(1, 400):
        root.mkdir(exist_ok=True)
        for path in root.iterdir():
            path.unlink()
        dotenvx.write_pair(root)
        child = os.fork()
        if not child:
            die_at(str(root), number, report)
            rotate(root)
            drop(root)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert values(root) == dotenvx.EXPECTED, number
        if number % 5 == 0:
            rotate(root)
            assert values(root) == values(root, "previous") == dotenvx.EXPECTED, number
            drop(root)
            assert len(private_keys(root)) == 1, number
            assert sorted(contents(root)) == [".env.keys", NAME, f"{NAME}.envkit-previous"], number
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            assert number > 60, "the operations were not counted"
            return
    raise AssertionError("the process did not come to its end")


def test_process_killed_anywhere_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    assert run_spawned((kill_everywhere, str(tmp_path))) == [0]


def many_rotations(folder: str) -> None:
    rotate(folder)


def test_concurrent_rotations_leave_a_file_that_can_be_read(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    assert run_spawned(*[(many_rotations, str(tmp_path))] * 4) == [0] * 4
    assert len(private_keys(tmp_path)) == 5
    assert values(tmp_path) == dotenvx.EXPECTED
