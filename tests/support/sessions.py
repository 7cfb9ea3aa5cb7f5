"""Transcripts in `tests/data`: what a person types and sees, apart from the code.

    === a name that nothing has gets a suggestion
    $ envkit get PASWORD --env dev
    2> envkit: error: no variable 'PASWORD' in dev
    2> envkit: hint: did you mean 'PASSWORD'?
    [2]

After `=== ` is the name of a test, after `$ ` a command of bash, after `> ` its continuation. The
output follows in the form of `support.transcript`. ROOT is the project's folder, TMP its parent
folder, V the version of a value, TIME a time. `records KEY...` shows these keys of the audit log.
The folder ../before is a copy of the project, to compare it with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.pages import REWRITING, commands
from support.process import environment
from support.transcript import told
from support.vectors import DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _pytest.mark import ParameterSet

_TITLE = re.compile(r"^=== (.+)\n", re.MULTILINE)
_RECORDS = """\
records() { python -c '
import json, sys
for line in open("state/envkit/audit.jsonl"):
    print(*(json.dumps(json.loads(line)[key]) for key in sys.argv[1:]))' "$@"; }
"""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def sessions(name: str) -> list[ParameterSet]:
    """Return the sessions of `tests/data/NAME.txt` as parameters of a test."""
    _, *parts = _TITLE.split((DATA / f"{name}.txt").read_text("utf-8"))
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [pytest.param(f"{text.rstrip()}\n", id=title) for title, text in pairs]


def replay(project, session: str, names: Mapping[str, str] | None = None) -> str:
    """Run the commands of a session in a project, and return the actual session.

    With UPDATE_TRANSCRIPTS=1 in the environment, the file of the session is rewritten too.

    Args:
        project: the project that the commands run in.
        session: its text, from `sessions`.
        names: texts that differ between runs, and their names in the session.
    """
    shutil.copytree(project.root, project.root.parent / "before")
    seen = "".join(
        "$ " + command.replace("\n", "\n> ") + "\n" + _typed(project, command)
        for command, _ in commands(session)
    )
    for varying, name in (names or {}).items():
        seen = seen.replace(varying, name)
    if REWRITING and seen != session:
        _rewrite(session, seen)
    return seen


def _rewrite(session: str, seen: str) -> None:
    for file in DATA.rglob("*.txt"):
        text = file.read_text("utf-8")
        if f"\n{session}" in text:
            file.write_text(text.replace(f"\n{session}", f"\n{seen}"), "utf-8")


def _typed(project, command: str) -> str:
    root, home = project.root, project.root.parent / "home"
    home.mkdir(exist_ok=True)
    env = {**environment(home), **project.environ}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", _RECORDS + command],
        cwd=root,
        env={**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return _TIME.sub("TIME", told(done, {root: "ROOT", root.parent: "TMP"}))
