"""Shell completion. For bash, bash itself runs the script that typer generates."""

import json
import os
import subprocess
import sys

import pytest

from support.process import program, run_envkit


@pytest.fixture
def team(project):
    project.profile(
        "dev.toml",
        '[variables]\nNODE_ENV = "development"\n'
        'DATABASE_URL = { value = "x", description = "PostgreSQL" }\n',
    )
    project.profile("staging.env", "NODE_ENV=staging\nONLY_STAGING=1\n")
    project.profile("broken.toml", "this is no TOML")
    return project


@pytest.fixture
def bin_folder(tmp_path):
    """A folder with the tested `envkit`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "envkit", f'#!/bin/sh\nexec {sys.executable} -m envkit "$@"\n')
    return folder


WITH_ENVIRONMENTS = ("exec", "get", "export", "show", "doctor", "access")
COMPLETE = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
complete -p envkit | grep -q -- '-F _envkit_completion' || exit 9
_envkit_completion envkit
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    done = run_envkit(env={"_ENVKIT_COMPLETE": "source_bash"})
    assert done.returncode == 0, done.stderr
    path = tmp_path_factory.mktemp("completion") / "completion.bash"
    path.write_text(done.stdout)
    return path


@pytest.fixture
def complete(team, bin_folder, tmp_path, script):
    path = f"{bin_folder}:/usr/bin:/bin"

    def complete_in_bash(*words, env=None):
        done = subprocess.run(
            ["bash", "--norc", "-c", COMPLETE, "-", script, *words],
            cwd=team.root,
            env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", **(env or {})},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return complete_in_bash


COMMANDS = (
    "exec get export list show diff check scan set unset edit promote history rollback rotate "
    "audit access backup restore env init import doctor trust login logout agent hook"
)
# a typed line up to the cursor, and the completions for bash
COMPLETIONS = [
    ("envkit ", COMMANDS),
    ("envkit ex", "exec export"),
    *((f"envkit {command} --env ", "broken dev staging") for command in WITH_ENVIRONMENTS),
    *((f"envkit {command} --env dev -e s", "staging") for command in WITH_ENVIRONMENTS),
    (
        "envkit exec --",
        (
            "--env --only --except --pristine --set --dry-run --watch --supervise --stop-signal "
            "--stop-timeout --debounce --splay --files --reason --break-glass --timeout --profiles "
            "--help"
        ),
    ),
    ("envkit get --e", "--env"),
    ("envkit env ", "init encrypt decrypt set edit keys rotate-key migrate textconv hook"),
    ("envkit env hook ", "install run"),
    ("envkit env set --env ", "broken dev staging"),
    ("envkit env set --env dev D", "DATABASE_URL"),
    ("envkit env rotate-key --d", "--drop-old"),
    ("envkit backup ", "verify drill"),
    ("envkit backup v", "verify"),
    ("envkit backup --env d", "dev"),
    ("envkit backup --env dev ", ""),
    ("envkit backup --o", "--output"),
    ("envkit restore prod.age --to-env s", "staging"),
    ("envkit restore prod.age --env dev --only D", "DATABASE_URL"),
    ("envkit export --format d", "dotenv docker"),
    ("envkit show --format ", "table json"),
    ("envkit exec --env dev -- ls --", ""),
    ("envkit get ", "DATABASE_URL NODE_ENV ONLY_STAGING"),
    ("envkit get --env dev ", "DATABASE_URL NODE_ENV"),
    ("envkit get --env broken ", ""),
    ("envkit get D", "DATABASE_URL"),
    # bash splits `--env=d` into three words, and completes the part after `=`
    ("envkit get --env = dev D", "DATABASE_URL"),
    ("envkit exec --env = dev --only = N", "NODE_ENV"),
    # and one where the user took `=` out of COMP_WORDBREAKS
    ("envkit export --env=dev --format=d", "--format=dotenv --format=docker"),
    ("envkit get -ed", "-edev"),
    ("envkit show --except D", "DATABASE_URL"),
    ("envkit promote --from dev --only D", "DATABASE_URL"),
    ("envkit exec -- app --env=d", ""),
    ("envkit exec --watch = r", "restart run:"),
    ("envkit exec --watch --env d", "dev"),
    ("envkit exec --watch = signal --env = d", "dev"),
]


@pytest.mark.parametrize(("typed", "offered"), COMPLETIONS)
def test_bash_completes_commands_options_and_names(complete, typed, offered):
    assert complete(*typed.split(" ")) == offered.split()


def test_completion_offers_the_variables_of_the_default_environment(complete):
    offered = complete("envkit", "get", "", env={"ENVKIT_ENV": "staging"})
    assert offered == ["NODE_ENV", "ONLY_STAGING"]


ROTATIONS = """\
[rotation.db-password]
secret = "dotenv:DB"
rotator = "random"
every = "30d"
[rotation.api-key]
secret = "dotenv:KEY"
rotator = "random"
every = "30d"
"""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", "api-key db-password prod/api-key prod/db-password serve simulate status"),
        ("d", "db-password"),
        ("--env prod --plan prod/d", "prod/db-password"),
        ("--env ", "broken dev prod staging"),
        ("s", "serve simulate status"),
        *((f"{command} --env p", "prod") for command in ("status", "simulate", "serve")),
        ("status --format ", "table json html"),
        ("serve --l", "--listen"),
        ("--r", "--rollback --resume --retire --reason"),
    ],
)
def test_bash_completes_the_names_of_rotations(team, complete, typed, offered):
    team.profile("prod.toml", ROTATIONS)
    assert complete("envkit", "rotate", *typed.split(" ")) == offered.split()


def test_completion_without_profiles_offers_nothing_and_does_not_fail(tmp_path):
    for words in ("envkit get ", "envkit exec --env ", "envkit nope ", "envkit nope --y "):
        env = {"_ENVKIT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}
        done = run_envkit(cwd=tmp_path, env=env)
        assert (done.stdout, done.stderr, done.returncode) == ("_files\n", "", 0)


def test_zsh_and_fish_completions_have_descriptions(team):
    asked = {"_TYPER_COMPLETE_ARGS": "envkit get --env dev "}
    done = team.run(env={**asked, "_ENVKIT_COMPLETE": "complete_zsh"})
    assert '"DATABASE_URL":"PostgreSQL"' in done.stdout
    fish = {**asked, "_ENVKIT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert team.run(env=fish).stdout.splitlines() == ["DATABASE_URL\tPostgreSQL", "NODE_ENV"]


# zsh's `_arguments` evaluates the pairs that it gets
AS_ZSH_DOES = """\
_arguments() { pairs=${1#*((}; eval "words=( ${pairs%))} )"; printf '%s\\n' "${words[@]}"; }
eval $("$@")
"""
HOSTILE = (
    r"\$(touch ran)",
    r"\`touch ran\`",
    r"$(touch ran) `touch ran`",
    '"; touch ran; "',
    r"\";touch ran;\"",
    "')); touch ran; (('",
    "x" * 79 + "$(touch ran)",  # rich would break the line behind the typer's backslash
    "\\",
    "two\nlines; touch ran",
    "[/docs] [bold]",  # rich's markup
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_zsh_does_not_execute_a_completion_description(team, hostile):
    """zsh evaluates descriptions, and the profiles of a cloned repository are written by others."""
    team.profile(
        "dev.toml", f'[variables]\nA = {{ value = "x", description = {json.dumps(hostile)} }}\n'
    )
    asked = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "_TYPER_COMPLETE_ARGS": "envkit get --env dev ",
        "_ENVKIT_COMPLETE": "complete_zsh",
    }
    envkit = [sys.executable, "-m", "envkit"]
    done = subprocess.run(
        ["bash", "--norc", "-c", AS_ZSH_DOES, "-", *envkit],
        cwd=team.root,
        env=asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (team.root / "ran").exists(), f"completing ran a command: {done.stdout}"
    assert done.stderr == ""
    assert done.stdout.startswith("A")


def test_zsh_completion_file_begins_with_its_compdef_line():
    """zsh recognises a completion file of `fpath` by its first line alone."""
    done = run_envkit(env={"_ENVKIT_COMPLETE": "source_zsh"})
    assert done.stdout.splitlines()[0] == "#compdef envkit"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell):
    done = run_envkit(env={"_ENVKIT_COMPLETE": f"source_{shell}"})
    assert done.returncode == 0
    assert f"_ENVKIT_COMPLETE=complete_{shell}" in done.stdout


def test_completion_installs_itself_for_the_shell_that_asks(bin_folder, tmp_path):
    """Run from bash, as a user would; typer detects the shell."""
    home = tmp_path / "home"
    home.mkdir()
    env = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    commands = "envkit --show-completion; envkit --install-completion; true"
    done = subprocess.run(
        ["bash", "--norc", "-c", commands], env=env, capture_output=True, text=True, check=True
    )
    assert "complete -o default -F _envkit_completion envkit" in done.stdout, done.stderr
    assert (
        "_ENVKIT_COMPLETE=complete_bash" in (home / ".bash_completions" / "envkit.sh").read_text()
    ), done.stdout
    assert "envkit.sh" in (home / ".bashrc").read_text()
