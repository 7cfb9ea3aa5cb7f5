"""Projects with many variables, and the command lines that read them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Command
from envkit.encryption.keys import generate, variable_names
from envkit.encryption.values import encrypt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SMALL = 50
PYTHON = sys.executable
BIN = Path(PYTHON).parent

BARE = Command("python -I -S -c pass", (PYTHON, "-I", "-S", "-c", "pass"), {}, app=())


class Project:
    """A folder with profiles and `.env` files, and an otherwise empty environment."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", **environ}
        (folder / "profiles").mkdir(parents=True)

    def profile(self, file_name: str, variables: Mapping[str, str], head: str = "") -> None:
        """Write a profile of either form; `head` is the beginning of a `.toml` profile."""
        if file_name.endswith(".env"):
            lines = [f"{name}={value}" for name, value in variables.items()]
        else:
            lines = [head, "[variables]"]
            lines += [f'{name} = "{value}"' for name, value in variables.items()]
        self._write(f"profiles/{file_name}", lines)

    def dotenv(self, name: str, variables: Mapping[str, str]) -> Path:
        """Write `.env.NAME`."""
        return self._write(f".env.{name}", [f"{key}={text}" for key, text in variables.items()])

    def encrypted(self, name: str, variables: Mapping[str, str]) -> Path:
        """Write `.env.NAME` with encrypted values, and its key into `.env.keys`."""
        key = generate()
        public, private = variable_names(f".env.{name}")
        sealed = {one: f"'{encrypt(text, key.public_key())}'" for one, text in variables.items()}
        self._write(".env.keys", [f"{private}={key.text.reveal()}"])
        return self.dotenv(name, {public: f'"{key.public_key()}"', **sealed})

    def envkit(self, label: str, env: str, **environ: str) -> Command:
        """Return `envkit exec` with one of the profiles."""
        folder = str(self.folder / "profiles")
        argv = (str(BIN / "envkit"), "exec", "--profiles", folder, "--env", env, "--")
        return Command(label, argv, {**self.environ, **environ})

    def fnox(self, label: str, provider: str, places: Mapping[str, str]) -> Iterable[Command]:
        """Return `fnox exec` with one provider and without its daemon, if it is installed."""
        program = peer("fnox")
        if program is None:
            return ()
        lines = [f"[providers.store]\n{provider}", "[secrets]"]
        lines += [
            f'{name} = {{ provider = "store", value = "{place}" }}'
            for name, place in places.items()
        ]
        config = self._write("fnox.toml", lines)
        argv = (program, "--config", str(config), "--no-daemon", "exec", "--")
        return (Command(label, argv, self.environ),)

    def script(self, label: str, name: str, text: str, interpreter: str) -> Command:
        """Return a script of the kind that people write without a tool."""
        return Command(label, (interpreter, str(self._write(name, [text]))), self.environ)

    def _write(self, name: str, lines: Iterable[str]) -> Path:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return path


def values(count: int) -> dict[str, str]:
    """Return variables with values as long as connection strings are."""
    return {
        f"BENCH_{number:05}": f"postgresql://app:secret-{number:05}@db.internal:5432/app"
        for number in range(count)
    }


def peer(program: str) -> str | None:
    """Return the path of another tool; None if it is not installed."""
    return shutil.which(program, path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
