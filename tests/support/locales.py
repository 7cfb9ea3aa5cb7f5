"""One session of commands with text that is not ASCII, to compare locales.

The answer is the same in every locale: envkit's text is UTF-8.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from support.process import environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UTF8 = {"LC_ALL": "C.UTF-8"}
RAW = bytes(range(1, 256))  # every byte that a variable or an argument can contain
MIXED = "pä€漢🔑".encode() + b"\xe4\xff\x81\x5c"  # ends with half of a character

PROFILE = """
[sources.dotenv]
path = "wërte €.env"

[variables]
RAW = "{{ env:RAW }}"
MIXED = "{{ env:MIXED }}"
TOKEN = "{{ TOKEN }}"
URL = "https://ü:{{ TOKEN | urlencode }}@ß"
NOTE = { value = "größe", description = "Größe in € 漢" }

[rotation.key]
secret = "dotenv:KEY"
rotator = "command"
every = "30d"
grace = "1h"
target = { command = ["./rotâte"], settings = { "schlüssel" = "ä€" } }
after = [["./hôok", "ä€漢"]]
environment = ["MIXED"]
"""
OTHER = """
[variables]
TOKEN = "{{ TOKEN }}"
NOTE = "größer"
"""
_TEXT = ("--except", "RAW", "--except", "MIXED")
_PRINT = 'printf "%s\\n" "$RAW" "$MIXED" "$TOKEN" "$URL" "$NOTE" "$SET" "$1" "$2"; pwd'
# commands, with their stdin
COMMANDS: tuple[tuple[tuple[str | bytes, ...], bytes], ...] = (
    (("exec", "--set", "SET=ü€漢", "--", "sh", "-c", _PRINT, "sh", RAW, MIXED), b""),
    (("exec", "--set", b"SET=" + MIXED, "--", "sh", "-c", 'printf %s "$SET"'), b""),
    (("get", "RAW"), b""),
    (("get", b"\xe4"), b""),
    *(
        (("export", *_TEXT, "--format", name), b"")
        for name in ("dotenv", "json", "systemd", "github")
    ),
    (("export", "--format", "k8s"), b""),
    (("export", "--format", "shell", "-o", b"aus \xe4"), b""),
    (("show",), b""),
    (("set", "TOKEN"), "zü€漢\n".encode()),
    (("set", "TOKEN", "--reason", "für €", "--from-file", "neu €"), b""),
    (("set", "TOKEN"), b"\xe4\n"),
    (("edit",), b""),
    (("history", "TOKEN"), b""),
    (("rollback", "TOKEN", "--yes"), b""),
    (("unset", "TOKEN", "--env", "unbekannt-€"), b""),
    (("rotate", "key"), b""),
    (("doctor",), b""),
)
WITHOUT_ENV = ("rotate", "unset")
# the key of the fingerprints is random
DIFF = ("diff", "dev", "other", "--format")


class Answer(NamedTuple):
    """The outcome of a command."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes


class Session(NamedTuple):
    """The outcomes of all commands, and the files that they wrote."""

    answers: list[Answer]
    files: dict[bytes, bytes]


def run_session(root: Path, locale: Mapping[str, str]) -> Session:
    """Run all commands in a new project.

    Args:
        root: the folder in which the project is created.
        locale: the environment of the commands beside HOME, PATH and their values.
    """
    folder = os.path.join(os.fsencode(root), b"pr\xe4 \xe2\x82\xac")
    os.makedirs(os.path.join(folder, b"profiles"))
    home = root / "home"
    home.mkdir()
    for name, text in (
        ("profiles/dev.toml", PROFILE),
        ("profiles/other.toml", OTHER),
        ("wërte €.env", "TOKEN='p€漢'\nKEY=alt\n"),
        (".env.other", "TOKEN=ü\n"),
        ("neu €", "nëu"),
        ("edit", '#!/bin/sh\nLC_ALL=C sed -i "s/nëu/ñeu €漢/" "$1"\n'),
        ("rotâte", '#!/bin/sh\ncat > gelesen\nprintf \'{"facts":{"ü":"€"}}\'\n'),
        ("hôok", '#!/bin/sh\nprintf "%s" "$1 $MIXED" > gehört\n'),
    ):
        path = os.path.join(folder, name.encode())
        with open(path, "wb") as file:
            file.write(text.encode())
        os.chmod(path, 0o700)
    environ = {
        **{name.encode(): value.encode() for name, value in environment(home).items()},
        **{name.encode(): value.encode() for name, value in locale.items()},
        b"RAW": RAW,
        b"MIXED": MIXED,
        b"EDITOR": b"./edit",
        b"ENVKIT_TRUST": b"1",
        b"XDG_STATE_HOME": os.fsencode(root / "state"),
    }

    def run(command: tuple[str | bytes, ...], stdin: bytes) -> Answer:
        words = [word.encode() if isinstance(word, str) else word for word in command]
        if words[0].decode() not in (*WITHOUT_ENV, "diff"):
            words[1:1] = [b"--env", b"dev"]
        # without -P, Python looks for modules in the folder, whose name it may not understand
        done = subprocess.run(
            [os.fsencode(sys.executable), b"-Pm", b"envkit", *words],
            cwd=folder,
            env=environ,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        line = b" ".join(words).decode(errors="backslashreplace")
        return Answer(line, done.returncode, _stable(done.stdout, root), _stable(done.stderr, root))

    answers = [run(command, stdin) for command, stdin in COMMANDS]
    answers += [run((*DIFF, name), b"") for name in ("table", "html")]
    files = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not name.endswith(b".envkit-rotation"):
            with open(path, "rb") as file:
                files[name] = _stable(file.read(), root)
    return Session(answers, files)


def _stable(text: bytes, root: Path) -> bytes:
    """Return a text with placeholders for what differs between runs: times, versions, keys."""
    text = text.replace(os.fsencode(root), b"ROOT")
    text = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d\d:\d\d\b( UTC)?", b"TIME", text)
    text = re.sub(
        rb"\b[0-9a-f]{16}-\w+-[0-9a-f]+\b|\b([0-9a-f]{8}|[0-9a-f]{32})\b", b"DIGEST", text
    )
    return re.sub(rb"(?<=^KEY=)\S+", b"NEW", text, flags=re.MULTILINE)


def make_locale(folder: Path, language: str, charset: str) -> dict[str, str]:
    """Create a locale in a folder, and return the environment of a process that uses it."""
    assert shutil.which("localedef"), "no localedef: run 'make test-extra', which installs it"
    name = f"{language}.{charset}"
    command = ["localedef", "--no-warnings=ascii", "-i", language, "-f", charset, folder / name]
    subprocess.run(command, check=True, capture_output=True)
    return {"LC_ALL": name, "LOCPATH": str(folder)}
