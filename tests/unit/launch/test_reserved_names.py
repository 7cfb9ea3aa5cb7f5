"""Names that a reader reserves are refused; names that only resemble them are not."""

import pytest

from envkit.errors import InvalidValueError
from envkit.launch.export import render
from envkit.launch.reserved_names import github_problem, shell_problem
from envkit.secret import Secret


def words(text):
    return text.split()


KEPT_BY_SHELLS = {
    "UID": "bash and zsh reserve",
    "EUID": "bash and zsh reserve",
    "GID": "zsh reserves",
    "EGID": "zsh reserves",
    "PPID": "bash and zsh reserve",
    "SHELLOPTS": "bash reserves",
    "BASHOPTS": "bash reserves",
    "GROUPS": "bash reserves",
    "RANDOM": "bash and zsh reserve",
    "SECONDS": "bash and zsh reserve",
    "LINENO": "bash and zsh reserve",
    "OPTIND": "bash and zsh reserve",
    "USERNAME": "zsh reserves",
    "ARGV0": "zsh reserves",
    "path": "zsh reserves",
    "fpath": "zsh reserves",
    "commands": "zsh reserves",
    "status": "zsh and fish reserve",
    "history": "zsh and fish reserve",
    "version": "fish reserves",
    "PWD": "fish reserves",
    "MANPATH": "fish reserves",
    "fish_function_path": "fish reserves",
    "SHLVL": "bash, zsh and fish reserve",
    "_": "bash, zsh and fish reserve",
}


@pytest.mark.parametrize("name", KEPT_BY_SHELLS)
def test_a_name_that_a_shell_reserves_is_refused_and_names_the_shell(name):
    told = shell_problem(name, "1000")
    assert told.startswith(f"is a variable that {KEPT_BY_SHELLS[name]}")


def test_the_word_separators_are_refused():
    assert "splits words" in shell_problem("IFS", ",")


@pytest.mark.parametrize(
    "name",
    words(
        "PATH HOME USER SHELL TERM LANG LC_ALL TZ PS1 HISTFILE EDITOR HOSTNAME FPATH uid "
        "Path USER_ID RANDOM_SEED STATUS VERSION COMMANDS GITHUB_SHA NODE_OPTIONS REPLY OLDPWD"
    ),
)
def test_a_name_that_shells_pass_to_programs_is_exported(name):
    assert shell_problem(name, "any text") is None


@pytest.mark.parametrize("path", ["", "/usr/bin\n/bin"])
def test_a_path_that_fish_would_change_is_refused(path):
    assert "fish" in shell_problem("PATH", path)


@pytest.mark.parametrize("name", ["COLUMNS", "LINES", "HISTSIZE", "SAVEHIST", "KEYTIMEOUT"])
@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("1", True),
        ("200", True),
        ("2147483647", True),
        *((text, False) for text in ("", "0", "007", "2+3", "-1", "2147483648", "1 ", "x", "1\n2")),
    ],
)
def test_a_number_variable_of_zsh_is_exported_when_it_is_a_number(name, text, carried):
    assert (shell_problem(name, text) is None) is carried


@pytest.mark.parametrize(
    "name",
    words(
        "GITHUB_SHA GITHUB_REF GITHUB_ENV GITHUB_PATH GITHUB_OUTPUT GITHUB_ACTIONS "
        "GITHUB_WORKSPACE GITHUB_REPOSITORY_OWNER GITHUB_STEP_SUMMARY RUNNER_TEMP RUNNER_OS "
        "RUNNER_DEBUG ACTIONS_RUNTIME_TOKEN NODE_OPTIONS node_options"
    ),
)
def test_a_name_that_the_github_runner_reserves_is_refused(name):
    assert github_problem(name).startswith("is a variable that the runner ")


@pytest.mark.parametrize(
    "name",
    words(
        "CI GITHUB_TOKEN GITHUB_CLIENT_ID GITHUB_PAT GITHUB_SHAS MY_GITHUB_SHA RUNNER github_sha "
        "ACTIONS_STEP_TIMEOUT PATH UID"
    ),
)
def test_a_name_that_the_github_runner_passes_to_later_steps_is_exported(name):
    assert github_problem(name) is None


@pytest.mark.parametrize(
    ("format_name", "name", "hint"),
    [
        ("shell", "UID", "leave them out with --except; programs get them from 'envkit exec'"),
        ("github", "RUNNER_OS", "leave them out with --except"),
    ],
)
def test_a_refusal_by_name_suggests_no_other_format(format_name, name, hint):
    with pytest.raises(InvalidValueError) as caught:
        render(format_name, {name: Secret("x"), "OTHER": Secret("y")})
    assert "cannot represent 1 variable: " in caught.value.message
    assert caught.value.hint == hint
