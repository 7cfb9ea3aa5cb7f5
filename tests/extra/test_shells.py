"""bash, dash, zsh and fish with exported names, a failed export, and completions."""

import json
import sys

import pytest

from envkit.launch import reserved_names
from envkit.launch.export import failing_shell_line
from envkit.launch.reserved_names import shell_problem
from support.process import environment, program, run_program

pytestmark = pytest.mark.extra

SHELLS = {
    "bash": ["bash", "--norc"],
    "bash --posix": ["bash", "--posix"],
    "dash": ["dash"],
    "zsh": ["zsh", "-f"],
    "fish": ["fish", "--no-config"],
}
# of an interactive shell, or of a module of zsh that not every shell has loaded
NOT_SEEN_HERE = {
    *("compstate", "epochtime", "errnos", "langinfo", "mapfile", "sysparams"),
    *("BASH_COMPAT", "BASH_XTRACEFD", "IFS"),  # they change how the shell behaves
}
VALUES = ("1000", "some text", "/x/y:/z", "two\nlines", "007")
AFTER = "AFTER_ALL"
LISTED = {
    "bash": ["-c", "compgen -v"],
    "zsh": ["-f", "-c", "zmodload zsh/parameter; print -l ${(k)parameters}"],
    "fish": ["--no-config", "-c", "set -n"],
}


def known_names():
    """All names that a shell has by itself, and those that envkit knows."""
    names = {"PATH", "HOME", "USER", "TZ", "LANG", "FPATH", "MANPATH", "REPLY", "PS1", "TMOUT"}
    for shell, command in LISTED.items():
        names.update(run_program(shell, *command).stdout.split())
    for table in ("_BASH", "_ZSH", "_FISH", "_ZSH_NUMBERS"):
        names |= getattr(reserved_names, table)
    return sorted(name for name in names if name.isidentifier() and name.isascii())


def survives(shell, name, value, tmp_path):
    """Whether a shell gives a variable, and the one after it, to the programs that it starts."""
    quoted = value.replace("'", "'\\''")
    file = tmp_path / "export"
    file.write_text(f"export {name}='{quoted}'\nexport {AFTER}='x'\n")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    script = f". {file}; exec /usr/bin/env -0"
    done = run_program(*SHELLS[shell], "-c", script, env=env, cwd=tmp_path, errors="replace")
    seen = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)
    return seen.get(name) == value and seen.get(AFTER) == "x"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_preserves_every_name_that_envkit_exports(shell, tmp_path):
    lost = [
        (name, value)
        for name in known_names()
        for value in VALUES
        if shell_problem(name, value) is None and not survives(shell, name, value, tmp_path)
    ]
    # the locale itself is changed, with a complaint and the value
    assert [one for one in lost if not one[0].startswith(("LC_", "LANG"))] == []


def test_a_shell_would_lose_every_name_that_envkit_refuses(tmp_path):
    refused = [name for name in known_names() if shell_problem(name, "some text") is not None]
    assert len(refused) > 80
    kept = [
        name
        for name in refused
        if all(survives(shell, name, value, tmp_path) for shell in SHELLS for value in VALUES)
    ]
    settings = {name for name in kept if "fish_" in name}  # of which some stop the reading
    assert set(kept) - settings <= NOT_SEEN_HERE


@pytest.fixture
def in_project(project, tmp_path):
    project.profile(
        "dev.toml",
        '[variables]\nPLAIN = "1"\nDATABASE_URL = { value = "x", description = "Pg: main" }\n'
        'TOKEN = "{{ TOKEN }}"\n',
    )
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "envkit", f'#!/bin/sh\nexec {sys.executable} -m envkit "$@"\n')
    path = f"{tmp_path}/bin:/usr/local/bin:/usr/bin:/bin"

    def run(*command, **more):
        env = {**environment(tmp_path), "PATH": path, "TERM": "dumb"}
        return run_program(*command, cwd=project.root, env=env, **more)

    return run


EXPORT = "envkit export --env dev --format shell"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_ends_when_an_export_fails(shell, in_project):
    done = in_project(*SHELLS[shell], "-c", f'eval "$({EXPORT})"; echo went on')
    assert (done.returncode, done.stdout) == (4, "")
    assert "envkit: export failed, and no variable was set" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_continues_when_an_export_succeeds(shell, in_project):
    script = f'eval "$({EXPORT} --set TOKEN=t)"; echo "went on with $TOKEN"'
    assert in_project(*SHELLS[shell], "-c", script).stdout == "went on with t\n"


@pytest.mark.parametrize("shell", ["bash", "bash --posix", "dash", "zsh"])
def test_an_interactive_shell_stays_open_after_a_failed_export(shell, in_project):
    script = (
        f"eval {json.dumps(failing_shell_line(4)[:-1]).replace('$', chr(92) + '$')}\necho stayed\n"
    )
    done = in_project(*SHELLS[shell], "-i", input=script)
    assert "stayed" in done.stdout


ZPTY = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; fpath=('$1' $fpath); autoload -Uz compinit; compinit -u -D; echo READY''NOW'
zpty -r z out '*READYNOW*'
zpty -n -w z "$2"$'\t\C-a: \C-e; echo DONE""NOW\n'
zpty -r z out '*DONENOW*'
print -r -- "$out"
"""
COMPLETED = [
    ("envkit exe", "envkit exec "),
    ("envkit exec --onl", "envkit exec --only "),
    ("envkit get --env d", "envkit get --env dev "),
    ("envkit get --env=d", "envkit get --env=dev "),
    ("envkit get -ed", "envkit get -edev "),
    ("envkit exec --only DA", "envkit exec --only DATABASE_URL "),
    ("envkit exec --except=P", "envkit exec --except=PLAIN "),
    ("envkit export --format=sy", "envkit export --format=systemd "),
    ("envkit get DA", "envkit get DATABASE_URL "),
]


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_zsh_loads_the_completion_from_fpath(typed, completed, in_project, tmp_path):
    (tmp_path / "fpath").mkdir()
    script = in_project("env", "_ENVKIT_COMPLETE=source_zsh", "envkit").stdout
    (tmp_path / "fpath" / "_envkit").write_text(script)
    done = in_project("zsh", "-f", "-c", ZPTY, "zsh", str(tmp_path / "fpath"), typed)
    assert completed in done.stdout.replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_fish_completes_commands_and_names(typed, completed, in_project):
    script = f"envkit | source; complete -C '{typed}'"
    done = in_project("fish", "--no-config", "-c", f"_ENVKIT_COMPLETE=source_fish {script}")
    offered = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert offered == [completed.split()[-1]]
