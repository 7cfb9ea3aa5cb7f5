"""A value that nobody may see, sent through every command, and looked for everywhere.

Each case says where the value comes from, what is run, and where it may come out: nowhere,
unless said. Looked at are stdout, stderr, the arguments of the processes, and every file
that was made or changed: in the project, in HOME and in TMPDIR. Everything runs with
ENVKIT_DEBUG and without, and with a umask that protects nothing.

A store is added by giving `CASES` one whose profile reads the canary from it.
"""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support.terminal import run_on_terminal

CANARY = "canary-4f1c9e7b2a"
# as it is, and as it would look in a log of requests or a dump of bytes
ENCODED = (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex(), CANARY[::-1])


class Case(NamedTuple):
    """One command.

    Attributes:
        arguments: of envkit; the environment is `prod`.
        variables: the `[variables]` of its profile, after the canary's own.
        dotenv: what `.env.prod` holds.
        status: the exit status.
        told: a part of what comes on stderr, so that a case does not pass by failing early.
        shows: where the canary may be: `stdout`, `stderr`, or the name of a 0600 file.
    """

    arguments: tuple[str, ...]
    variables: str = ""
    dotenv: str = f"SECRET={CANARY}\n"
    status: int = 0
    told: str = ""
    shows: tuple[str, ...] = ()
    env: dict[str, str] = {}  # noqa: RUF012 - never changed


EXEC = ("exec", "--env", "prod", "--", "true")


def wrong(variable, told, status=3):
    return Case(EXEC, variables=variable, status=status, told=told)


