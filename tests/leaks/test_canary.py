"""A canary value, sent through every command, appears only where it was requested.

Each case names the source of the value, the command, and where the value may appear: nowhere,
by default. The test searches stdout, stderr, the arguments of the processes, and every file
that was made or changed: in the project, in HOME and in TMPDIR. Everything runs with
ENVKIT_DEBUG and without, and with a umask that protects nothing.

To add a store, add a case to `CASES` whose profile reads the canary from it.
"""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from support.process import started

CANARY = "canary-4f1c9e7b2a"


class Case(NamedTuple):
    """One command.

    Attributes:
        arguments: of envkit, as they are typed; the environment is `prod`.
        variables: the `[variables]` of its profile, after the canary's own.
        dotenv: the content of `.env.prod`.
        status: the exit status.
        told: a part of stderr, so that a case that fails early does not pass.
        shows: where the canary may be: `stdout`, `stderr`, or the name of a 0600 file.
    """

    arguments: str = "exec -e prod -- true"
    variables: str = ""
    dotenv: str = f"SECRET={CANARY}\n"
    status: int = 0
    told: str = ""
    shows: tuple[str, ...] = ()
    env: dict[str, str] = {}  # noqa: RUF012 - never changed


STDOUT = ("stdout",)
FILE = 'F = { value = "{{ SECRET }}", as = "file" }'
URL = 'URL = "https://x:{{ SECRET }}@x"'
AWAY = {
    "variables": 'P = "{{ vault:secret/a#b }}"',
    "env": {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": CANARY},
}
COMPLETION = {"_ENVKIT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "envkit get "}
NUL = base64.b64encode(f"\0{CANARY}".encode()).decode()


def wrong(variable, told, **more):
    return Case(variables=variable, status=3, told=told, **more)


CASES = {
    # successful commands
    "exec": Case(),
    "exec, and the app is what shows it": Case(
        "exec -e prod -- sh -c 'echo $SECRET'", shows=STDOUT
    ),
    "exec, and envkit stays": Case("exec -e prod --watch -- true"),
    "exec, envkit stays, and no such program": Case(
        "exec -e prod --supervise -- nosuch", status=127, told="nosuch"
    ),
    "exec, as a file in memory": Case(variables=FILE),
    "exec, as a file while envkit stays": Case(
        "exec -e prod --files files --watch -- true", variables=FILE
    ),
    "exec, as a file for no such program": Case(
        "exec -e prod --files files -- nosuch", variables=FILE, status=127, told="nosuch"
    ),
    "hook": Case("hook bash"),
    "hook in a project that is not allowed": Case("hook bash --step 1"),
    "dry run": Case("exec -e prod --dry-run"),
    "get": Case("get SECRET -e prod", shows=STDOUT),
    "get of another one": Case("get OTHER -e prod", variables='OTHER = "x"'),
    "export": Case("export -e prod", shows=STDOUT),
    "export for GitHub, masked in the log": Case(
        "export -e prod -f github", shows=("stdout", "stderr")
    ),
    "export to a file": Case("export -e prod -o out.env", shows=("out.env",)),
    "list": Case("list", variables=URL),
    "list as JSON": Case("list -f json", variables=URL),
    "show": Case("show -e prod", variables=URL),
    "show as JSON": Case("show -e prod -f json", variables='URL = "{{ SECRET }}"'),
    "show what is revealed": Case("show -e prod --reveal --yes", shows=STDOUT),
    "doctor": Case("doctor"),
    "doctor as JSON": Case("doctor -e prod -f json"),
    "init": Case("init"),
    "help": Case("exec --help", env={"ENVKIT_ENV": CANARY}),
    "diff": Case("diff prod file:.env.prod --all"),
    "diff as a page": Case("diff prod prod@2020-01-01 -f html", status=5),
    "diff that is revealed": Case("diff prod prod --all --reveal --yes", shows=STDOUT),
    "help of a typed command": Case("show --help", env={"ENVKIT_ENV": CANARY}),
    "completion": Case("", env=COMPLETION),
    "check": Case("check --all", variables=URL),
    "check of a secret in a profile": Case(
        "check --code .", variables=f'DB_PASSWORD = "{CANARY}"', status=1
    ),
    "check as SARIF, into a file": Case(
        "check -f sarif -o check.sarif",
        variables=f'P = {{ value = "{CANARY}", type = "port" }} # sk_test_{CANARY}',
        status=1,
        told="see check.sarif",
    ),
    # values of another type
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
    "a NUL": wrong('P = "{{ env:B64 | base64decode }}"', "contains a NUL", env={"B64": NUL}),
    "more than the kernel takes": Case(
        variables='LONG = "{{ SECRET }}"',
        dotenv=f"SECRET='{CANARY * 9000}'\n",
        status=126,
        told="131,071",
    ),
    "more than a format takes": Case(
        "export -e prod -f docker", dotenv=f'SECRET="a\\n{CANARY}"\n', status=3, told="docker"
    ),
    # files that cannot be read
    "a line that is no definition": Case(
        dotenv=f"A=1\nSECRET: {CANARY}\n", status=3, told=".env.prod:2"
    ),
    "an open quotation mark": Case(dotenv=f"SECRET='{CANARY}\n", status=3, told=".env.prod:1"),
    "a broken line, looked at": Case("doctor", dotenv=f"SECRET: {CANARY}\n", status=1),
    "a broken line, shown": Case(
        "show -e prod", dotenv=f"SECRET='{CANARY}\n", status=3, told=".env.prod:1"
    ),
    "what looks like a placeholder": Case(dotenv=f"SECRET='{{{{ {CANARY} | }}}}'\n"),
    "an open placeholder": wrong(f'P = "{CANARY} {{{{ x"', "no '}}'"),
    "a profile that is no TOML": wrong(f'P = "{CANARY}', "not valid TOML"),
    # the command line itself is public; nothing of it is said again
    "--set of a wrong type": Case(
        f"exec -e prod --set P={CANARY} -- true",
        variables='P = { value = "1", type = "int" }',
        status=3,
        told="is not a whole number",
    ),
    "--set without a name": Case(
        f"exec -e prod --set {CANARY} -- true", status=2, told="NAME=VALUE"
    ),
    # apps that cannot start
    "no such program": Case("exec -e prod -- nosuch", status=127, told="nosuch"),
    # an unreachable store, and the requests to it
    "a token, and no server": Case(
        "exec -e prod --timeout 0.2 -- true", status=5, told="P (profiles/prod.toml:3)", **AWAY
    ),
    "a token, and no server, looked at": Case("doctor --timeout 0.2", status=1, **AWAY),
}


@pytest.fixture
def prod(project, places):
    """Write the profile of a case."""
    places.hidden = [CANARY]

    def write(case):
        variables = f'[variables]\nSECRET = "{{{{ SECRET }}}}"\n{case.variables}\n'
        project.profile("prod.toml", variables)
        project.dotenv("prod", case.dotenv)
        return places

    return write


@pytest.mark.parametrize("debug", ["", "1"], ids=["", "debug"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_canary_appears_only_where_it_was_requested(prod, case, debug):
    places = prod(case)
    before = places.contents().items()
    env = {"ENVKIT_DEBUG": debug, **case.env}
    done = places.project.run(*shlex.split(case.arguments), env=env, umask=0)
    assert done.returncode == case.status, places.masked(done.stderr)
    assert case.told in done.stderr, places.masked(done.stderr)
    streams = {"stdout": done.stdout, "stderr": done.stderr}
    shown = {name for name, text in streams.items() if places.shows(text)}
    assert shown == {name for name in case.shows if name in streams}
    assert places.traces(before) <= {*case.shows}


THROUGH_THE_AGENT = (
    *("exec", "get", "exec, as a file in memory", "more than the kernel takes"),
    *("no JSON for a filter", "a line that is no definition", "a token, and no server"),
)


@pytest.mark.parametrize("case", [CASES[n] for n in THROUGH_THE_AGENT], ids=THROUGH_THE_AGENT)
def test_the_agent_writes_the_canary_neither_to_its_log_nor_to_any_file(prod, case, agent, runtime):
    places = prod(case)
    places.more.append(Path(runtime))
    before = places.contents().items()
    env = {**agent.environ, **places.project.environ, **case.env, "XDG_RUNTIME_DIR": runtime}
    for _ in range(2):
        done = places.project.run(*shlex.split(case.arguments), env=env, umask=0)
        assert done.returncode == case.status, places.masked(done.stderr)
        assert case.told in done.stderr, places.masked(done.stderr)
    assert "started" in agent.log()
    assert places.traces(before) == set()


def test_the_canary_appears_in_no_process_arguments(prod):
    places = prod(Case())
    command = ("exec", "--env", "prod", "--", "sh", "-c", "echo ready; read -r line")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(places.project, *command, **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        folder = Path("/proc") / str(process.pid)
        assert CANARY in (folder / "environ").read_text(), "it is where it belongs"
        places.assert_quiet((folder / "cmdline").read_text())
        places.assert_quiet("".join(os.readlink(fd) for fd in (folder / "fd").iterdir()))
        process.stdin.close()


@pytest.mark.parametrize("arguments", ["show -e prod", "doctor", Case().arguments])
def test_the_canary_appears_on_no_terminal_without_reveal(prod, arguments):
    places = prod(Case())
    shown, status = places.project.on_terminal(*arguments.split())
    assert status == 0
    places.assert_quiet(shown)


def test_an_interrupted_export_leaves_nothing_that_others_can_read(prod, tmp_path):
    """A write that fails leaves no partial file."""
    places = prod(Case())
    export = ("export", "-e", "prod", "-o", "/dev/full")
    done = places.run(*export, env={"ENVKIT_DEBUG": "1"}, status=6)
    assert done.stdout == ""
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_mode & 0o077] == [
        places.project.profiles / "prod.toml"
    ]
