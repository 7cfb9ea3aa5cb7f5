"""Files that envkit encrypts are read by the real dotenvx, and the other way round."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from envkit._internal.clock import Deadline
from envkit.encryption.env_file import set_encrypted, with_public_key
from envkit.encryption.keys import generate, variable_names
from envkit.encryption.rotate_key import rotate_key
from envkit.profile.placeholder import Reference
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Reading, SourceContext
from support import dotenvx
from support.pages import ROOT

pytestmark = pytest.mark.extra

MODULES = ROOT / ".venv" / "node_modules"
PROGRAM = MODULES / ".bin" / "dotenvx"
MANY = 300
FILES = (".env", ".env.prod", ".env.prod.local", ".env.ci", ".env1")
# encrypts each value of a JSON object to a public key, as the command line does
ENCRYPT = """
const { encrypt } = require(process.argv[1])
const values = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const sealed = Object.entries(values).map(([key, text]) => [key, encrypt(process.argv[2], text)])
console.log(JSON.stringify(Object.fromEntries(sealed)))
"""


def run(folder: Path, *command: object, text: str = "", **env: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOTENVX_NO_OPS": "true", **env}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environ,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_by_dotenvx(folder: Path, file: str, **env: str) -> dict[str, str]:
    assert PROGRAM.exists(), "no dotenvx: run 'make test-extra', which installs it"
    options = ("--no-armor", "--no-native")
    found: dict[str, str] = json.loads(run(folder, PROGRAM, "get", "-f", file, *options, **env))
    return {name: text for name, text in found.items() if not name.startswith("DOTENV_")}


def source(folder: Path, file: str, environ: dict[str, str] | None = None) -> DotenvSource:
    context = SourceContext(
        "dotenv",
        settings={"path": file},
        root=str(folder),
        environ=environ or {},
        deadline=Deadline(15),
    )
    return DotenvSource(context)


def read_by_envkit(
    folder: Path, file: str, names: list[str], environ: dict[str, str] | None = None
) -> dict[str, str]:
    refs = {name: Reference("dotenv", "", name) for name in names}
    outcomes = source(folder, file, environ).fetch(refs.values())
    found = {}
    for name, ref in refs.items():
        outcome = outcomes[ref]
        assert isinstance(outcome, Reading), outcome
        found[name] = outcome.value.reveal()
    return found


def random_values(seed: int) -> dict[str, str]:
    """Return values of any length and any characters, also those with a meaning elsewhere."""
    chance = random.Random(seed)
    special = "'\"`$(){}\\#= \n\t\r!~%&*|<>;é✓😀\u2028"
    common = "".join(map(chr, range(32, 127)))

    def text() -> str:
        letters = chance.choice((special, common, special + common))
        return "".join(chance.choices(letters, k=chance.choice((0, 1, 5, 40, 400))))

    return {f"V{number}": text() for number in range(MANY)}


def test_dotenvx_reads_what_envkit_encrypts(tmp_path: Path) -> None:
    wanted, key = random_values(1), generate()
    public, private = variable_names(".env.prod")
    text = with_public_key("", public, key.public_key(), path=".env.prod")
    for name, value in wanted.items():
        text = set_encrypted(text, name, value, key.public_key(), path=".env.prod")
    (tmp_path / ".env.prod").write_text(text)
    dotenvx.write_keys(tmp_path, f"{private}={key.text.reveal()}\n")
    assert read_by_dotenvx(tmp_path, ".env.prod") == wanted


def test_envkit_reads_what_dotenvx_encrypts(tmp_path: Path) -> None:
    wanted, key = random_values(2), generate()
    public = str(key.public_key())
    module = MODULES / "@dotenvx" / "primitives"
    out = run(tmp_path, "node", "-e", ENCRYPT, module, public, text=json.dumps(wanted))
    lines = [f"{name}='{sealed}'\n" for name, sealed in json.loads(out).items()]
    (tmp_path / ".env.prod").write_text("".join([f'DOTENV_PUBLIC_KEY_PROD="{public}"\n', *lines]))
    environ = {"DOTENV_PRIVATE_KEY_PROD": key.text.reveal()}
    assert read_by_envkit(tmp_path, ".env.prod", list(wanted), environ) == wanted


@pytest.mark.parametrize("file", FILES)
def test_each_reads_the_files_of_the_other_for_every_environment(tmp_path: Path, file: str) -> None:
    """The names of the keys follow from the file's name, in both programs."""
    path = tmp_path / file
    path.write_text("A=1\nB='two words'\nC_PLAIN=x\nD=`in backticks`\nE=x#note\n")
    run(tmp_path, PROGRAM, "encrypt", "-f", file, "--no-armor", "--no-native")
    names = variable_names(file)
    written = dotenvx.written(path.read_text())
    keys = dotenvx.written((tmp_path / ".env.keys").read_text())
    assert names.public in written
    assert list(keys) == [names.private]
    wanted = {"A": "1", "B": "two words", "C_PLAIN": "x", "D": "in backticks", "E": "x"}
    assert read_by_envkit(tmp_path, file, list(wanted)) == wanted
    (tmp_path / ".env.keys").unlink()
    assert read_by_envkit(tmp_path, file, list(wanted), keys) == wanted
    assert read_by_dotenvx(tmp_path, file, **keys) == wanted


def test_dotenvx_reads_a_file_after_its_key_was_rotated(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    owner = source(tmp_path, ".env.production")
    decrypter = owner.decrypter(".env.production")
    rotate_key(decrypter, *owner.places(".env.production"), timeout_seconds=15)
    assert read_by_dotenvx(tmp_path, ".env.production") == dotenvx.EXPECTED


def test_envkit_reads_what_dotenvx_sets_in_its_file(tmp_path: Path) -> None:
    dotenvx.write_pair(tmp_path)
    options = ("-f", ".env.production", "--no-armor", "--no-native")
    run(tmp_path, PROGRAM, "set", "NEW", "a 'quoted' $value", *options)
    names = [*dotenvx.EXPECTED, "NEW"]
    assert read_by_envkit(tmp_path, ".env.production", names) == {
        **dotenvx.EXPECTED,
        "NEW": "a 'quoted' $value",
    }