CASES = {
    # what succeeds
    "exec": Case(EXEC),
    "exec, and the app is what shows it": Case(
        ("exec", "-e", "prod", "--", "sh", "-c", "echo $SECRET"), shows=("stdout",)
    ),
    "dry run": Case(("exec", "-e", "prod", "--dry-run")),
    "get": Case(("get", "SECRET", "-e", "prod"), shows=("stdout",)),
    "get of another one": Case(("get", "OTHER", "-e", "prod"), variables='OTHER = "x"'),
    "export": Case(("export", "-e", "prod"), shows=("stdout",)),
    "export for GitHub, masked in the log": Case(
        ("export", "-e", "prod", "-f", "github"), shows=("stdout", "stderr")
    ),
    "export to a file": Case(("export", "-e", "prod", "-o", "out.env"), shows=("out.env",)),
    "show": Case(("show", "-e", "prod"), variables='URL = "https://x:{{ SECRET }}@x"'),
    "show as JSON": Case(("show", "-e", "prod", "-f", "json"), variables='URL = "{{ SECRET }}"'),
    "show what is revealed": Case(("show", "-e", "prod", "--reveal", "--yes"), shows=("stdout",)),
    "doctor": Case(("doctor",)),
    "doctor as JSON": Case(("doctor", "-e", "prod", "-f", "json")),
    "init": Case(("init",)),
    "help": Case(("exec", "--help"), env={"ENVKIT_ENV": CANARY}),
    "diff": Case(("diff", "prod", "file:.env.prod", "--all")),
    "diff as a page": Case(("diff", "prod", "prod@2020-01-01", "-f", "html"), status=5),
    "diff that is revealed": Case(
        ("diff", "prod", "prod", "--all", "--reveal", "--yes"), shows=("stdout",)
    ),
    "help of a typed command": Case(("show", "--help"), env={"ENVKIT_ENV": CANARY}),
    "completion": Case(
        (), env={"_ENVKIT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "envkit get "}
    ),
    "check": Case(("check", "--all"), variables='URL = "https://x:{{ SECRET }}@x"'),
    "check of a secret in a profile": Case(
        ("check", "--code", "."), variables=f'DB_PASSWORD = "{CANARY}"', status=1
    ),
    "check as SARIF, into a file": Case(
        ("check", "-f", "sarif", "-o", "check.sarif"),
        variables=f'P = {{ value = "{CANARY}", type = "port" }} # sk_test_{CANARY}',
        status=1,
        told="see check.sarif",
    ),
    # what a value is not
    "not of its type": wrong('P = { value = "{{ SECRET }}", type = "port" }', "is not a port"),
    "not a number": wrong('P = { value = "{{ SECRET }}", type = "float" }', "is not a number"),
    "not JSON": wrong('P = { value = "{{ SECRET }}", type = "json" }', "is not JSON"),
    "not a URL": wrong('P = { value = "http://[{{ SECRET }}", type = "url" }', "is not a URL"),
    "not a duration": wrong('P = { value = "{{ SECRET }}", type = "duration" }', "a duration"),
    "not base64": wrong('P = { value = "{{ SECRET }}", type = "base64" }', "is not base64"),
    "not a choice": wrong('P = { value = "{{ SECRET }}", choices = ["a"] }', "the choices: a"),
    "not of the pattern": wrong('P = { value = "{{ SECRET }}", pattern = "^sk_" }', "^sk_"),
    "too long": wrong('P = { value = "{{ SECRET }}", max = 3 }', "above the maximum"),
    "no JSON for a filter": wrong('P = "{{ SECRET | json:/a }}"', "JSON"),
    "no base64 for a filter": wrong('P = "{{ SECRET | base64decode }}"', "base64"),
    "a NUL": wrong('P = "{{ env:B64 | base64decode }}"', "contains a NUL")._replace(
        env={"B64": base64.b64encode(f"\0{CANARY}".encode()).decode()}
    ),
    "more than the kernel takes": Case(
        EXEC,
        variables='LONG = "{{ SECRET }}"',
        dotenv=f"SECRET='{CANARY * 9000}'\n",
        status=126,
        told="131,071",
    ),
    "more than a format takes": Case(
        ("export", "-e", "prod", "-f", "docker"),
        dotenv=f'SECRET="a\\n{CANARY}"\n',
        status=3,
        told="docker",
    ),
    # files that cannot be read
    "a line that is no definition": Case(
        EXEC, dotenv=f"SECRET=x\n{CANARY} is no definition\n", status=3, told=".env.prod:2"
    ),
    "an open quotation mark": Case(
        EXEC, dotenv=f"SECRET='{CANARY}\n", status=3, told=".env.prod:1"
    ),
    "a broken line, looked at": Case(("doctor",), dotenv=f"{CANARY} x\n", status=1),
    "a broken line, shown": Case(
        ("show", "-e", "prod"), dotenv=f"{CANARY} x\n", status=3, told=".env.prod:1"
    ),
    "what looks like a placeholder": Case(
        ("exec", "-e", "prod", "--", "true"), dotenv=f"SECRET='{{{{ {CANARY} | }}}}'\n"
    ),
    "an open placeholder": wrong(f'P = "{CANARY} {{{{ x"', "no '}}'"),
    "a profile that is no TOML": wrong(f'P = "{CANARY}', "not valid TOML"),
    # the command line itself is public; nothing of it is said again
    "--set of a wrong type": Case(
        ("exec", "-e", "prod", "--set", f"P={CANARY}", "--", "true"),
        variables='P = { value = "1", type = "int" }',
        status=3,
        told="is not a whole number",
    ),
    "--set without a name": Case(
        ("exec", "-e", "prod", "--set", CANARY, "--", "true"), status=2, told="NAME=VALUE"
    ),
    # what the app cannot be
    "no such program": Case(("exec", "-e", "prod", "--", "nosuch"), status=127, told="nosuch"),
    # a store that is away, and what is said to it
    "a token, and no server": Case(
        ("exec", "-e", "prod", "--timeout", "0.2", "--", "true"),
        variables='P = "{{ vault:secret/a#b }}"',
        env={"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": CANARY},
        status=5,
        told="P (profiles/prod.toml:3)",
    ),
    "a token, and no server, looked at": Case(
        ("doctor", "--timeout", "0.2"),
        variables='P = "{{ vault:secret/a#b }}"',
        env={"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": CANARY},
        status=1,
    ),
}


def run(case, project, tmp_path, *, debug):
    env = {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "ENVKIT_DEBUG": "1" if debug else "",
        **case.env,
    }
    return project.run(*case.arguments, env=env, umask=0)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def has_canary(text):
    return any(form in text for form in ENCODED)


@pytest.fixture
def prod(project, tmp_path):
    """Write the profile of a case; its folder is in `tmp_path`, like HOME and TMPDIR."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()

    def write(case):
        project.profile(
            "prod.toml", f'[variables]\nSECRET = "{{{{ SECRET }}}}"\n{case.variables}\n'
        )
        project.dotenv("prod", case.dotenv)
        return project

    return write


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_canary_comes_out_where_it_was_asked_for_and_nowhere_else(prod, tmp_path, case, debug):
    project = prod(case)
    before = contents(tmp_path)
    done = run(case, project, tmp_path, debug=debug)
    assert done.returncode == case.status, done.stderr.replace(CANARY, "CANARY")
    assert case.told in done.stderr, done.stderr.replace(CANARY, "CANARY")
    for stream in ("stdout", "stderr"):
        shown = has_canary(getattr(done, stream))
        assert shown is (stream in case.shows), f"{stream}: the canary is {shown=}"
    for path, content in contents(tmp_path).items():
        if before.get(path) == content or not has_canary(content.decode("latin-1")):
            continue
        assert path.name in case.shows, f"the canary is in {path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"others can read {path}"


def test_the_canary_is_in_no_arguments_of_a_process(prod):
    project = prod(Case(EXEC))
    command = ("exec", "--env", "prod", "--", "sh", "-c", "echo ready; read -r line")
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", *command],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        folder = Path("/proc") / str(process.pid)
        assert CANARY in (folder / "environ").read_text(), "it is where it belongs"
        assert not has_canary((folder / "cmdline").read_text())
        assert not has_canary("".join(os.readlink(fd) for fd in (folder / "fd").iterdir()))
        process.stdin.close()


@pytest.mark.parametrize("arguments", [("show", "-e", "prod"), ("doctor",), EXEC])
def test_a_terminal_shows_no_more(prod, arguments):
    project = prod(Case(arguments))
    shown, status = run_on_terminal(*arguments, cwd=project.root)
    assert status == 0
    assert not has_canary(shown)


def test_an_export_that_is_interrupted_leaves_nothing_that_others_can_read(prod, tmp_path):
    """A file that cannot be written is one that was never begun."""
    project = prod(Case(EXEC))
    full = Case(("export", "-e", "prod", "-o", "/dev/full"), status=2, told="cannot write")
    done = run(full, project, tmp_path, debug=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert not has_canary(done.stderr)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_mode & 0o077] == [
        project.profiles / "prod.toml"
    ]
