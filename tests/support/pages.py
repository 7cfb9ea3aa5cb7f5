"""Run the commands on a page of the documentation, and compare their output.

A page is one session in a new project, from top to bottom:

    ```toml profiles/dev.toml      a block with a file name is that file from here on
    ```dotenv .env.dev             (0600, as such a file should be)
    ```console                     commands after `$ `, continued after `> `, and their output
    ```terminal                    envkit commands after `$ `, at a terminal where answers are typed
    ```toml                        without a file name: a profile, which must load, with its sources

Each `console` block is a new shell. `...` in an output matches any text.
`yaml` must be YAML. Other blocks (`sh`, `text`) cannot be run here, and are ignored.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from envkit._internal.clock import Deadline
from envkit.profile.loader import load
from envkit.sources.registry import open_source
from support.terminal import run_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
# if it is set, tests write the output of commands into the pages and transcripts
REWRITING = bool(os.environ.get("UPDATE_TRANSCRIPTS"))
MARK = "<!-- what this page shows is run by "
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block; `line` is its first line in the page."""

    language: str
    file: str
    text: str
    line: int


class Shown(NamedTuple):
    """One command of a `console` block, and its output on the page."""

    command: str
    output: str


def pages_run_by(test: str) -> list[Path]:
    """Return the pages whose first line names this test module."""
    found = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [page for page in found if f"{MARK}{test} -->" in page.read_text(encoding="utf-8")]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        language, file, body = match.groups()
        yield Block(language, file or "", body, text.count("\n", 0, match.start()) + 1)


def tell(
    page: Path,
    root: Path,
    environ: Mapping[str, str] | None = None,
    places: Mapping[str, str] | None = None,
    typed: Sequence[tuple[str, str | Callable[[], str]]] = (),
) -> list[str]:
    """Run a page, and return where the output differs from the page.

    Args:
        page: its file.
        root: an empty folder for the project; created if it does not exist.
        environ: the environment of the commands, in addition to PATH, LANG and HOME.
        places: texts that differ between runs, and their names on the page.
        typed: the answers at the terminal, as for `run_on_terminal`.
    """
    wrong = []
    left = list(typed)
    root.mkdir(exist_ok=True)
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        if block.file:
            path = root / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if page != ROOT / "README.md":  # a reader may paste it under any umask
                path.chmod(0o600 if path.name.startswith(".env") else 0o644)
        elif block.language == "toml":
            _load(block.text, root.parent / "loaded")
        elif block.language == "yaml":
            yaml.safe_load(block.text)
        elif block.language in ("console", "terminal"):
            shown = commands(block.text)
            if block.language == "console":
                outputs = run(shown, root, environ or {})
            else:
                outputs = [_run_at_terminal(one, root, environ or {}, left) for one in shown]
            for one, output in zip(shown, outputs, strict=True):
                told = _with_names(output, places or {})
                if not same(one.output, told):
                    wrong.append(f"{place}: $ {one.command}\n{told}")
                    if REWRITING:
                        _rewrite(page, one.output, told)
    return wrong


def _rewrite(page: Path, shown: str, told: str) -> None:
    """Write the output into the page; do not change lines that match or contain `...`."""
    old, new = shown.splitlines(keepends=True), told.splitlines(keepends=True)
    if len(old) == len(new):
        new = [was if "..." in was else now for was, now in zip(old, new, strict=True)]
    elif "..." in shown or not shown:
        return
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(f"\n{shown}", "\n" + "".join(new)), encoding="utf-8")


def follow(page: str | Path, root: Path, *more: Any) -> None:
    """Run a page of the repository; `more` is as for `tell`."""
    wrong = tell(ROOT / page, root, *more)
    assert not wrong, "\n".join(wrong)


def commands(text: str) -> list[Shown]:
    """Return the commands of a `console` block."""
    found: list[Shown] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Shown(line[2:].rstrip("\n"), ""))
        elif line.startswith("> ") and not found[-1].output:
            found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line[2:-1]}")
        else:
            found[-1] = found[-1]._replace(output=found[-1].output + line)
    return found


def run(shown: list[Shown], root: Path, environ: Mapping[str, str]) -> list[str]:
    """Run commands in one shell, and return the output of each, with both streams interleaved."""
    steps = [f"(exit $status)\n{one.command}\nstatus=$?; printf '\\0'\n" for one in shown]
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    path = (str(Path(sys.executable).parent), environ.get("PATH"), os.environ["PATH"])
    done = subprocess.run(
        ["bash", "-c", "status=0\n" + "".join(steps)],
        cwd=root,
        # a reader has a terminal, where envkit asks
        env={
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "ENVKIT_TRUST": "1",
            **environ,
            "PATH": ":".join(filter(None, path)),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        timeout=60,
        check=False,
    )
    outputs = done.stdout.split("\0")[:-1]
    return [text + "\n" if text and not text.endswith("\n") else text for text in outputs]


def _run_at_terminal(
    shown: Shown,
    root: Path,
    environ: Mapping[str, str],
    left: list[tuple[str, str | Callable[[], str]]],
) -> str:
    """Run one command at a terminal, and return what it shows; use up the answers to it."""
    program, *arguments = shlex.split(shown.command)
    assert program == "envkit", shown.command
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    env = {"ENVKIT_TRUST": "1", **environ, "HOME": str(home), "COLUMNS": "400"}
    env["PATH"] = os.environ["PATH"]
    asked = [one for one in left if one[0] in shown.output]
    del left[: len(asked)]
    return run_on_terminal(*arguments, cwd=root, env=env, answers=asked)[0]


def same(expected: str, actual: str) -> bool:
    """Whether an output matches the page."""
    pattern = re.escape(expected).replace(r"\.\.\.", ".*?")
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def _with_names(output: str, places: Mapping[str, str]) -> str:
    for place, name in places.items():
        output = output.replace(place, name)
    return output


class _Everything(dict[str, str]):
    """An environment in which every variable is set."""

    def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
        return key


def _load(text: str, folder: Path) -> None:
    """Load a profile and open its sources, which asks no store."""
    folder.mkdir(exist_ok=True)
    (folder / "example.toml").write_text(text, encoding="utf-8")
    profile = load("example", str(folder))
    for name in profile.sources:
        open_source(profile, name, environ=_Everything(), deadline=Deadline(1))
